// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/calibrate_child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbolizer/interpreter.h"
#include "userspace/counter.h"
#include "userspace/python_path.h"

/*
 * The callee is a local: as a global its look-up would cost what the hash seed of
 * each child makes of it.  It has a line of its own, as functions do.  And it is of
 * a file, as most functions are: what -c compiles is checked at each call, see
 * code_print().
 */
static const char script[] =
	"import os\n"
	"tall = '        a = 1\\n' * 200\n"
	"wide = '        a = a' + ''.join('.name%d' % i for i in range(60)) + '\\n'\n"
	"source = '''\n"
	"def empty():\n"
	"    pass\n"
	"def tall(a=0):\n"
	"    if a:\n"
	"''' + tall + '''\n"
	"    return\n"
	"def wide(a=0):\n"
	"    if a:\n"
	"''' + wide + '''\n"
	"    if not a:\n"
	"        return\n"
	"    a = 1\n"
	"def many(calls, callee):\n"
	"    for _ in calls: callee()\n"
	"'''\n"
	"exec(compile(source, 'calibrate.py', 'exec'))\n"
	"for f in empty, tall, wide:\n"
	"    code = f.__code__\n"
	"    table = code.co_linetable if hasattr(code, 'co_linetable') else code.co_lnotab\n"
	"    os.write(1, b'%d %s\\n' % (code.co_firstlineno, table.hex().encode()))\n"
	"callees = {b'0': empty, b'1': tall, b'2': wide}\n"
	"calls = range(10000)\n"
	"while True:\n"
	"    word = os.read(0, 1)\n"
	"    if not word: break\n"
	"    many(calls, callees[word])\n"
	"    os.write(1, b'.')\n";

#define TABLE_MAX 8192

int calibrate_child_start(struct calibrate_child *c, const struct interpreter *in,
			  enum metric metric, pid_t pid)
{
	char *python = python_path(in, pid);
	int err = python ? launch_python(python, pid, script, &c->launch) : -ENOENT;

	free(python);
	if (err)
		return err;
	c->counter = counter_open_task(metric, c->launch.pid);
	return c->counter < 0 ? c->counter : 0;
}

/* "FIRSTLINE HEX": -EPROTO when it says anything else. */
static int table_parse(const char *line, int minor, struct line_table **ret)
{
	uint8_t bytes[TABLE_MAX];
	unsigned long first;
	char *hex, *end, digits[3] = "";
	size_t n = 0;

	first = strtoul(line, &hex, 10);
	if (hex == line || *hex++ != ' ')
		return -EPROTO;
	for (; hex[0] && hex[1]; hex += 2) {
		memcpy(digits, hex, 2);
		bytes[n++] = strtoul(digits, &end, 16);
		if (*end || n == sizeof(bytes))
			return -EPROTO;
	}
	return line_table_read(minor, first, bytes, n, n, ret) ? -EPROTO : 0;
}

int calibrate_child_go(struct calibrate_child *c, const struct interpreter *in)
{
	char line[2 * TABLE_MAX + 16];
	int err = launch_go(&c->launch);

	for (int i = 0; !err && i < CALLEE_MAX; i++) {
		err = launch_hear(&c->launch, line, sizeof(line));
		if (!err)
			err = table_parse(line, in->minor, &c->lines[i]);
	}
	return err;
}

int calibrate_child_round(struct calibrate_child *c, enum callee callee, double *ret)
{
	const char word[] = {'0' + callee, 0};
	uint64_t before[3], after[3];
	int err;

	if (read(c->counter, before, sizeof(before)) != sizeof(before))
		return -ECHILD;
	err = launch_ask(&c->launch, word);
	if (err)
		return err;
	if (read(c->counter, after, sizeof(after)) != sizeof(after))
		return -ECHILD;
	*ret = (double)(after[0] - before[0]) / CALIBRATE_CALLS;
	return 0;
}

void calibrate_child_end(struct calibrate_child *c)
{
	if (c->counter >= 0)
		close(c->counter);
	launch_end(&c->launch);
	for (int i = 0; i < CALLEE_MAX; i++)
		free(c->lines[i]);
}
