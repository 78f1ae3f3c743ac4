/*
 * inifile_lines - physical lines to entries. inih parses the structure (sections, options, errors); what it would
 * mangle never reaches it: each line is handed over as "N=1", "[N]" or ";", N being the line's number, and the
 * handler goes back from N to our own copy of the line. So no line is too long, no ':' separates, nothing is a
 * continuation, and keys without a value exist.
 */
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <strings.h>

#include "shared/err.h"
#include "shared/inifile_parts.h"
#include "shared/span.h"

struct text { /* the state of the reader and the handler */
	const char *file;
	const struct ini_magic *magic;
	struct span rest;
	char *line; /* the current one: magic replaced; owned */
	unsigned number;
	struct ini_lines *lines;
	struct inifile_notes *notes;
	struct inifile_notes *errors; /* NULL: the first ends it */
	struct err *err;
	int r;
};

static struct span trim(struct span s)
{
	static const char blanks[] = " \t\r";

	while (s.n > 0 && strchr(blanks, s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && strchr(blanks, s.p[s.n - 1]))
		s.n--;
	return s;
}

static struct span next_line(struct text *t)
{
	const char *end = memchr(t->rest.p, '\n', t->rest.n);
	size_t n = end ? (size_t)(end - t->rest.p) : t->rest.n;
	struct span line = span_of(t->rest.p, n);

	t->rest = span_skip(t->rest, end ? n + 1 : n);
	t->number++;
	return line;
}

/* Nothing a person types; ESC and form feed have been seen in real files. */
static bool has_binary(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 && c != '\t' && c != '\r' && c != '\f' && c != '\v' && c != 0x1b)
			return true;
	}
	return false;
}

static bool is_conflict(struct span s)
{
	static const char marks[] = "<=>|";

	for (const char *m = marks; *m; m++) {
		size_t n = 0;

		while (n < s.n && s.p[n] == *m)
			n++;
		if (n == 7 && (s.n == 7 || s.p[7] == ' '))
			return true;
	}
	return false;
}

static int check_line(const struct text *t, struct span line)
{
	if (line.n > LIMIT_INI_LINE)
		return err_set(t->err, -E2BIG, "%s:%u: a line of more than %d bytes", t->file,
			       t->number, LIMIT_INI_LINE);
	if (has_binary(line))
		return err_set(t->err, -EINVAL, "%s:%u: not a text file", t->file, t->number);
	if (is_conflict(trim(line)))
		return err_set(t->err, -EINVAL, "%s:%u: an unresolved merge conflict", t->file,
			       t->number);
	return 0;
}

/* Keeps the line, magic variables replaced, and says how inih is to see it. */
static int prepare(struct text *t, struct span raw, char *out, size_t size)
{
	struct span line = trim(raw);
	int r = check_line(t, raw);

	free(t->line);
	t->line = NULL;
	/* Of what is no text, no other line is worth a word. */
	if (has_binary(raw))
		t->errors = NULL;
	if (r < 0)
		return r;
	if (line.n == 0 || line.p[0] == ';' || line.p[0] == '#') {
		(void)snprintf(out, size, ";\n");
		return 0;
	}
	r = ini_magic_replace(t->magic, line, t->file, t->number, &t->line, t->notes, t->err);
	if (r < 0 || !t->line)
		return r;
	if (trim(span_str(t->line)).n == 0) /* nothing but variables that are empty */
		(void)snprintf(out, size, ";\n");
	else if (t->line[0] == '[')
		(void)snprintf(out, size, "[%u%s\n", t->number, strchr(t->line, ']') ? "]" : "");
	else
		(void)snprintf(out, size, "%u=1\n", t->number);
	return 0;
}

/* A line that is wrong is told and left out, if somebody wants to know of the others too. */
static int forgive(struct text *t, int r)
{
	if (!t->errors || r == -ENOMEM)
		return r;
	ini_note_error(t->errors, t->file, t->err);
	return 0;
}

static char *on_read(char *str, int num, void *stream)
{
	struct text *t = stream;

	if (t->r < 0 || t->rest.n == 0)
		return NULL;
	t->r = prepare(t, next_line(t), str, (size_t)num);
	if (t->r < 0 && forgive(t, t->r) == 0) {
		t->r = 0;
		(void)snprintf(str, (size_t)num, ";\n");
	}
	return t->r < 0 ? NULL : str;
}

static int fail(struct text *t, int r, const char *what)
{
	t->r = err_set(t->err, r, "%s:%u: %s", t->file, t->number, what);
	return t->r;
}

