// SPDX-License-Identifier: GPL-2.0-or-later
#include "userspace/top_screen.h"

#include <curses.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "userspace/text.h"

#define HOT_PERCENT 10
#define HOT_PAIR 1
#define ESCAPE_MS 25 /* how long an escape sequence may take to come in */

static SCREEN *screen;

/* What a signal handler needs to put the terminal back without ncurses. */
static struct termios saved;
static char restore[128];

static void on_crash(int sig)
{
	/* Both may be called here, and there is nobody to tell if they fail. */
	tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	if (write(STDOUT_FILENO, restore, strlen(restore)) < 0)
		_exit(1);
	raise(sig); /* SA_RESETHAND: now it kills */
}

static void restore_add(const char *capability)
{
	const char *text = tigetstr(capability);

	/* (char *)-1 is for what is no string capability. */
	if (text && text != (char *)-1 && strlen(restore) + strlen(text) < sizeof(restore))
		strcat(restore, text);
}

static void crashes_catch(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	struct sigaction crash = {.sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_NODEFER};

	restore_add("sgr0");
	restore_add("cnorm");
	restore_add("rmcup");
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &crash, NULL);
}

int top_screen_open(void)
{
	const char *no_color = getenv("NO_COLOR");

	tcgetattr(STDIN_FILENO, &saved);
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return -ENOTSUP;
	atexit(top_screen_close);
	crashes_catch();
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	if (has_colors() && !(no_color && *no_color)) {
		start_color();
		use_default_colors();
		init_pair(HOT_PAIR, COLOR_RED, -1);
	}
	return 0;
}

void top_screen_close(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

/* Lines of the list: all but the header, the titles and the line of keys. */
static size_t page_size(void)
{
	int page = LINES - TOP_HEADER_LINES - 2;

	return page > 0 ? page : 0;
}

bool top_screen_keys(struct top_state *s)
{
	bool any = false;
	int key;

	while ((key = getch()) != ERR) {
		any = true;
		if (key != KEY_RESIZE)
			top_key(s, key, page_size());
	}
	return any;
}

/* A line of text up to its end or newline, and blanks to the right edge. */
static void put_line(int y, const char *line, attr_t attributes)
{
	size_t size = strcspn(line, "\n"), fits = text_prefix(line, COLS);

	if (y >= LINES)
		return;
	attron(attributes);
	mvaddnstr(y, 0, line, size < fits ? size : fits);
	for (int x = getcurx(stdscr); getcury(stdscr) == y && x < COLS; x++)
		addch(' ');
	attroff(attributes);
}

/* Lines of a text from the one numbered skip on; returns how many the text has. */
static size_t put_text(int y, const char *text, size_t skip, int bottom)
{
	size_t n = 0;

	for (; *text; n++) {
		size_t size = strcspn(text, "\n");

		if (n >= skip && y < bottom)
			put_line(y++, text, A_NORMAL);
		text += size + (text[size] == '\n');
	}
	return n;
}

static void put_row(int y, const struct interval *v, uint32_t row, attr_t attributes)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	if (row)
		top_print_row(f, v, row, COLS);
	else
		top_print_titles(f, v, COLS);
	fclose(f);
	put_line(y, text, attributes);
	free(text);
}

static int draw_list(const struct interval *v, struct top_state *s)
{
	int y = TOP_HEADER_LINES;
	uint32_t *order;
	size_t count;
	int err = interval_order(v, s->sort, s->filter, &order, &count);

	if (err)
		return err;
	top_settle(s, order, count, page_size());
	put_row(y++, v, 0, A_BOLD);
	for (size_t i = s->scroll; i < count && i - s->scroll < page_size(); i++) {
		bool hot = report_percent(&v->report,
					 v->report.functions.rows[order[i]].costs.self) >= HOT_PERCENT;

		put_row(y++, v, order[i],
			(hot ? COLOR_PAIR(HOT_PAIR) : A_NORMAL) |
				(i == s->cursor ? A_REVERSE : A_NORMAL));
	}
	if (!count)
		put_line(y, report_is_sampled(&v->report) ? "no samples" : "no calls", A_NORMAL);
	free(order);
	return 0;
}

