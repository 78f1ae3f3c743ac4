/*
 * saved - see saved.h.
 *
 * The order of lines is the order of the tables, each is there once: what differs was not written by this code, nor by a
 * later one. Values
 * are checked for range here, so that nobody has to think of a state number 77 or a bank that does not exist.
 */
#include "emperor/vassals/saved.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/buf.h"
#include "shared/err.h"

struct text_row {
	const char *name;
	size_t offset, size;
	unsigned since; /* version */
};

struct number_row {
	const char *name;
	size_t offset;
	uint64_t most;
	unsigned since;
};

struct span_row {
	size_t offset;
	uint64_t most;
	unsigned since;
};

/* clang-format off */
#define TEXT_SINCE(field, since) { #field, offsetof(struct saved, field), sizeof(((struct saved *)0)->field), since }
#define TEXT(field)              TEXT_SINCE(field, 1)
#define NUMBER_SINCE(field, most, since) { #field, offsetof(struct saved, field), most, since }
#define NUMBER(field, most)      NUMBER_SINCE(field, most, 1)
#define PRINT(field)             { "print." #field, offsetof(struct saved, print.field), UINT64_MAX, 1 }

static const struct text_row texts[] = {
	TEXT(name), TEXT(file), TEXT(boot), TEXT(reason), TEXT_SINCE(rolled_why, 2),
};

static const struct number_row numbers[] = {
	NUMBER(id, UINT32_MAX), NUMBER(ids, UINT32_MAX),
	NUMBER(state, APP_STATE_COUNT - 1), NUMBER(gone, 1), NUMBER(begun, 1), NUMBER_SINCE(ended, 1, 3),
	NUMBER(good, 1),
	NUMBER(rolled, 1), NUMBER_SINCE(trial, 1, 2),
	NUMBER_SINCE(base_requests, UINT64_MAX, 2), NUMBER_SINCE(base_errors, UINT64_MAX, 2),
	NUMBER(scaled, UINT32_MAX),
	NUMBER(cut_from, UINT32_MAX), NUMBER(processes, UINT32_MAX),
	NUMBER(since_wall_ns, UINT64_MAX), NUMBER(restarts, UINT32_MAX),
	NUMBER(numbers, UINT64_MAX), NUMBER(last_bank, LIMIT_BANKS - 1),
	NUMBER(board, UINT64_MAX), NUMBER(gate_end, UINT64_MAX), NUMBER(front_end, UINT64_MAX),
	NUMBER(door_numbers, UINT64_MAX),
	PRINT(device), PRINT(inode), PRINT(size), PRINT(mtime_ns), PRINT(ctime_ns), PRINT(content), PRINT(target),
	NUMBER(owner, UINT32_MAX), NUMBER(roots, 1), NUMBER(file_owner, UINT32_MAX), NUMBER(file_roots, 1),
	NUMBER_SINCE(old_number, UINT64_MAX, 2), NUMBER_SINCE(old_owner, UINT32_MAX, 2), NUMBER_SINCE(old_roots, 1, 2),
	NUMBER_SINCE(old_requests, UINT64_MAX, 2), NUMBER_SINCE(old_errors, UINT64_MAX, 2),
	NUMBER_SINCE(old_wanted, UINT32_MAX, 3),
	NUMBER_SINCE(served, UINT64_MAX, 3), NUMBER_SINCE(bad_number, UINT64_MAX, 3),
};

/* Their lengths stand in the last line, and they follow it. */
static const struct span_row spans[] = {
	{ offsetof(struct saved, ini), LIMIT_INI_BYTES, 1 },
	{ offsetof(struct saved, file_ini), LIMIT_INI_BYTES, 1 },
	{ offsetof(struct saved, config), LIMIT_CONFIG_BLOB, 2 },
	{ offsetof(struct saved, old_ini), LIMIT_INI_BYTES, 2 },
	{ offsetof(struct saved, old_config), LIMIT_CONFIG_BLOB, 2 },
	{ offsetof(struct saved, bad_config), LIMIT_CONFIG_BLOB, 3 },
};

#define PART(field, most)   { #field, offsetof(struct saved_generation, field), most, 1 }

static const struct number_row parts[] = {
	PART(number, UINT64_MAX), PART(bank, LIMIT_BANKS - 1), PART(part, 2),
	PART(pid, INT32_MAX), PART(start, UINT64_MAX), PART(uid, UINT32_MAX),
	PART(link, UINT64_MAX), PART(log, UINT64_MAX),
	PART(serving_ns, UINT64_MAX), PART(serving_wall_ns, UINT64_MAX), PART(speaks, UINT32_MAX),
};
/* clang-format on */

/* -- out ------------------------------------------------------------------------------------------------ */

