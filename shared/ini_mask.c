/*
 * ini_mask - see ini_mask.h. Only lines, first equals signs and blanks mean something here: what the dialect makes of them
 * (sections, conditions, variables) changes nothing about what is a secret.
 */
#include "shared/ini_mask.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "shared/buf.h"

#define CUT_TEXT 64 /* for the comment about what was left out */

struct mask {
	struct buf *out;
	size_t limit;
	bool full; /* what was to be put last found no room */
	int r;
};

static void put(struct mask *m, const char *p, size_t n)
{
	if (m->full || m->r < 0 || n == 0)
		return;
	if (n > m->limit - MIN(m->out->n, m->limit))
		m->full = true;
	else
		m->r = buf_append(m->out, p, n, m->limit);
}

static void put_mask(struct mask *m)
{
	put(m, INI_MASK, sizeof(INI_MASK) - 1);
}

static bool is_blank(char c)
{
	return c != '\0' && strchr(" \t\r\f\v", c);
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'';
}

static struct span trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = span_skip(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* Is the end of s one of the words that a secret's name has in it? */
static bool ends_secret(struct span s)
{
	static const char *const words[] = {"pass",   "pwd",    "secret",     "token",
					    "key",    "auth",   "credential", "private",
					    "bearer", "cookie", "salt",       "dsn"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);

		if (n <= s.n && strncasecmp(s.p + s.n - n, words[i], n) == 0)
			return true;
	}
	return false;
}

static bool is_secret(struct span name)
{
	for (size_t n = 1; n <= name.n; n++)
		if (ends_secret(span_of(name.p, n)))
			return true;
	return false;
}

static bool is_any(struct span key, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (key.n == strlen(names[i]) && strncasecmp(key.p, names[i], key.n) == 0)
			return true;
	return false;
}

static bool is_env(struct span key)
{
	static const char *const names[] = {"env", "ienv"};

	return is_any(key, names, ARRAY_SIZE(names));
}

/* "set = key=value" is an entry in an entry. */
static bool is_set(struct span key)
{
	static const char *const names[] = {"set", "set-placeholder", "set-ph"};

	return is_any(key, names, ARRAY_SIZE(names));
}

/* -- values --------------------------------------------------------------------------------------------- */

/* How much of s is one value: up to its closing quote, or to a blank or one of the ends. */
static size_t value_length(struct span s, const char *ends)
{
	size_t n = 0;

	if (s.n > 0 && is_quote(s.p[0])) {
		const char *close = memchr(s.p + 1, s.p[0], s.n - 1);

		return close ? (size_t)(close - s.p) + 1 : s.n;
	}
	while (n < s.n && !is_blank(s.p[n]) && !(s.p[n] && strchr(ends, s.p[n])))
		n++;
	return n;
}

/* Where the user part of a URL ends that begins at s; 0: it has none. *ret_end: where the URL does. */
static size_t userinfo_length(struct span s, size_t *ret_end)
{
	size_t found = 0;
	size_t i = 0;

	for (; i < s.n && !is_blank(s.p[i]) && !is_quote(s.p[i]); i++)
		if (s.p[i] == '@')
			found = i;
	*ret_end = i;
	return found;
}

/* A value as it is read, each byte once: whoever wrote it decides how long it is, and the emperor reads it. */
struct reader {
	struct span text;
	size_t at;
	size_t name_at; /* of the name that goes on up to at */
	bool secret;    /* that name is one of a secret's, as far as it was read */
	size_t url_end; /* before that there is no user part that has not been seen */
};

static bool ends_name(char c)
{
	return is_blank(c) || (c && strchr("=&,;?(){}[]", c));
}

static void advance(struct reader *r, size_t to)
{
	for (; r->at < to; r->at++) {
		if (ends_name(r->text.p[r->at])) {
			r->name_at = r->at + 1;
			r->secret = false;
		} else if (!r->secret) {
			r->secret = ends_secret(
				span_of(r->text.p + r->name_at, r->at + 1 - r->name_at));
		}
	}
}

