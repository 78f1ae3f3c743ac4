/*
 * inifile_value - what stands inside values: $(ENV), then @(file), then %(name), in that order over the whole value, as
 * uWSGI does it. A %(name) is the first value of that key, itself expanded; a name of nobody's stays as it is, because
 * log-format uses the same signs. Each item is expanded once and remembered, so that names within names cost no more
 * than the items there are.
 */
#include <errno.h>
#include <stdio.h>

#include "shared/err.h"
#include "shared/inifile_parts.h"
#include "shared/span.h"

enum state { RAW, BUSY, DONE, BAD };

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory");
}

static int add(struct buf *out, const char *p, size_t n, struct err *err)
{
	int r = buf_append(out, p, n, LIMIT_INI_LINE);

	if (r == -ENOMEM)
		return no_memory(err);
	return r < 0 ? err_set(err, -E2BIG, "longer than %d bytes once it is expanded",
			       LIMIT_INI_LINE)
		     : 0;
}

int ini_value_spend(struct ini_run *run, size_t n, struct err *err)
{
	run->bytes += n; /* a value is at most LIMIT_INI_LINE, so this cannot overflow */
	return run->bytes > LIMIT_CONFIG_BLOB
		       ? err_set(err, -E2BIG, "all values together are longer than %d bytes",
				 LIMIT_CONFIG_BLOB)
		       : 0;
}

static int finish(struct buf *out, char **ret, struct err *err)
{
	if (buf_append(out, "", 1, LIMIT_INI_LINE + 1) < 0) {
		buf_done(out);
		return no_memory(err);
	}
	*ret = out->p;
	return 0;
}

/*
 * The ')' that belongs to the "(" before p; NULL if there is none near: a line of nothing but "%(" must not be searched
 * to its end for each of them.
 */
static const char *closing(const char *p)
{
	const char *end = p + strnlen(p, INI_PARENTHESIS_MAX);
	unsigned depth = 1;

	for (; p < end; p++) {
		if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p;
	}
	return NULL;
}

/*
 * Copies value, with what fn makes of each sign + "(...)". fn appends to out and returns 1, or 0 for "leave it", or an
 * error.
 */
typedef int replace_fn(void *arg, struct span inside, struct buf *out, struct err *err);

static int replace(const char *value, char sign, replace_fn *fn, void *arg, char **ret,
		   struct err *err)
{
	struct buf out = {0};
	const char *p = value;
	int r = 0;

	while (*p && r >= 0) {
		const char *end = p[0] == sign && p[1] == '(' ? closing(p + 2) : NULL;

		r = end ? fn(arg, span_of(p + 2, (size_t)(end - p - 2)), &out, err) : 0;
		if (r == 0)
			r = add(&out, p, 1, err);
		else
			p = end;
		p++;
	}
	if (r < 0) {
		buf_done(&out);
		return r;
	}
	return finish(&out, ret, err);
}

/* -- $(ENV) --------------------------------------------------------------------------------------------- */

const char *ini_value_env(char *const *environ_now, struct span name)
{
	for (; environ_now && *environ_now; environ_now++)
		if (strncmp(*environ_now, name.p, name.n) == 0 && (*environ_now)[name.n] == '=')
			return *environ_now + name.n + 1;
	return NULL;
}

static int on_env(void *arg, struct span inside, struct buf *out, struct err *err)
{
	const struct ini_run *run = arg;
	const char *dash = memmem(inside.p, inside.n, ":-", 2);
	struct span name = dash ? span_of(inside.p, (size_t)(dash - inside.p)) : inside;
	const char *value = name.n > 0 ? ini_value_env(run->facts->environ, name) : NULL;
	struct span fallback;
	int r;

	if (value && (*value || !dash)) {
		r = add(out, value, strlen(value), err);
	} else if (dash) {
		fallback = span_skip(inside, name.n + 2);
		r = add(out, fallback.p, fallback.n, err);
	} else {
		return 0; /* stays; what it means is the option's to say */
	}
	return r < 0 ? r : 1;
}

/* -- @(file) -------------------------------------------------------------------------------------------- */

struct file_arg {
	struct ini_run *run;
	const char *dir;
};

