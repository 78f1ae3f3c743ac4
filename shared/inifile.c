/*
 * inifile - see inifile.h. Three steps: bytes to lines (inifile_lines.c); the lines of the wanted section are run in
 * order, which follows conditions, loops and includes and collects items; then the values of all items are expanded
 * (inifile_value.c). Nothing is known of options here.
 */
#include "shared/inifile.h"

#include <errno.h>
#include <stdio.h>

#include "shared/err.h"
#include "shared/inifile_parts.h"
#include "shared/span.h"

struct source {              /* a file that is being run, or one of its sections */
	const char *name;    /* for messages */
	const char *dir;     /* what relative paths start from, with its slash */
	const char *section; /* NULL: [vassal] and [uwsgi] */
	const struct ini_lines *lines;
	const struct ini_magic *magic;
	const struct source *from;  /* what included it */
	const struct ini_entry **v; /* the section's entries */
	size_t n;
	unsigned depth;
};

static int run_range(struct ini_run *run, const struct source *s, size_t from, size_t to,
		     const char *item, unsigned depth, struct err *err);
static int run_file(struct ini_run *run, const struct source *parent, const char *path,
		    const char *section, bool inherit, struct err *err);

static int fail(const struct source *s, const struct ini_entry *e, struct err *err, int r,
		const char *what)
{
	return err_set(err, r, "%s:%u: %s: %s", s->name, e->line, e->key, what);
}

static int prefix(const struct source *s, const struct ini_entry *e, struct err *err, int r)
{
	(void)err_prefix(err, "%s:%u: %s", s->name, e->line, e->key);
	return r;
}

/* -- sections ------------------------------------------------------------------------------------------- */

static bool is_wanted(const char *section, const char *wanted)
{
	if (wanted)
		return str_eq(section, wanted);
	return str_eq(section, "vassal") || str_eq(section, "uwsgi");
}

static bool has_section(const struct ini_lines *lines, const char *wanted)
{
	for (size_t i = 0; i < lines->sections_n; i++)
		if (is_wanted(lines->sections[i].name, wanted))
			return true;
	return false;
}

/* An emperor.ini of uWSGI's has what is wanted, below another heading. */
static const struct ini_section *misnamed(const struct source *s)
{
	for (size_t i = 0; i < s->lines->sections_n; i++)
		if (s->section && str_eq(s->section, "emperor") &&
		    is_wanted(s->lines->sections[i].name, NULL))
			return &s->lines->sections[i];
	return NULL;
}

static int no_section(const struct source *s, struct err *err)
{
	const struct ini_section *other = misnamed(s);
	const char *bare =
		s->lines->n > 0 && s->lines->sections_n == 0 ? "; options stand below one" : "";

	if (other)
		return err_set(err, -EINVAL,
			       "%s:%u: [%s] is an app's section: the emperor's is called [%s], "
			       "rename it",
			       s->name, other->line, other->name, s->section);
	if (s->section)
		return err_set(err, -EINVAL, "%s: there is no section [%s]%s", s->name, s->section,
			       bare);
	return err_set(err, -EINVAL, "%s: there is neither a section [vassal] nor [uwsgi]%s",
		       s->name, bare);
}

/* Including what is being included; ":section" of the same file is a place of its own. */
static bool is_loop(const struct source *s)
{
	for (const struct source *p = s->from; p; p = p->from)
		if (str_eq(p->name, s->name) &&
		    (p->section && s->section ? str_eq(p->section, s->section)
					      : p->section == s->section))
			return true;
	return false;
}

static int run_section(struct ini_run *run, struct source *s, struct err *err)
{
	int r;

	if (s->depth > LIMIT_INI_DEPTH || is_loop(s))
		return err_set(err, -ELOOP, "%s includes itself, or too deep", s->name);
	if (!has_section(s->lines, s->section))
		return no_section(s, err);
	s->v = calloc(s->lines->n + 1, sizeof(const struct ini_entry *));
	if (!s->v)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < s->lines->n; i++)
		if (is_wanted(s->lines->v[i].section, s->section))
			s->v[s->n++] = &s->lines->v[i];
	r = run_range(run, s, 0, s->n, NULL, 0, err);
	free(s->v);
	return r;
}

/* -- one line ------------------------------------------------------------------------------------------- */

/* "other.ini", "other.ini:section", ":section". */
static int run_include(struct ini_run *run, const struct source *s, const struct ini_entry *e,
		       const char *value, struct err *err)
{
	const char *colon = strrchr(value, ':');
	const char *section = colon && !strchr(colon, '/') ? colon + 1 : NULL;
	struct source other;
	char *path;
	int r;

	if (strstr(value, "://"))
		return fail(s, e, err, -EOPNOTSUPP, "only files are included");
	if (*value == '\0')
		return fail(s, e, err, -EINVAL, "a file is missing");
	if (section == value + 1) {
		other = *s;
		other.section = section;
		other.from = s;
		other.n = 0;
		other.depth = s->depth + 1;
		r = run_section(run, &other, err);
		return r < 0 ? prefix(s, e, err, r) : 0;
	}
	path = strndup(value, section ? (size_t)(colon - value) : strlen(value));
	if (!path)
		return err_set(err, -ENOMEM, "out of memory");
	r = run_file(run, s, path, section, ini_logic_word(e->key) == INI_INHERIT, err);
	free(path);
	return r < 0 ? prefix(s, e, err, r) : 0;
}