static size_t skip_blanks(struct span text, size_t at)
{
	while (at < text.n && is_blank(text.p[at]))
		at++;
	return at;
}

/* "Bearer x" names its secret with a blank between, wherever it stands. */
static bool is_scheme(struct span name)
{
	static const char *const names[] = {"bearer"};

	while (name.n > 0 && is_quote(name.p[0]))
		name = span_skip(name, 1);
	return is_any(name, names, ARRAY_SIZE(names));
}

/* After what was read so far, is the next thing a secret? Then it begins at the result, else 0. */
static size_t secret_after(const struct reader *r)
{
	struct span text = r->text;
	size_t next;
	char c = text.p[r->at];

	if (!r->secret || (c != '=' && c != ':' && !is_blank(c)))
		return 0;
	/* --password x */
	if (is_blank(c) && text.p[r->name_at] != '-' &&
	    !is_scheme(span_of(text.p + r->name_at, r->at - r->name_at)))
		return 0;
	next = skip_blanks(text, r->at + 1);
	/* another option: this one was a switch */
	if (next >= text.n || (is_blank(c) && text.p[next] == '-'))
		return 0;
	return next;
}

/* What begins at next, behind r->at. A header's value has blanks ("Authorization: Basic x"): to its quote, or the end. */
static size_t secret_length(const struct reader *r, size_t next)
{
	struct span rest = span_skip(r->text, next);
	size_t n = 0;

	if (r->text.p[r->at] != ':' || next == r->at + 1 || is_quote(rest.p[0]))
		return MAX(value_length(rest, "&"), (size_t)1);
	while (n < rest.n && !is_quote(rest.p[n]))
		n++;
	return n;
}

/*
 * Flags of one letter behind which well-known programs (mysql, redis-cli, ldapsearch, curl, smbclient) take a secret.
 * Others mean something else by them, and lose a port or a name here.
 */
static const struct flag {
	const char *name;
	bool glued;       /* -pSECRET too */
	bool numbers;     /* a number may be one: not where it is a count elsewhere */
	const char *with; /* only if one of these is in it: "user:password" */
} flags[] = {
	{"-pw", false, true, NULL}, {"-p", true, true, NULL},  {"-a", false, true, NULL},
	{"-w", false, false, NULL}, {"-u", true, false, ":%"}, {"-U", true, false, ":%"},
};

static bool has_any(struct span s, const char *of)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] && strchr(of, s.p[i]))
			return true;
	return false;
}

static bool is_number(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n == s.n;
}

/* What flag hides, if it stands where a word begins: *ret_n bytes from the result on; 0: nothing. */
static size_t flagged_by(const struct flag *f, struct span text, size_t at, size_t *ret_n)
{
	size_t n = strlen(f->name);
	size_t next = at + n;
	struct span value;

	if (next >= text.n || memcmp(text.p + at, f->name, n) != 0 ||
	    (!f->glued && !is_blank(text.p[next])))
		return 0;
	next = skip_blanks(text, next);
	if (next >= text.n || (next > at + n && text.p[next] == '-'))
		return 0;
	value = span_of(text.p + next, value_length(span_skip(text, next), ""));
	if ((f->with && !has_any(value, f->with)) || (!f->numbers && is_number(value)))
		return 0;
	*ret_n = value.n;
	return next;
}

static size_t flagged(const struct reader *r, size_t *ret_n)
{
	size_t next = 0;

	if (r->text.p[r->at] != '-' || (r->at > 0 && !is_blank(r->text.p[r->at - 1])))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(flags) && next == 0; i++)
		next = flagged_by(&flags[i], r->text, r->at, ret_n);
	return next;
}

static size_t user_after(struct reader *r)
{
	size_t user, end;

	if (r->at < r->url_end)
		return 0;
	user = userinfo_length(span_skip(r->text, r->at + 3), &end);
	r->url_end = r->at + 3 + end;
	return user;
}