static _printf_(2, 3) int say(struct buf *out, const char *fmt, ...)
{
	char line[PATH_MAX + 256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		return -EFBIG;
	return buf_append(out, line, (size_t)n, SAVED_BYTES);
}

static uint64_t number_at(const void *base, size_t offset)
{
	uint64_t n;

	memcpy(&n, (const char *)base + offset, sizeof(n));
	return n;
}

/* A text is one line. */
static int say_text(struct buf *out, const char *name, const char *text)
{
	char clean[PATH_MAX];
	size_t n = 0;

	for (; n < sizeof(clean) - 1 && text[n]; n++)
		clean[n] = (unsigned char)text[n] < 0x20 ? ' ' : text[n];
	clean[n] = '\0';
	return say(out, "%s %s\n", name, clean);
}

static int say_generation(struct buf *out, const struct saved_generation *g)
{
	int r = say(out, "generation");

	for (size_t i = 0; i < ARRAY_SIZE(parts) && r == 0; i++)
		r = say(out, " %" PRIu64, number_at(g, parts[i].offset));
	return r == 0 ? say(out, "\n") : r;
}

static int say_door(struct buf *out, const struct saved_door *d)
{
	return say(out, "door %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", d->number, d->socket,
		   d->name, d->address);
}

static struct span *span_at(const struct saved *s, const struct span_row *row)
{
	return (struct span *)((char *)(uintptr_t)s + row->offset);
}

static int say_spans(const struct saved *s, struct buf *out)
{
	int r = say(out, "spans");

	for (size_t i = 0; i < ARRAY_SIZE(spans) && r == 0; i++)
		r = say(out, " %zu", span_at(s, &spans[i])->n);
	if (r == 0)
		r = say(out, "\n");
	for (size_t i = 0; i < ARRAY_SIZE(spans) && r == 0; i++)
		r = buf_append(out, span_at(s, &spans[i])->p, span_at(s, &spans[i])->n,
			       SAVED_BYTES);
	return r;
}

static int say_all(const struct saved *s, struct buf *out)
{
	int r = say(out, "saved %d\n", SAVED_VERSION);

	for (size_t i = 0; i < ARRAY_SIZE(texts) && r == 0; i++)
		r = say_text(out, texts[i].name, (const char *)s + texts[i].offset);
	for (size_t i = 0; i < ARRAY_SIZE(numbers) && r == 0; i++)
		r = say(out, "%s %" PRIu64 "\n", numbers[i].name, number_at(s, numbers[i].offset));
	for (size_t i = 0; i < s->generations_n && r == 0; i++)
		r = say_generation(out, &s->generations[i]);
	for (size_t i = 0; i < s->doors_n && r == 0; i++)
		r = say_door(out, &s->doors[i]);
	return r == 0 ? say_spans(s, out) : r;
}

int saved_encode(const struct saved *s, struct buf *out)
{
	int r = say_all(s, out);
	struct span all = buf_span(out);

	return r == 0 ? say(out, "\nend %016" PRIx64 "\n", fingerprint_digest(all.p, all.n)) : r;
}

/* -- in ------------------------------------------------------------------------------------------------- */

#define END_BYTES (sizeof("\nend 0123456789abcdef\n") - 1)

/* The rest of the line that begins with this word; false if the next line does not. */
static bool take_line(struct span *in, const char *word, struct span *ret)
{
	const char *newline = in->n > 0 ? memchr(in->p, '\n', in->n) : NULL;
	size_t word_n = strlen(word);
	size_t n = newline ? (size_t)(newline - in->p) : 0;

	if (!newline || n < word_n + 1 || memcmp(in->p, word, word_n) != 0 || in->p[word_n] != ' ')
		return false;
	*ret = span_of(in->p + word_n + 1, n - word_n - 1);
	*in = span_skip(*in, n + 1);
	return true;
}

/* The lists and spans, which follow what has one line each. */
static bool is_list(struct span in)
{
	return span_starts(in, SPAN("generation ")) || span_starts(in, SPAN("door ")) ||
	       span_starts(in, SPAN("spans "));
}

static bool skip_line(struct span *in)
{
	const char *newline = in->n > 0 ? memchr(in->p, '\n', in->n) : NULL;

	if (newline)
		*in = span_skip(*in, (size_t)(newline - in->p) + 1);
	return newline != NULL;
}

/* As take_line(), behind lines that only a later version has. */
static bool find_line(struct span *in, const char *word, bool later, struct span *ret)
{
	while (!take_line(in, word, ret))
		if (!later || is_list(*in) || !skip_line(in))
			return false;
	return true;
}

static bool take_number(struct span *line, uint64_t most, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < line->n && line->p[i] >= '0' && line->p[i] <= '9'; i++)
		if (__builtin_mul_overflow(n, 10U, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(line->p[i] - '0'), &n))
			return false;
	if (i == 0 || n > most || (i < line->n && line->p[i] != ' '))
		return false;
	*line = span_skip(*line, MIN(i + 1, line->n));
	*ret = n;
	return true;
}

static bool take_text(struct span line, char *buf, size_t size)
{
	if (line.n >= size || memchr(line.p, '\0', line.n))
		return false;
	memcpy(buf, line.p, line.n);
	buf[line.n] = '\0';
	return true;
}