/* "set = key=value", "set-placeholder = key=value". */
static int run_set(struct ini_run *run, const struct source *s, const struct ini_entry *e,
		   const char *value, struct err *err)
{
	const char *equals = strchrnul(value, '=');
	struct span key = span_trim(span_of(value, (size_t)(equals - value)));
	char *name = strndup(key.p, key.n);
	int r;

	if (!name)
		return err_set(err, -ENOMEM, "out of memory");
	if (key.n == 0)
		r = err_set(err, -EINVAL, "a key is missing");
	else
		r = ini_value_spend(run, strlen(value), err);
	if (r == 0 && key.n > 0)
		r = config_items_add(&run->items, name,
				     *equals ? span_trim(span_str(equals + 1)).p : "", s->name,
				     e->line, *equals == '=', err);
	free(name);
	if (r < 0)
		return prefix(s, e, err, r);
	if (ini_logic_word(e->key) == INI_PLACEHOLDER)
		run->items.v[run->items.n - 1].used = true;
	return 0;
}

static int run_option(struct ini_run *run, const struct source *s, const struct ini_entry *e,
		      const char *item, struct err *err)
{
	char *value = ini_value_underscore(e->value, item ? item : "%(_)");
	enum ini_word word = ini_logic_word(e->key);
	char *now = NULL;
	int r = 0;

	if (!value)
		return fail(s, e, err, -E2BIG, "too long with what %(_) is");
	if (word == INI_INCLUDE || word == INI_INHERIT) {
		r = ini_value_now(run, value, s->dir, &now, err);
		r = r < 0 ? prefix(s, e, err, r) : run_include(run, s, e, now, err);
	} else if (word == INI_SET || word == INI_PLACEHOLDER) {
		r = run_set(run, s, e, value, err);
	} else if (word == INI_OPTION) {
		r = ini_value_spend(run, strlen(value), err);
		if (r == 0)
			r = config_items_add(&run->items, e->key, value, s->name, e->line,
					     e->has_value, err);
		if (r < 0)
			(void)prefix(s, e, err, r);
	} else if (word != INI_NOTHING) {
		inifile_notes_add(run->notes, s->name, e->line,
				  "%s: nothing was opened that it ends", e->key);
	}
	free(now);
	free(value);
	return r;
}

/* -- blocks --------------------------------------------------------------------------------------------- */

struct block {
	size_t middle, end; /* the else (or the end), and the end */
};

static int find_block(const struct source *s, size_t at, size_t to, enum ini_word open,
		      enum ini_word close, struct block *ret, struct err *err)
{
	unsigned depth = 1;
	size_t middle = 0;

	for (size_t i = at + 1; i < to; i++) {
		enum ini_word word = ini_logic_word(s->v[i]->key);

		if (word == open)
			depth++;
		else if (word == INI_ELSE && open == INI_IF && depth == 1)
			middle = middle ? middle : i;
		else if (word == close && --depth == 0) {
			*ret = (struct block){middle ? middle : i, i};
			return 0;
		}
	}
	return fail(s, s->v[at], err, -EINVAL,
		    open == INI_IF ? "is never ended by endif" : "is never ended by endfor");
}

/* The value that a condition or a loop looks at. The caller's. */
static int block_value(struct ini_run *run, const struct source *s, const struct ini_entry *e,
		       const char *item, char **ret, struct err *err)
{
	char *value = ini_value_underscore(e->value, item ? item : "%(_)");
	int r;

	if (!value)
		return fail(s, e, err, -E2BIG, "too long with what %(_) is");
	r = ini_value_now(run, value, s->dir, ret, err);
	free(value);
	return r < 0 ? prefix(s, e, err, r) : 0;
}

static int run_if(struct ini_run *run, const struct source *s, size_t at, const struct block *b,
		  const char *item, unsigned depth, struct err *err)
{
	const struct ini_entry *e = s->v[at];
	char *value = NULL;
	char *inner = NULL;
	int r = block_value(run, s, e, item, &value, err);

	if (r < 0)
		return r;
	r = ini_logic_test(run, e->key, value, s->dir, &inner, err);
	if (r < 0)
		(void)prefix(s, e, err, r);
	else if (r)
		r = run_range(run, s, at + 1, b->middle, inner, depth + 1, err);
	else if (b->middle < b->end)
		r = run_range(run, s, b->middle + 1, b->end, inner, depth + 1, err);
	if (b->middle < b->end && r >= 0)
		inifile_notes_add(run->notes, s->name, s->v[b->middle]->line,
				  "else: uWSGI 2.0 does not know it and runs both halves");
	free(inner);
	free(value);
	return r;
}

