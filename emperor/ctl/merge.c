/*
 * merge - see merge.h.
 */
#include "emperor/ctl/merge.h"

#include <errno.h>

#include "shared/limits.h"

struct run { /* the lines of one bank, as they came: of a generation, and of earlier ones */
	struct merge_line *v;
	size_t n, at;
};

static bool is_stamp(const char *p, size_t n)
{
	static const char shape[] = "0000-00-00T00:00:00.000Z";

	_Static_assert(sizeof(shape) - 1 == MERGE_STAMP, "the shape is as long as a stamp");
	if (n < MERGE_STAMP || (n > MERGE_STAMP && p[MERGE_STAMP] != ' '))
		return false;
	for (size_t i = 0; i < MERGE_STAMP; i++)
		if (shape[i] == '0' ? p[i] < '0' || p[i] > '9' : p[i] != shape[i])
			return false;
	return true;
}

static size_t count_lines(const struct merge_text *t)
{
	size_t lines = t->n > 0 && t->p[t->n - 1] != '\n';

	for (size_t i = 0; i < t->n; i++)
		lines += t->p[i] == '\n';
	return lines;
}

/* before: the last stamp of the generation before, for a text without any. Returns this one's last. */
static const char *split(const struct merge_text *t, struct run *run, const char *before)
{
	const char *stamp = NULL, *first = before;
	char *p = t->p, *end = t->p + t->n;

	while (p < end) {
		char *newline = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((newline ? newline : end) - p);
		bool is_mark = board_log_is_mark(p, n) && is_stamp(p + 1, n - 1);
		const char *at = p + is_mark;

		if (is_stamp(at, n - is_mark)) {
			first = stamp ? first : at;
			stamp = at;
		}
		if (!is_mark)
			run->v[run->n++] = (struct merge_line){.p = p, .n = n, .stamp = stamp};
		p += n + (newline != NULL);
	}
	/* A ring that has gone round begins in the middle: what comes before its first stamp is about as old. */
	for (size_t i = 0; i < run->n && !run->v[i].stamp; i++)
		run->v[i].stamp = first;
	return stamp ? stamp : before;
}

static bool is_before(const struct merge_line *a, const struct merge_line *b)
{
	if (!a->stamp || !b->stamp)
		return !a->stamp && b->stamp;
	return memcmp(a->stamp, b->stamp, MERGE_STAMP) < 0;
}

/* The run whose next line is the oldest; of equal ones the older generation's. NULL: all are at their end. */
static struct run *next_run(struct run *runs, size_t n)
{
	struct run *best = NULL;

	for (size_t i = 0; i < n; i++) {
		struct run *r = &runs[i];

		if (r->at == r->n)
			continue;
		if (!best || is_before(&r->v[r->at], &best->v[best->at]))
			best = r;
	}
	return best;
}

int merge_lines(const struct merge_text *texts, size_t n, struct merge_line **ret, size_t *ret_n)
{
	struct run runs[LIMIT_BANKS] = {0};
	struct merge_line *lines, *out;
	const char *stamp = NULL;
	size_t total = 0, made = 0;
	struct run *run;

	n = MIN(n, (size_t)LIMIT_BANKS);
	for (size_t i = 0; i < n; i++)
		total += count_lines(&texts[i]);
	lines = calloc(total + 1, sizeof(*lines));
	out = calloc(total + 1, sizeof(*out));
	if (!lines || !out) {
		free(lines);
		free(out);
		return -ENOMEM;
	}
	for (size_t i = 0, at = 0; i < n; i++) {
		runs[i].v = lines + at;
		stamp = split(&texts[i], &runs[i], stamp);
		at += runs[i].n;
	}
	while ((run = next_run(runs, n)))
		out[made++] = run->v[run->at++];
	free(lines);
	*ret = out;
	*ret_n = made;
	return 0;
}
