/*
 * logs - `emperorctl logs APP`: the last lines of an app, from its scoreboard. Nobody is asked but the emperor, for the
 * descriptor; so the log of an app that hangs can be read, and of one that is gone. What is in the ring is the app's
 * own: on a terminal, what could command it is shown escaped; a pipe gets the bytes as they are. Generations that ran side by side are shown in one order of time.
 */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "emperor/ctl/ctl.h"
#include "emperor/ctl/merge.h"
#include "emperor/ctl/plain.h"
#include "shared/err.h"
#include "shared/json.h"
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

static void print_plain(const struct ctl *c, const struct merge_line *line)
{
	if (c->width > 0)
		plain_put(c->out, line->p, line->n);
	else
		(void)fwrite(line->p, 1, line->n, c->out);
	(void)fputc('\n', c->out);
}

static void print_json(const struct ctl *c, const struct merge_line *line)
{
	_cleanup_(freep) char *text = NULL;
	json_t *o = json_object();

	json_put(o, "time", line->stamp ? json_text(line->stamp, MERGE_STAMP) : json_null());
	json_put(o, "line", json_text(line->p, line->n));
	text = json_dump_text(o, false, NULL);
	json_decref(o);
	if (text)
		(void)fputs(text, c->out);
}

/*
 * What is new in a bank. A line that is not all there yet is left for the next time, if there is one; but one that
 * fills half the ring would be lost by waiting.
 */
static size_t read_bank(const struct ctl *c, const struct board_bank *bank, uint64_t *at, char *buf)
{
	size_t n = board_log_read(bank, at, buf, RING_BYTES);
	const char *newline = n > 0 ? memrchr(buf, '\n', n) : NULL;
	size_t rest = n - (newline ? (size_t)(newline + 1 - buf) : 0);

	if (!c->follow || rest >= RING_BYTES / 2)
		return n;
	*at -= rest;
	return n - rest;
}

/* The last lines of what is new. buf: RING_BYTES for each bank. */
static int print_new(const struct ctl *c, const struct scoreboard *b, uint64_t at[LIMIT_BANKS],
		     char *buf, size_t most)
{
	_cleanup_(freep) struct merge_line *lines = NULL;
	struct merge_text texts[LIMIT_BANKS];
	unsigned order[LIMIT_BANKS];
	size_t banks = sort_banks(b, order), n = 0;
	int r;

	for (size_t i = 0; i < banks; i++) {
		texts[i].p = buf + i * RING_BYTES;
		texts[i].n = read_bank(c, &b->bank[order[i]], &at[order[i]], texts[i].p);
	}
	r = merge_lines(texts, banks, &lines, &n);
	for (size_t i = n - MIN(n, most); r == 0 && i < n; i++) {
		if (c->json)
			print_json(c, &lines[i]);
		else
			print_plain(c, &lines[i]);
	}
	(void)fflush(c->out);
	return r;
}

static int print_all(const struct ctl *c, const struct scoreboard *b, char *buf)
{
	const struct timespec nap = {0, FOLLOW_NS};
	uint64_t at[LIMIT_BANKS] = {0};
	size_t most = c->lines > 0 || c->no_lines ? c->lines : LINES_DEFAULT;
	int r = print_new(c, b, at, buf, most);

	while (r == 0 && c->follow && !ferror(c->out)) {
		(void)nanosleep(&nap, NULL);
		r = print_new(c, b, at, buf, SIZE_MAX);
	}
	return r;
}

int ctl_logs(const struct ctl *c)
{
	_cleanup_(fd_closep) int fd = -1;
	_cleanup_(freep) char *buf = malloc(LIMIT_BANKS * RING_BYTES);
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
	r = print_all(c, board, buf);
	board_unmap(board);
	return r < 0 ? CTL_FAILED : CTL_OK;
}