/* What a value holds beside secrets is of use to who reads it. */
static void put_value(struct mask *m, struct span text)
{
	struct reader r = {.text = text};

	while (r.at < text.n && !m->full) {
		bool url = r.at + 3 <= text.n && memcmp(text.p + r.at, "://", 3) == 0;
		size_t user = url ? user_after(&r) : 0;
		size_t n = 0;
		size_t secret = url ? 0 : flagged(&r, &n);

		if (secret == 0 && !url) {
			secret = secret_after(&r);
			n = secret > 0 ? secret_length(&r, secret) : 0;
		}

		if (user > 0) {
			put(m, "://", 3);
			put_mask(m);
			advance(&r, r.at + 3 + user);
		} else if (secret > 0) {
			put(m, text.p + r.at, secret - r.at);
			put_mask(m);
			advance(&r, secret + n);
		} else {
			put(m, text.p + r.at, url ? 3 : 1);
			advance(&r, r.at + (url ? 3 : 1));
		}
	}
}

/* -- lines ---------------------------------------------------------------------------------------------- */

static void put_entry(struct mask *m, struct span text, bool inner)
{
	const char *equals = memchr(text.p, '=', text.n);
	size_t key_n = equals ? (size_t)(equals - text.p) : text.n;
	struct span key = trim(span_of(text.p, key_n));
	struct span value;
	size_t blanks = 0;

	if (!equals) {
		put_value(m, text);
		return;
	}
	value = span_skip(text, key_n + 1);
	while (blanks < value.n && is_blank(value.p[blanks]))
		blanks++;
	put(m, text.p, key_n + 1 + blanks);
	value = trim(value);
	if (value.n == 0)
		return;
	if (is_secret(key)) {
		put_mask(m);
	} else if (is_env(key)) {
		const char *end = memchr(value.p, '=', value.n);

		put(m, value.p, end ? (size_t)(end - value.p) + 1 : value.n);
		if (end)
			put_mask(m);
	} else if (is_set(key) && !inner) {
		put_entry(m, value, is_set(trim(span_of(value.p, value_length(value, "=")))));
	} else {
		put_value(m, value);
	}
}

static void put_line(struct mask *m, struct span line)
{
	struct span rest = trim(line);
	size_t marks = 0;

	if (rest.n == 0)
		return;
	while (marks < rest.n && (strchr(";#", rest.p[marks]) || is_blank(rest.p[marks])) &&
	       rest.p[marks])
		marks++;
	put(m, line.p, (size_t)(rest.p - line.p) + marks);
	rest = span_skip(rest, marks);
	/* Prose that speaks of a secret may hold it anywhere. */
	if (marks > 0 && !memchr(rest.p, '=', rest.n) && is_secret(rest))
		put_mask(m);
	else
		put_entry(m, rest, false);
}

int ini_mask(struct span bytes, size_t limit, struct buf *out)
{
	struct mask m = {.out = out, .limit = limit - MIN(limit, (size_t)CUT_TEXT)};
	size_t all = bytes.n;
	char text[CUT_TEXT];

	while (bytes.n > 0 && !m.full && m.r == 0) {
		const char *end = memchr(bytes.p, '\n', bytes.n);
		size_t n = end ? (size_t)(end - bytes.p) : bytes.n;
		size_t before = out->n;

		put_line(&m, span_of(bytes.p, n));
		put(&m, "\n", end ? 1 : 0);
		if (m.full)
			out->n = before;
		bytes = span_skip(bytes, MIN(n + 1, bytes.n));
	}
	if (!m.full || m.r < 0)
		return m.r;
	m = (struct mask){.out = out, .limit = limit};
	put(&m, text, (size_t)snprintf(text, sizeof(text), "; cut here: %zu bytes in all\n", all));
	return m.r;
}