static int draw_detail(const struct interval *v, struct top_state *s)
{
	int y = TOP_HEADER_LINES, err;
	size_t size, count, page = page_size();
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	err = top_print_detail(f, v, s, COLS);
	fclose(f);
	put_row(y++, v, 0, A_BOLD);
	/* Below the bottom nothing is put, so this only counts. */
	count = put_text(LINES, text, 0, LINES);
	if (s->detail_scroll + page > count)
		s->detail_scroll = count > page ? count - page : 0;
	put_text(y, text, s->detail_scroll, LINES - 1);
	free(text);
	return err;
}

static int draw_requests(const struct interval *v, struct top_state *s)
{
	size_t size, count, page = page_size(), titles;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);
	int err;

	if (!f)
		return -ENOMEM;
	err = top_print_requests(f, v, s, 0, COLS);
	fclose(f);
	put_line(TOP_HEADER_LINES, text, A_BOLD);
	titles = strcspn(text, "\n");
	titles += text[titles] == '\n';
	count = put_text(LINES, text + titles, 0, LINES);
	if (s->detail_scroll + page > count)
		s->detail_scroll = count > page ? count - page : 0;
	put_text(TOP_HEADER_LINES + 1, text + titles, s->detail_scroll, LINES - 1);
	if (!count)
		put_line(TOP_HEADER_LINES + 1, "no requests", A_NORMAL);
	free(text);
	return err;
}

static int draw_text(int y, void (*print)(FILE *out))
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	print(f);
	fclose(f);
	put_text(y, text, 0, LINES - 1);
	free(text);
	return 0;
}

static void draw_header(const struct interval *v, const struct session_status *st,
			const struct top_state *s)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	top_print_header(f, v, st, s->totals, COLS);
	fclose(f);
	put_text(0, text, 0, TOP_HEADER_LINES);
	mvchgat(0, 0, -1, A_BOLD, 0, NULL);
	free(text);
}

static void draw_bottom(const struct top_state *s, const char *message)
{
	char line[512];

	if (s->editing)
		snprintf(line, sizeof(line), "filter: %s", s->filter);
	else if (message)
		snprintf(line, sizeof(line), "%s", message);
	else
		snprintf(line, sizeof(line),
			 "%sby %s%s%s  q quit h help / filter t %s p %s %s",
			 s->paused ? "PAUSED  " : "",
			 s->requests ? request_sort_names[s->request_sort] : report_sort_names[s->sort],
			 *s->filter ? "  filter: " : "", s->filter, s->totals ? "interval" : "totals",
			 s->paused ? "go on" : "pause",
			 s->requests ? "r functions" : s->detail ? "Enter back"
			 : s->has_requests	     ? "Enter callers r requests"
						     : "Enter callers");
	put_line(LINES - 1, line, A_REVERSE);
	/* Where typing goes; elsewhere the cursor is not shown. */
	curs_set(s->editing ? 1 : 0);
	if (s->editing)
		move(LINES - 1, 8 + (int)strlen(s->filter) < COLS ? 8 + (int)strlen(s->filter)
								  : COLS - 1);
}

int top_screen_draw(const struct interval *v, const struct session_status *st,
		    struct top_state *s, const char *message)
{
	int err = 0;

	erase();
	if (v)
		draw_header(v, st, s);
	if (s->help)
		err = draw_text(v ? TOP_HEADER_LINES + 1 : 1, top_print_help);
	else if (!v)
		put_line(0, "measuring...", A_NORMAL);
	else if (s->requests)
		err = draw_requests(v, s);
	else
		err = s->detail ? draw_detail(v, s) : draw_list(v, s);
	draw_bottom(s, message);
	refresh();
	return err;
}