static int run_for(struct ini_run *run, const struct source *s, size_t at, const struct block *b,
		   const char *item, unsigned depth, struct err *err)
{
	const struct ini_entry *e = s->v[at];
	struct option_list items = {0};
	char *value = NULL;
	int r = block_value(run, s, e, item, &value, err);

	if (r < 0)
		return r;
	r = ini_logic_items(run, e->key, value, s->dir, &items, err);
	if (r < 0)
		(void)prefix(s, e, err, r);
	for (size_t i = 0; i < items.n && r == 0; i++) {
		if (run->steps++ >= INI_STEPS_MAX) /* an empty body costs time too */
			r = fail(s, e, err, -E2BIG, "too many turns");
		else
			r = run_range(run, s, at + 1, b->end, items.v[i], depth + 1, err);
	}
	option_list_done(&items);
	free(value);
	return r;
}

/* A line, or the block it opens; *at moves past it. */
static int run_one(struct ini_run *run, const struct source *s, size_t *at, size_t to,
		   const char *item, unsigned depth, struct err *err)
{
	const struct ini_entry *e = s->v[*at];
	enum ini_word word = ini_logic_word(e->key);
	size_t i = *at;
	struct block b;
	int r;

	if (run->steps++ >= INI_STEPS_MAX || depth > INI_NESTING_MAX)
		return fail(s, e, err, -E2BIG, "loops or blocks are too long or too deep");
	*at = i + 1;
	if (word != INI_IF && word != INI_FOR)
		return run_option(run, s, e, item, err);
	r = find_block(s, i, to, word, word == INI_IF ? INI_ENDIF : INI_ENDFOR, &b, err);
	if (r < 0)
		return r;
	*at = b.end + 1;
	return word == INI_IF ? run_if(run, s, i, &b, item, depth, err)
			      : run_for(run, s, i, &b, item, depth, err);
}

static int run_range(struct ini_run *run, const struct source *s, size_t from, size_t to,
		     const char *item, unsigned depth, struct err *err)
{
	int r = 0;

	while (from < to && r >= 0)
		r = ini_forgive(run, run_one(run, s, &from, to, item, depth, err), err);
	return r < 0 ? r : 0;
}

/* -- files ---------------------------------------------------------------------------------------------- */

static int run_bytes(struct ini_run *run, struct source *s, const char *bytes, size_t n,
		     struct err *err)
{
	struct ini_lines lines = {0};
	int r = ini_lines_read(bytes, n, s->name, s->magic, &lines, run->notes, run->facts->errors,
			       err);

	if (r < 0)
		return r;
	s->lines = &lines;
	r = run_section(run, s, err);
	s->lines = NULL;
	ini_lines_done(&lines);
	return r;
}

/* inherit: a template, whose %d and %n are those of the file that includes it. */
static int run_file(struct ini_run *run, const struct source *parent, const char *path,
		    const char *section, bool inherit, struct err *err)
{
	struct ini_magic magic = {0};
	struct source s = {
		.name = path,
		.dir = parent->dir,
		.section = section,
		.magic = parent->magic,
		.from = parent,
		.depth = parent->depth + 1,
	};
	char *full = ini_value_path(path, parent->dir);
	char *bytes = NULL;
	size_t n = 0;
	int r = full ? 0 : err_set(err, -ENOMEM, "out of memory");

	if (r == 0)
		r = ini_value_file(run, path, parent->dir, &bytes, &n, err);
	if (r == 0 && !inherit) {
		r = ini_magic_fill(&magic, run->facts, full, parent->magic, err);
		s.magic = &magic;
		s.dir = magic.v['d'];
	}
	if (r == 0)
		r = run_bytes(run, &s, bytes, n, err);
	ini_magic_done(&magic);
	free(bytes);
	free(full);
	return r;
}

int inifile_parse(const char *bytes, size_t n, const struct inifile_facts *facts,
		  struct config_items *ret_items, struct inifile_notes *notes, struct err *err)
{
	const char *slash = strrchr(facts->path, '/');
	struct ini_run run = {.facts = facts, .notes = notes};
	struct ini_magic magic = {0};
	struct source s = {
		.name = slash ? slash + 1 : facts->path,
		.section = facts->section,
		.magic = &magic,
	};
	struct err own = {0};
	int r;

	if (!err)
		err = &own;
	r = ini_magic_fill(&magic, facts, facts->path, NULL, err);
	if (facts->sources)
		inifile_sources_done(facts->sources);
	if (r == 0) {
		s.dir = magic.v['d'];
		r = run_bytes(&run, &s, bytes, n, err);
	}
	if (r == 0)
		r = ini_value_all(&run, s.dir, err);
	ini_magic_done(&magic);
	if (r < 0) {
		config_items_done(&run.items);
		return r;
	}
	*ret_items = run.items;
	return 0;
}
