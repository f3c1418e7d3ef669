// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/calibrate_child.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/interpreter.h"
#include "userspace/counter_task.h"
#include "userspace/python_path.h"

/*
 * The callee is a local: as a global its look-up would cost what the hash seed of
 * each child makes of it.  It has a line of its own, as functions do.  And it is of
 * a file, as most functions are: what -c compiles is checked at each call, see
 * code_print().
 *
 * A table's entries are for one code unit each but in the first, where they are for
 * eight; up to 3.10 an entry for 0 bytes is passed at once, and one for 255 is not.
 */
static const char script[] =
	"import os, sys\n"
	"source = '''\n"
	"def empty():\n"
	"    pass\n"
	"def tall(a=0):\n"
	"    if a:\n"
	"''' + '        a = 1\\n' * %d + '''\n"
	"    return\n"
	"def many(calls, callee):\n"
	"    for _ in calls: callee()\n"
	"'''\n"
	"exec(compile(source, 'calibrate.py', 'exec'))\n"
	"code = tall.__code__\n"
	"units = len(code.co_code) // 2\n"
	"name = 'co_linetable' if hasattr(code, 'co_linetable') else 'co_lnotab'\n"
	"if sys.version_info >= (3, 11):\n"
	"    tables = [b'\\x87\\0' * (units // 8 + 1)]\n"
	"    for form in (b'\\xf8', b'\\x80\\0', b'\\xd0\\0\\0', b'\\xd8\\0\\0', b'\\xe0\\0\\0',\n"
	"                 b'\\xe8\\0', b'\\xf0\\0\\0\\1\\1', b'\\xf0\\0\\0A\\1\\1',\n"
	"                 b'\\xf0\\0\\0A\\1A\\1', b'\\xf0\\0A\\1A\\1A\\1'):\n"
	"        tables.append(form * units)\n"
	"else:\n"
	"    tables = [bytes(2 * (units // 8)), bytes(2 * units), bytes(2 * units) + b'\\xff\\0']\n"
	"callees = [empty]\n"
	"for table in tables if hasattr(code, 'replace') else ():\n" /* 3.8 */
	"    callees.append(type(tall)(code.replace(**{name: table}), globals(), 'tall', (0,)))\n"
	"calls = [range(%d), range(%d)]\n"
	"empty = empty.__code__\n"
	"os.write(1, b'%%d %%d %%s\\n' %% (empty.co_firstlineno, units,\n"
	"         getattr(empty, name).hex().encode()))\n"
	"while True:\n"
	"    word = os.read(0, 1)\n"
	"    if not word: break\n"
	"    i = word[0] - 48\n"
	"    many(calls[i > 0], callees[i])\n"
	"    os.write(1, b'.')\n";

/* Time is measured less finely than instructions: it needs long tables. */
#define LINES 24
#define LINES_FOR_TIME 400

int calibrate_child_start(struct calibrate_child *c, const struct interpreter *in,
			  enum metric metric, pid_t pid)
{
	char *python = python_path(in, pid), text[sizeof(script) + 64];
	int err = -ENOENT;

	snprintf(text, sizeof(text), script,
		 metric == METRIC_INSTRUCTIONS ? LINES : LINES_FOR_TIME, CALIBRATE_CALLS,
		 CALIBRATE_CALLS_FORM);
	if (python)
		err = launch_python(python, pid, text, &c->launch);
	free(python);
	if (err)
		return err;
	return counter_task_open(metric, c->launch.pid, &c->counter);
}

/* "FIRSTLINE UNITS HEX": -EPROTO when it says anything else. */
static int answer_parse(struct calibrate_child *c, const char *line)
{
	char digits[3] = "", *end;
	int at = 0;

	if (sscanf(line, "%" SCNu32 " %" SCNu32 " %n", &c->firstlineno, &c->units, &at) != 2)
		return -EPROTO;
	for (; line[at] && line[at + 1]; at += 2) {
		memcpy(digits, line + at, 2);
		if (c->table_size == sizeof(c->table))
			return -EPROTO;
		c->table[c->table_size++] = strtoul(digits, &end, 16);
		if (*end)
			return -EPROTO;
	}
	return 0;
}

int calibrate_child_go(struct calibrate_child *c)
{
	char line[2 * sizeof(c->table) + 32];
	int err = launch_go(&c->launch);

	if (!err)
		err = launch_hear(&c->launch, line, sizeof(line));
	return err ? err : answer_parse(c, line);
}

int calibrate_child_round(struct calibrate_child *c, enum callee callee, double *ret)
{
	const char word[] = {'0' + callee, 0};
	struct perf_reading before, after;
	int err = counter_task_read(c->counter, &before);

	if (!err)
		err = launch_ask(&c->launch, word);
	if (!err)
		err = counter_task_read(c->counter, &after);
	if (err)
		return err;
	*ret = (double)(after.value - before.value) / calibrate_calls(callee);
	return perf_event_share(&before, &after) < 1 ? -EAGAIN : 0;
}

void calibrate_child_end(struct calibrate_child *c)
{
	counter_task_close(c->counter);
	launch_end(&c->launch);
}