/* "[uwsgi] ; note" and "[uWSGI]" are other sections to uWSGI, and never what was meant. */
static int add_section(struct text *t)
{
	struct ini_lines *lines = t->lines;
	const char *close = strchr(t->line, ']');
	struct span name = trim(span_of(t->line + 1, (size_t)(close - t->line - 1)));
	struct span behind = trim(span_str(close + 1));
	bool ours = span_eq_nocase(name, SPAN("uwsgi")) || span_eq_nocase(name, SPAN("vassal")) ||
		    span_eq_nocase(name, SPAN("emperor"));
	struct ini_section *v;
	char *copy;

	if (behind.n > 0)
		inifile_notes_add(
			t->notes, t->file, t->number,
			"what follows ] is ignored; uWSGI would not have found this section");
	v = reallocarray(lines->sections, lines->sections_n + 1, sizeof(*v));
	copy = strndup(name.p, name.n);
	if (v)
		lines->sections = v;
	if (!v || !copy) {
		free(copy);
		return fail(t, -ENOMEM, "out of memory");
	}
	for (char *p = copy; ours && *p; p++) {
		if (*p != ascii_lower(*p))
			inifile_notes_add(
				t->notes, t->file, t->number,
				"[%s] is read in small letters; uWSGI would not have found it",
				copy);
		*p = ascii_lower(*p);
	}
	v[lines->sections_n++] = (struct ini_section){copy, t->number};
	return 0;
}

static struct ini_entry *add_entry(struct ini_lines *lines)
{
	size_t room = lines->room ? lines->room * 2 : 64;
	struct ini_entry *v;

	if (lines->n == lines->room) {
		v = reallocarray(lines->v, room, sizeof(*v));
		if (!v)
			return NULL;
		lines->v = v;
		lines->room = room;
	}
	lines->v[lines->n] = (struct ini_entry){0};
	return &lines->v[lines->n++];
}

/* inih has seen "N=1" (or, where a section opens, is about to): the entry is in t->line. */
static int on_option(void *user, const char *section, const char *name, const char *value)
{
	struct text *t = user;
	struct ini_lines *lines = t->lines;
	const char *equals = strchr(t->line, '=');
	struct span key =
		trim(equals ? span_of(t->line, (size_t)(equals - t->line)) : span_str(t->line));
	struct span text = equals ? trim(span_str(equals + 1)) : SPAN("");
	struct ini_entry *e;

	(void)name, (void)value;
	if (t->r < 0)
		return 0;
	if (key.n == 0) {
		t->r = forgive(t, fail(t, -EINVAL, "there is no key before ="));
		return t->r == 0;
	}
	e = add_entry(lines);
	if (!e)
		return fail(t, -ENOMEM, "out of memory") == 0;
	e->section = *section ? lines->sections[lines->sections_n - 1].name : "";
	e->line = t->number;
	e->has_value = equals != NULL;
	e->key = strndup(key.p, key.n);
	e->value = strndup(text.p, text.n);
	if (!e->key || !e->value)
		return fail(t, -ENOMEM, "out of memory") == 0;
	return 1;
}

/* inih tells of sections only with their first option; ours must exist before, and empty ones too. */
static char *read_and_section(char *str, int num, void *stream)
{
	struct text *t = stream;
	char *line = on_read(str, num, stream);

	if (line && t->line && line[0] == '[' && strchr(line, ']') && add_section(t) < 0)
		return NULL;
	return line;
}

static struct span skip_bom(struct span s)
{
	static const char bom[] = "\xef\xbb\xbf";

	return span_starts(s, span_str(bom)) ? span_skip(s, 3) : s;
}

int ini_lines_read(const char *bytes, size_t n, const char *file, const struct ini_magic *magic,
		   struct ini_lines *ret, struct inifile_notes *notes, struct inifile_notes *errors,
		   struct err *err)
{
	struct ini_lines lines = {0};
	struct text t = {
		.file = file,
		.magic = magic,
		.rest = skip_bom(span_of(bytes, n)),
		.lines = &lines,
		.notes = notes,
		.errors = errors,
		.err = err,
	};
	int bad;

	if (n > LIMIT_INI_BYTES)
		return err_set(err, -E2BIG, "%s: %zu bytes, an ini has at most %d", file, n,
			       LIMIT_INI_BYTES);
	bad = ini_parse_stream(read_and_section, &t, on_option, &t);
	free(t.line);
	if (t.r == 0 && bad > 0)
		t.r = forgive(&t, err_set(err, -EINVAL, "%s:%d: a section's name ends with ]", file,
					  bad));
	else if (t.r == 0 && bad < 0)
		t.r = err_set(err, -ENOMEM, "out of memory");
	if (t.r < 0) {
		ini_lines_done(&lines);
		return t.r;
	}
	*ret = lines;
	return 0;
}

void ini_lines_done(struct ini_lines *lines)
{
	for (size_t i = 0; i < lines->n; i++) {
		free(lines->v[i].key);
		free(lines->v[i].value);
	}
	for (size_t i = 0; i < lines->sections_n; i++)
		free(lines->sections[i].name);
	free(lines->v);
	free(lines->sections);
	*lines = (struct ini_lines){0};
}