static int on_file(void *arg, struct span inside, struct buf *out, struct err *err)
{
	const struct file_arg *f = arg;
	char *path = strndup(inside.p, inside.n);
	char *bytes = NULL;
	size_t n = 0;
	int r;

	if (!path)
		return no_memory(err);
	if (strstr(path, "://"))
		r = err_set(err, -EOPNOTSUPP, "@(%s): only files are read", path);
	else
		r = ini_value_file(f->run, path, f->dir, &bytes, &n, err);
	free(path);
	if (r == 0 && bytes && memchr(bytes, '\0', n))
		r = err_set(err, -EINVAL, "@(%.*s): not a text file", (int)inside.n, inside.p);
	while (r == 0 && bytes && n > 0 && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r'))
		n--;
	if (r == 0 && bytes)
		r = add(out, bytes, n, err);
	free(bytes);
	return r < 0 ? r : 1;
}

/* -- %(name) -------------------------------------------------------------------------------------------- */

static int expand_item(struct ini_run *run, size_t i, const char *dir, struct err *err);

struct name_arg {
	struct ini_run *run;
	const char *dir;
	bool now; /* a value that is needed before all items are known */
};

/* The first value of a key, expanded; borrowed. 0: there is no such key. */
static int look_up(const struct name_arg *a, struct span name, const char **ret, struct err *err)
{
	struct config_items *items = &a->run->items;
	struct config_item *first = NULL;
	int r;

	if (a->run->expansions++ >= INI_EXPANSIONS_MAX)
		return err_set(err, -E2BIG, "more than %d names in %%()", INI_EXPANSIONS_MAX);
	for (size_t i = 0; i < items->n; i++) {
		if (!span_eq(span_str(items->v[i].key), name))
			continue;
		items->v[i].used = true;
		first = first ? first : &items->v[i];
	}
	if (!first)
		return 0;
	r = a->now ? 0 : expand_item(a->run, (size_t)(first - items->v), a->dir, err);
	*ret = first->value;
	return r < 0 ? r : 1;
}

struct formula { /* "a + 1", "base name", "(%k * 2) + 1": left to right, blanks between */
	const struct name_arg *arg;
	struct span rest;
	unsigned depth;
	bool known; /* everything so far was a name, a number or a sign */
};

static bool to_number(const char *text, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0';
}

static struct span next_token(struct formula *f)
{
	struct span s = span_trim(f->rest);
	size_t n = 0;

	if (s.n > 0 && s.p[0] == '(') {
		const char *end = closing(s.p + 1);

		n = end && (size_t)(end - s.p) < s.n ? (size_t)(end - s.p) + 1 : s.n;
	}
	while (n < s.n && s.p[n] != ' ' && s.p[n] != '\t')
		n++;
	f->rest = span_skip(s, n);
	return span_of(s.p, n);
}

static int evaluate(const struct name_arg *arg, struct span text, unsigned depth, char **ret,
		    bool *ret_known, struct err *err);

/* The value of one token; the caller's. */
static int term(struct formula *f, struct span token, char **ret, struct err *err)
{
	const char *value = NULL;
	int64_t number;
	int r;

	if (token.n > 1 && token.p[0] == '%' && token.p[1] == '(')
		token = span_skip(token, 1);
	if (token.n > 1 && token.p[0] == '(' && token.p[token.n - 1] == ')')
		return evaluate(f->arg, span_of(token.p + 1, token.n - 2), f->depth + 1, ret,
				&f->known, err);
	r = look_up(f->arg, token, &value, err);
	if (r < 0)
		return r;
	*ret = value ? strdup(value) : strndup(token.p, token.n);
	if (!*ret)
		return no_memory(err);
	if (!value && !to_number(*ret, &number))
		f->known = false;
	return 0;
}

static int calculate(int64_t a, char sign, int64_t b, int64_t *ret, struct err *err)
{
	bool over = false;

	switch (sign) {
	case '+':
		over = __builtin_add_overflow(a, b, ret);
		break;
	case '-':
		over = __builtin_sub_overflow(a, b, ret);
		break;
	case '*':
		over = __builtin_mul_overflow(a, b, ret);
		break;
	default:
		if (b == 0)
			return err_set(err, -EDOM, "division by zero");
		over = a == INT64_MIN && b == -1;
		*ret = over ? 0 : a / b;
	}
	return over ? err_set(err, -ERANGE, "the result is too large") : 0;
}

/* *value = *value sign operand. Text that is no number counts as 0, as in uWSGI. */
static int apply_sign(char **value, char sign, const char *operand, struct err *err)
{
	int64_t a, b;
	int64_t result = 0;
	char *text;
	int r;

	if (!to_number(*value, &a))
		a = 0;
	if (!to_number(operand, &b))
		b = 0;
	r = calculate(a, sign, b, &result, err);
	if (r < 0)
		return r;
	if (asprintf(&text, "%lld", (long long)result) < 0)
		return no_memory(err);
	free(*value);
	*value = text;
	return 0;
}

static int concatenate(char **value, const char *more, struct err *err)
{
	char *text;

	if (strlen(*value) + strlen(more) > LIMIT_INI_LINE)
		return err_set(err, -E2BIG, "longer than %d bytes once it is expanded",
			       LIMIT_INI_LINE);
	if (asprintf(&text, "%s%s", *value, more) < 0)
		return no_memory(err);
	free(*value);
	*value = text;
	return 0;
}

static bool is_sign(struct span token)
{
	return token.n == 1 && strchr("+-*/", token.p[0]);
}

/* One step after the first term: a sign and its operand, ++ or --, or a term to put behind. */
static int step(struct formula *f, char **value, struct err *err)
{
	struct span token = next_token(f);
	char *operand = NULL;
	char sign = 0;
	int r;

	if (span_eq(token, SPAN("++")) || span_eq(token, SPAN("--")))
		return apply_sign(value, token.p[0], "1", err);
	if (is_sign(token)) {
		sign = token.p[0];
		token = next_token(f);
		f->known = f->known && token.n > 0;
	}
	r = term(f, token, &operand, err);
	if (r == 0 && f->known && operand)
		r = sign ? apply_sign(value, sign, operand, err) : concatenate(value, operand, err);
	free(operand);
	return r;
}

static int evaluate(const struct name_arg *arg, struct span text, unsigned depth, char **ret,
		    bool *ret_known, struct err *err)
{
	struct formula f = {.arg = arg, .rest = text, .depth = depth, .known = true};
	char *value = NULL;
	int r;

	if (depth > INI_NESTING_MAX)
		return err_set(err, -E2BIG, "parentheses deeper than %d", INI_NESTING_MAX);
	r = term(&f, next_token(&f), &value, err);
	while (r == 0 && value && f.known && span_trim(f.rest).n > 0)
		r = step(&f, &value, err);
	if (r < 0) {
		free(value);
		return r;
	}
	*ret = value;
	if (!f.known)
		*ret_known = false;
	return 0;
}

static int on_name(void *arg, struct span inside, struct buf *out, struct err *err)
{
	const struct name_arg *a = arg;
	const char *value = NULL;
	char *text = NULL;
	bool known = true;
	int r = look_up(a, inside, &value, err);

	if (r != 0) { /* keys may hold blanks: a whole name counts before a formula */
		if (r > 0)
			r = add(out, value, strlen(value), err);
		return r < 0 ? r : 1;
	}
	if (!memchr(inside.p, ' ', inside.n) && !memchr(inside.p, '\t', inside.n))
		return 0;
	r = evaluate(a, inside, 0, &text, &known, err);
	if (r == 0 && known)
		r = add(out, text, strlen(text), err);
	free(text);
	if (r < 0)
		return r;
	return known;
}

/* -- whole values --------------------------------------------------------------------------------------- */

static int expand(struct ini_run *run, const char *value, const char *dir, bool now, char **ret,
		  struct err *err)
{
	struct file_arg file = {run, dir};
	struct name_arg name = {run, dir, now};
	char *a = NULL;
	char *b = NULL;
	int r = replace(value, '$', on_env, run, &a, err);

	if (r == 0 && a)
		r = replace(a, '@', on_file, &file, &b, err);
	if (r == 0 && b)
		r = replace(b, '%', on_name, &name, ret, err);
	free(a);
	free(b);
	return r;
}

static int expand_item(struct ini_run *run, size_t i, const char *dir, struct err *err)
{
	struct config_item *item = &run->items.v[i];
	char *value = NULL;
	int r;

	if (run->state[i] == DONE || run->state[i] == BAD) /* has been told */
		return 0;
	if (run->state[i] == BUSY)
		return err_set(err, -ELOOP, "%%(%s) refers to itself", item->key);
	run->state[i] = BUSY;
	r = expand(run, item->value, dir, false, &value, err);
	if (r == 0 && value)
		r = ini_value_spend(run, strlen(value), err);
	if (r < 0 || !value) {
		free(value);
		return r;
	}
	free(item->value);
	item->value = value;
	run->state[i] = DONE;
	return 0;
}

int ini_value_now(struct ini_run *run, const char *value, const char *dir, char **ret,
		  struct err *err)
{
	return expand(run, value, dir, true, ret, err);
}

/* What a bad value was to mean is not known: nothing else is to be said of it. */
static void drop_bad(struct ini_run *run)
{
	struct config_items *items = &run->items;
	size_t kept = 0;

	for (size_t i = 0; i < items->n; i++) {
		struct config_item *item = &items->v[i];

		if (run->state[i] != BAD) {
			items->v[kept++] = *item;
			continue;
		}
		free(item->key);
		free(item->value);
		free(item->file);
	}
	items->n = kept;
}

int ini_value_all(struct ini_run *run, const char *dir, struct err *err)
{
	int r = 0;

	run->bytes = 0;
	run->state = calloc(run->items.n + 1, 1);
	if (!run->state)
		return no_memory(err);
	for (size_t i = 0; i < run->items.n && r == 0; i++) {
		const struct config_item *item = &run->items.v[i];

		r = expand_item(run, i, dir, err);
		if (r < 0) {
			(void)err_prefix(err, "%s:%u: %s", item->file, item->line, item->key);
			run->state[i] = BAD;
			r = ini_forgive(run, r, err);
		}
	}
	drop_bad(run);
	free(run->state);
	run->state = NULL;
	return r;
}

char *ini_value_underscore(const char *value, const char *item)
{
	static const char sign[] = "%(_)";
	struct buf out = {0};
	const char *at;
	int r = 0;

	while ((at = strstr(value, sign)) && r == 0) {
		r = buf_append(&out, value, (size_t)(at - value), LIMIT_INI_LINE);
		if (r == 0)
			r = buf_append(&out, item, strlen(item), LIMIT_INI_LINE);
		value = at + sizeof(sign) - 1;
	}
	if (r == 0)
		r = buf_append(&out, value, strlen(value) + 1, LIMIT_INI_LINE + 1);
	if (r < 0)
		buf_done(&out);
	return out.p;
}
