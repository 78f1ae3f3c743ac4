/*
 * static_handover - see static_handover.h.
 *
 * Fields come from shared memory that the worker can change: they are copied first, and only the copy is believed. So
 * are the request's variables, which stand in its slot.
 */
#include "vassal/front/static_handover.h"

#include <stdio.h>

#include "shared/vassal_config.h"
#include "vassal/front/errors.h"
#include "vassal/front/queue.h"
#include "vassal/front/static_file.h"
#include "vassal/front/static_inner.h"
#include "vassal/front/static_path.h"

#define ASK_ROOM \
	4096 /* of conditions, ranges and codings that a client sent; more is not looked at */
#define TYPE_MAX      200 /* goes into the head of each part */
#define RETRY_AFTER_S 5

enum named_by { NAMED_BY_NOBODY, NAMED_BY_PATH, NAMED_BY_URL };

static struct span keep(struct static_handed *h, struct span s)
{
	struct span kept = span_of(h->text + h->text_n, s.n);

	if (s.n == 0 || s.n > h->room - h->text_n)
		return span_of("", 0);
	memcpy(h->text + h->text_n, s.p, s.n);
	h->text_n += s.n;
	return kept;
}

/* One "Name: value\r\n" from the front of s. */
static bool next_field(struct span *s, struct span *ret_name, struct span *ret_value)
{
	const char *end = s->n > 1 ? memmem(s->p, s->n, "\r\n", 2) : NULL;
	const char *colon = end ? memchr(s->p, ':', (size_t)(end - s->p)) : NULL;

	if (!colon)
		return false;
	*ret_name = span_of(s->p, (size_t)(colon - s->p));
	*ret_value = span_trim(span_of(colon + 1, (size_t)(end - colon - 1)));
	*s = span_skip(*s, (size_t)(end + 2 - s->p));
	return true;
}

static enum named_by names_file(struct span name)
{
	if (span_eq_nocase(name, SPAN("X-Sendfile")))
		return NAMED_BY_PATH;
	return span_eq_nocase(name, SPAN("X-Accel-Redirect")) ? NAMED_BY_URL : NAMED_BY_NOBODY;
}

/* Fields that the file has the last word on, or that are meant for us. */
static bool is_dropped(struct span name)
{
	static const char *const names[] = {"Content-Length", "Content-Type", "Accept-Ranges",
					    "Content-Range", "Transfer-Encoding"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_eq_nocase(name, span_str(names[i])))
			return true;
	return names_file(name) != NAMED_BY_NOBODY ||
	       (name.n > 8 && span_eq_nocase(span_of(name.p, 8), SPAN("X-Accel-")));
}

static void note_field(struct static_handed *h, struct span name, struct span value)
{
	struct static_said *said = &h->said;

	if (span_eq_nocase(name, SPAN("Content-Type")) && value.n <= TYPE_MAX)
		said->type = value;
	else if (span_eq_nocase(name, SPAN("ETag")))
		said->etag = value;
	else if (span_eq_nocase(name, SPAN("Last-Modified")))
		said->modified = value;
	else if (span_eq_nocase(name, SPAN("Content-Encoding")))
		said->coding = value;
	else if (span_eq_nocase(name, SPAN("Expires")) ||
		 span_eq_nocase(name, SPAN("Cache-Control")))
		said->has_expiry = true;
}

/* The copy of the app's fields stands in text; those that stay are gathered behind it. */
static void sift(struct static_handed *h, struct span copy)
{
	struct span rest = copy, name, value;
	size_t begin = h->text_n;

	while (next_field(&rest, &name, &value)) {
		note_field(h, name, value);
		if (!is_dropped(name))
			(void)keep(h, span_of(name.p, (size_t)(rest.p - name.p)));
	}
	h->fields = span_of(h->text + begin, h->text_n - begin);
}

/* What the client wants of the file, from the request's slot. */
static void read_ask(struct conn *c, struct static_handed *h)
{
	struct front *f = c->front;
	unsigned slot = (unsigned)c->slot;
	size_t n = exchange_request(f->exchange, slot)->vars_n;
	struct http_lines *const lines[] = {
		&h->ask.cond.match,          &h->ask.cond.none_match,
		&h->ask.cond.modified_since, &h->ask.cond.unmodified_since,
		&h->ask.cond.if_range,       &h->ask.range};

	n = MIN(n, sizeof(f->vars_scratch));
	memcpy(f->vars_scratch, exchange_data(f->exchange, slot), n);
	static_ask_vars(&h->ask, f->vars_scratch, n);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		for (unsigned k = 0; k < lines[i]->n; k++)
			lines[i]->v[k] = keep(h, lines[i]->v[k]);
}

static struct static_handed *copy_answer(unsigned status, struct span reason, struct span fields)
{
	/* twice: as they came, and sifted */
	size_t room = reason.n + 2 * fields.n + ASK_ROOM;
	struct static_handed *h = calloc(1, sizeof(*h) + room);
	struct span copy;

