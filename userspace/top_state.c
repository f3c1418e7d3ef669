// SPDX-License-Identifier: GPL-2.0-or-later
#include <curses.h>
#include <string.h>

#include "userspace/top.h"

#define KEY_ESCAPE 27
#define KEY_CTRL_U 21
#define KEY_DELETE 127

static void edit_key(struct top_state *s, int key)
{
	size_t n = strlen(s->filter);

	switch (key) {
	case '\n':
	case '\r':
	case KEY_ENTER:
		s->editing = false;
		break;
	case KEY_ESCAPE:
		s->editing = false;
		*s->filter = 0;
		break;
	case KEY_CTRL_U:
		*s->filter = 0;
		break;
	case KEY_BACKSPACE:
	case KEY_DELETE:
	case '\b':
		/* A whole UTF-8 character: back to the byte that starts it. */
		while (n && (s->filter[--n] & 0xc0) == 0x80)
			;
		s->filter[n] = 0;
		break;
	default:
		if (key >= ' ' && key <= 0xff && n + 1 < sizeof(s->filter)) {
			s->filter[n] = key;
			s->filter[n + 1] = 0;
		}
	}
}

static void move_by(struct top_state *s, bool down, size_t by)
{
	size_t *at = s->detail || s->requests ? &s->detail_scroll : &s->cursor;

	/* Too far down is put right when the length is known. */
	*at = down ? *at + by : *at > by ? *at - by : 0;
	s->moved = true;
}

/* False when the key does not move anything. */
static bool move_key(struct top_state *s, int key, size_t page)
{
	switch (key) {
	case KEY_UP:
	case 'k':
		move_by(s, false, 1);
		return true;
	case KEY_DOWN:
	case 'j':
		move_by(s, true, 1);
		return true;
	case KEY_PPAGE:
		move_by(s, false, page);
		return true;
	case KEY_NPAGE:
	case ' ':
		move_by(s, true, page);
		return true;
	case KEY_HOME:
		move_by(s, false, UINT32_MAX);
		return true;
	case KEY_END:
		move_by(s, true, UINT32_MAX);
		return true;
	default:
		return false;
	}
}

static void leave(struct top_state *s)
{
	if (s->detail)
		s->detail = 0;
	else
		*s->filter = 0;
}

/* Keys that mean something else while requests are shown; false: the others. */
static bool requests_key(struct top_state *s, int key)
{
	switch (key) {
	case 'r':
		s->requests = s->has_requests && !s->requests;
		s->detail = 0;
		s->detail_scroll = 0;
		return true;
	case 's': s->request_sort = REQUEST_SORT_COST; break;
	case 'c': s->request_sort = REQUEST_SORT_MEAN; break;
	case 'n': s->request_sort = REQUEST_SORT_COUNT; break;
	case 'l': s->request_sort = REQUEST_SORT_LATENCY_P99; break;
	case '\n':
	case '\r':
	case KEY_ENTER:
	case 'K': break;
	default: return false;
	}
	return s->requests;
}

void top_key(struct top_state *s, int key, size_t page)
{
	if (s->editing) {
		edit_key(s, key);
		return;
	}
	if (s->help) { /* any key leaves it */
		s->help = false;
		s->quit = key == 'q';
		return;
	}
	if (move_key(s, key, page) || requests_key(s, key))
		return;
	switch (key) {
	case 'q': s->quit = true; break;
	case 's': s->sort = SORT_SELF; break;
	case 'c': s->sort = SORT_CUMULATIVE; break;
	case 'n': s->sort = s->sampled ? s->sort : SORT_CALLS; break;
	case 'K': s->sort = s->kernel ? SORT_KERNEL : s->sort; break;
	case 't': s->totals = !s->totals; break;
	case 'p': s->paused = !s->paused; break;
	case 'h':
	case '?': s->help = true; break;
	case '/':
		s->detail = 0;
		s->editing = true;
		break;
	case KEY_ESCAPE:
	case KEY_LEFT:
	case KEY_BACKSPACE:
	case KEY_DELETE:
		leave(s);
		break;
	case '\n':
	case '\r':
	case KEY_ENTER:
		s->detail = s->detail ? 0 : s->current;
		s->detail_scroll = 0;
		break;
	}
}

void top_settle(struct top_state *s, const uint32_t *order, size_t count, size_t page)
{
	if (s->pinned && !s->moved)
		for (size_t i = 0; i < count; i++)
			if (order[i] == s->pinned)
				s->cursor = i;
	if (s->cursor >= count)
		s->cursor = count ? count - 1 : 0;
	/* Who goes back to the top wants to see what is on top. */
	if (s->moved)
		s->pinned = s->cursor ? order[s->cursor] : 0;
	s->moved = false;
	s->current = count ? order[s->cursor] : 0;
	if (s->cursor < s->scroll)
		s->scroll = s->cursor;
	if (page && s->cursor >= s->scroll + page)
		s->scroll = s->cursor - page + 1;
	/* No empty lines below while there are rows above. */
	if (s->scroll + page > count)
		s->scroll = count > page ? count - page : 0;
}
