/*
 * logs - `emperorctl logs APP`: the last lines of an app, from its scoreboard. Nobody is asked but the emperor, for the
 * descriptor; so the log of an app that hangs can be read, and of one that is gone. What is in the ring is the app's
 * own: on a terminal, control characters are taken out.
 */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "emperor/ctl/ctl.h"
#include "shared/err.h"
#include "shared/scoreboard.h"

#define RING_BYTES    ((size_t)BOARD_LOG_BYTES)
#define LINES_DEFAULT 50
#define FOLLOW_NS     200000000L /* a fifth of a second: a log that runs along */

/* Banks that were ever used, the oldest generation first. */
static size_t sort_banks(const struct scoreboard *b, unsigned order[LIMIT_BANKS])
{
	size_t n = 0;

	for (unsigned i = 0; i < LIMIT_BANKS; i++) {
		size_t at = n;

		if (board_get(&b->bank[i].generation) == 0)
			continue;
		while (at > 0 && board_get(&b->bank[order[at - 1]].generation) >
					 board_get(&b->bank[i].generation)) {
			order[at] = order[at - 1];
			at--;
		}
		order[at] = i;
		n++;
	}
	return n;
}

static void print_log(const struct ctl *c, char *p, size_t n)
{
	for (size_t i = 0; c->width > 0 && i < n; i++)
		if (((unsigned char)p[i] < 0x20 && p[i] != '\n' && p[i] != '\t') || p[i] == 0x7f)
			p[i] = '?';
	(void)fwrite(p, 1, n, c->out);
}

/* Where the last lines of the n bytes begin. */
static size_t tail_start(const char *p, size_t n, unsigned lines)
{
	size_t at = n > 0 && p[n - 1] == '\n' ? n - 1 : n;

	for (; at > 0; at--)
		if (p[at - 1] == '\n' && --lines == 0)
			break;
	return at;
}

static void print_tail(const struct ctl *c, const struct scoreboard *b, uint64_t at[LIMIT_BANKS],
		       char *buf)
{
	unsigned order[LIMIT_BANKS];
	size_t banks = sort_banks(b, order), n = 0, start;

	for (size_t i = 0; i < banks; i++)
		n += board_log_read(&b->bank[order[i]], &at[order[i]], buf + n, RING_BYTES);
	start = tail_start(buf, n, c->lines ? c->lines : LINES_DEFAULT);
	print_log(c, buf + start, n - start);
	(void)fflush(c->out);
}

static void follow(const struct ctl *c, const struct scoreboard *b, uint64_t at[LIMIT_BANKS],
		   char *buf)
{
	const struct timespec nap = {0, FOLLOW_NS};

	while (!ferror(c->out)) {
		for (unsigned i = 0; i < LIMIT_BANKS; i++)
			print_log(c, buf, board_log_read(&b->bank[i], &at[i], buf, RING_BYTES));
		(void)fflush(c->out);
		(void)nanosleep(&nap, NULL);
	}
}

int ctl_logs(const struct ctl *c)
{
	_cleanup_(fd_closep) int fd = -1;
	_cleanup_(freep) char *buf = malloc(LIMIT_BANKS * RING_BYTES);
	uint64_t at[LIMIT_BANKS] = {0};
	const struct scoreboard *board;
	const char *why;
	json_t *answer = NULL;
	struct err err = {0};
	int r;

	if (!buf)
		return CTL_FAILED;
	r = remote_command(&c->remote, "board", c->app, &answer, &fd, &err);
	why = json_string_value(json_object_get(answer, "error"));
	if (r == 0 && fd < 0)
		r = err_set(&err, -ENOENT, "%s", why ? why : "the emperor sent no scoreboard");
	json_decref(answer);
	if (r == 0)
		r = board_map_readonly(fd, &board, &err);
	if (r < 0) {
		(void)fprintf(stderr, "emperorctl: %s\n", err.text);
		return CTL_FAILED;
	}
	print_tail(c, board, at, buf);
	if (c->follow)
		follow(c, board, at, buf);
	board_unmap(board);
	return CTL_OK;
}