	if (!h)
		return NULL;
	h->room = room;
	h->said.status = status;
	h->reason = keep(h, reason);
	copy = keep(h, fields);
	sift(h, copy);
	return h;
}

/* Below an absolute directory, on a segment boundary: the rest. */
static bool is_below(const char *directory, const char *path, const char **ret_rest)
{
	size_t n = strcmp(directory, "/") == 0 ? 0 : strlen(directory);

	if (strncmp(path, directory, n) != 0 || path[n] != '/')
		return false;
	while (path[n] == '/')
		n++;
	*ret_rest = path + n;
	return true;
}

static bool has_dotdot(const char *path)
{
	for (const char *p = path; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
			return true;
	}
	return false;
}

/* Which root it lies in: the next one from *root on. */
static bool find_root(const struct statics *s, struct static_handed *h, enum named_by by,
		      unsigned *root)
{
	for (; *root < s->sends_n; ++*root) {
		const struct static_root *r = &s->roots[*root];
		const char *rest;

		if ((by == NAMED_BY_URL && r->mount[0] && is_below(r->mount, h->shown, &rest)) ||
		    is_below(r->target, h->shown, &rest)) {
			(void)snprintf(h->path, sizeof(h->path), "%s", rest);
			return true;
		}
	}
	return false;
}

static void refuse(struct conn *c, struct static_handed *h, unsigned status, const char *why)
{
	struct front *f = c->front;

	static_file_free(TAKE_PTR(c->file));
	logbook_say(&f->log, f->wall_ns, "%s [%s]: the app hands over %s: %s", c->line, c->id,
		    h->shown[0] ? h->shown : "a file", why);
	error_answer_after(c, status, status == 503 ? RETRY_AFTER_S : 0, &h->record);
	free(h);
}

void static_handover_end(struct conn *c, struct static_handed *h, enum static_outcome outcome)
{
	if (outcome == STATIC_NO_ROOM)
		refuse(c, h, 503, "out of memory or descriptors");
	else if (outcome == STATIC_NOT_HERE)
		refuse(c, h, 404, "no such file below its sendfile-root");
}

/* The name, decoded where it is a URL. False: it cannot be one. */
static bool read_name(struct static_handed *h, enum named_by by, struct span value)
{
	const char *query =
		by == NAMED_BY_URL && value.n > 0 ? memchr(value.p, '?', value.n) : NULL;
	bool directory;

	if (query)
		value.n = (size_t)(query - value.p);
	if (value.n == 0 || value.n >= sizeof(h->shown))
		return false;
	if (by == NAMED_BY_URL)
		return static_path_unescape(value, h->shown, &directory) && h->shown[0] == '/' &&
		       !directory;
	memcpy(h->shown, value.p, value.n);
	h->shown[value.n] = '\0';
	return h->shown[0] == '/' && !memchr(value.p, '\0', value.n);
}

static void answer(struct conn *c, struct static_handed *h, enum named_by by, struct span value)
{
	const struct statics *s = c->front->statics;
	unsigned root = s->maps_n;
	enum static_outcome outcome;

	if (!read_name(h, by, value) || has_dotdot(h->shown)) {
		refuse(c, h, 403, "that is no plain absolute path");
		return;
	}
	if (!find_root(s, h, by, &root)) {
		refuse(c, h, 403, "that is below no sendfile-root");
		return;
	}
	outcome = static_try(c, root, h->path, false, &h->ask, NULL, h);
	static_handover_end(c, h, outcome);
}

static enum named_by find_name(struct span fields, struct span *ret_value)
{
	struct span name;

	while (next_field(&fields, &name, ret_value)) {
		enum named_by by = names_file(name);

		if (by != NAMED_BY_NOBODY)
			return by;
	}
	return NAMED_BY_NOBODY;
}

void static_handed_know(struct static_handed *h, const struct record *known)
{
	if (!known)
		return;
	h->record = *known;
	(void)snprintf(h->logvars, sizeof(h->logvars), "%s", known->logvars ? known->logvars : "");
	h->record.logvars = h->logvars;
}

bool static_hand_over(struct conn *c, unsigned status, struct span reason, struct span fields,
		      const struct record *known)
{
	struct front *f = c->front;
	struct static_handed *h;
	struct span value;
	enum named_by by;

	if (!f->statics || f->statics->sends_n == f->statics->maps_n ||
	    find_name(fields, &value) == NAMED_BY_NOBODY)
		return false;
	h = copy_answer(status, reason, fields);
	if (h) {
		read_ask(c, h);
		queue_detach(c, &h->record);
		static_handed_know(h, known);
	} else {
		struct record r = {0};

		queue_detach(c, &r);
		error_answer_after(c, 503, RETRY_AFTER_S, known ? known : &r);
		return true;
	}
	/* once more, in the copy: it may have changed meanwhile */
	by = find_name(span_of(h->reason.n > 0 ? h->reason.p + h->reason.n : h->text, fields.n),
		       &value);
	if (by == NAMED_BY_NOBODY)
		refuse(c, h, 502, "its fields make no sense");
	else
		answer(c, h, by, value);
	return true;
}