static bool take_row(struct span *in, const struct number_row *row, bool later, void *base)
{
	struct span line;
	uint64_t n;

	if (!find_line(in, row->name, later, &line) || !take_number(&line, row->most, &n) ||
	    (line.n > 0 && !later))
		return false;
	memcpy((char *)base + row->offset, &n, sizeof(n));
	return true;
}

static bool take_generation(struct span line, bool later, struct saved_generation *g)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		uint64_t n;

		if (!take_number(&line, parts[i].most, &n))
			return false;
		memcpy((char *)g + parts[i].offset, &n, sizeof(n));
	}
	return (later || line.n == 0) && g->pid > 0;
}

static bool take_door(struct span line, struct saved_door *d)
{
	return take_number(&line, UINT64_MAX, &d->number) &&
	       take_number(&line, UINT64_MAX, &d->socket) &&
	       take_number(&line, UINT64_MAX, &d->name) &&
	       take_text(line, d->address, sizeof(d->address));
}

/* What it fails at; NULL if nothing. */
static const char *take_lists(struct span *in, struct saved *s)
{
	struct span line;

	while (find_line(in, "generation", s->later, &line))
		if (s->generations_n == LIMIT_BANKS ||
		    !take_generation(line, s->later, &s->generations[s->generations_n++]))
			return "generation";
	while (find_line(in, "door", s->later, &line))
		if (s->doors_n == SAVED_DOORS || !take_door(line, &s->doors[s->doors_n++]))
			return "door";
	return NULL;
}

/* Until version 1 the last line had another name. */
static bool take_spans(struct span *in, struct saved *s, unsigned version)
{
	struct span line;
	size_t total = 0;
	uint64_t n;

	if (!find_line(in, version == 1 ? "ini" : "spans", s->later, &line))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		if (spans[i].since > version)
			continue;
		if (!take_number(&line, spans[i].most, &n) || n > in->n - total)
			return false;
		*span_at(s, &spans[i]) = span_of(in->p + total, n);
		total += n;
	}
	while (s->later && line.n > 0) {
		if (!take_number(&line, SAVED_BYTES, &n) || n > in->n - total)
			return false;
		total += n;
	}
	return line.n == 0 && total == in->n;
}

static const char *take_all(struct span *in, struct saved *s, unsigned version)
{
	struct span line;
	const char *wrong;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].since <= version &&
		    (!find_line(in, texts[i].name, s->later, &line) ||
		     !take_text(line, (char *)s + texts[i].offset, texts[i].size)))
			return texts[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (numbers[i].since <= version && !take_row(in, &numbers[i], s->later, s))
			return numbers[i].name;
	wrong = take_lists(in, s);
	if (wrong)
		return wrong;
	return take_spans(in, s, version) ? NULL : "spans";
}

static bool is_whole(struct span bytes)
{
	char end[END_BYTES + 1];
	size_t n = bytes.n - END_BYTES;

	(void)snprintf(end, sizeof(end), "\nend %016" PRIx64 "\n", fingerprint_digest(bytes.p, n));
	return memcmp(bytes.p + n, end, END_BYTES) == 0;
}

void saved_end(struct saved *s, bool rests)
{
	s->ended = 1;
	s->begun = !rests;
	s->state = APP_STOPPED;
	s->generations_n = s->doors_n = 0;
	s->board = s->gate_end = s->front_end = s->door_numbers = 0;
	s->trial = s->base_requests = s->base_errors = 0;
	s->scaled = s->cut_from = s->processes = s->restarts = 0;
	/* A broken edit is refused by a new start; only what came back is started in its place. */
	s->good &= s->rolled;
	if (!rests)
		s->reason[0] = '\0';
}

int saved_decode(struct span bytes, struct saved *ret, struct err *err)
{
	_cleanup_(freep) struct saved *s = NULL;
	const char *wrong;
	struct span in, line;
	uint64_t version;

	if (bytes.n > SAVED_BYTES)
		return err_set(err, -EBADMSG, "too large");
	if (bytes.n < END_BYTES || !is_whole(bytes))
		return err_set(err, -EBADMSG, "torn: its digest is not that of its bytes");
	in = span_of(bytes.p, bytes.n - END_BYTES);
	if (!take_line(&in, "saved", &line) || !take_number(&line, UINT32_MAX, &version))
		return err_set(err, -EBADMSG, "is no app's state");
	if (version < SAVED_OLDEST)
		return err_set(err, -EBADMSG,
			       "is of version %" PRIu64
			       ", and this emperor knows only %d and later",
			       version, SAVED_OLDEST);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->later = version > SAVED_VERSION;
	wrong = take_all(&in, s, (unsigned)version);
	if (wrong && s->later)
		return err_set(err, -EBADMSG,
			       "is of version %" PRIu64 ", and \"%s\" is not as in version %d",
			       version, wrong, SAVED_VERSION);
	if (wrong)
		return err_set(err, -EBADMSG, "\"%s\" is missing or makes no sense", wrong);
	*ret = *s;
	return 0;
}
