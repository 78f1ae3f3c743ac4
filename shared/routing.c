/*
 * routing - see routing.h. A line is "CONDITION ACTION": the first blank ends the condition, the first colon the action's
 * name. Everything behind that belongs to the action, blanks and colons included.
 */
#include "shared/routing.h"

#include <errno.h>

#include "shared/err.h"
#include "shared/limits.h"
#include "shared/pattern.h"
#include "shared/span.h"

static const struct {
	const char *option;
	enum routing_subject subject;
} subjects[] = {
	{"route", ROUTING_PATH},
	{"route-uri", ROUTING_URI},
	{"route-host", ROUTING_HOST},
	{"route-qs", ROUTING_QUERY},
	{"route-remote-addr", ROUTING_PEER},
	{"route-user-agent", ROUTING_AGENT},
	{"route-referer", ROUTING_REFERER},
	{"route-run", ROUTING_ALL},
	{"route-if", ROUTING_IF},
	{"route-if-not", ROUTING_UNLESS},
};

static const struct {
	const char *name;
	enum routing_test test;
} tests[] = {
	{"equal", ROUTING_EQUAL},   {"eq", ROUTING_EQUAL},          {"startswith", ROUTING_STARTS},
	{"endswith", ROUTING_ENDS}, {"contains", ROUTING_CONTAINS}, {"contain", ROUTING_CONTAINS},
	{"regexp", ROUTING_REGEXP}, {"re", ROUTING_REGEXP},         {"empty", ROUTING_EMPTY},
};

typedef int parse_fn(struct routing_rule *r, const char *arg, struct err *err);

static void text_done(struct routing_text *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i].text);
	free(t->v);
	*t = (struct routing_text){0};
}

static void rule_done(struct routing_rule *r)
{
	text_done(&r->left);
	text_done(&r->right);
	text_done(&r->text);
	free(r->pattern);
	free(r->name);
	free(r->realm);
	free(r->user);
	free(r->password);
	free(r->file);
	free(r->root);
	free(r->where);
}

static int copy(char **ret, const char *p, size_t n, struct err *err)
{
	char *s = strndup(p, n);

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	free(*ret);
	*ret = s;
	return 0;
}

/* -- texts ---------------------------------------------------------------------------------------------- */

static int add_piece(struct routing_text *t, enum routing_piece_kind kind, const char *p, size_t n,
		     struct err *err)
{
	struct routing_piece *v = reallocarray(t->v, t->n + 1, sizeof(*v));
	int r;

	if (!v)
		return err_set(err, -ENOMEM, "out of memory");
	t->v = v;
	v[t->n] = (struct routing_piece){.kind = kind};
	if (kind == ROUTING_GROUP)
		v[t->n].group = (unsigned)(*p - '0');
	r = kind == ROUTING_GROUP ? 0 : copy(&v[t->n].text, p, n, err);
	t->n += r == 0;
	return r;
}

static bool is_var_name(const char *p, size_t n)
{
	if (n == 0 || n >= LIMIT_ROUTING_VAR)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!(p[i] >= 'A' && p[i] <= 'Z') && !(p[i] >= '0' && p[i] <= '9') && p[i] != '_')
			return false;
	return true;
}

/* From "${": the variable. *p is left behind its brace. */
static int add_variable(struct routing_text *t, const char **p, struct err *err)
{
	const char *name = *p + 2;
	size_t n = strcspn(name, "}");

	if (name[n] != '}')
		return err_set(err, -EINVAL, "\"%s\" has no closing brace", *p);
	if (!is_var_name(name, n))
		return err_set(err, -EINVAL,
			       "${%.*s} is not a variable of the request here: ${HTTP_HOST}, "
			       "${REQUEST_URI} and the like are",
			       (int)n, name);
	*p = name + n + 1;
	return add_piece(t, ROUTING_VAR, name, n, err);
}

static int parse_text(struct routing_text *t, const char *s, struct err *err)
{
	int r = 0;

	while (*s && r == 0) {
		size_t n = strcspn(s, "$");

		if (t->n >= LIMIT_ROUTING_PIECES)
			return err_set(err, -EINVAL, "has more than %u parts",
				       LIMIT_ROUTING_PIECES);
		if (n > 0) {
			r = add_piece(t, ROUTING_TEXT, s, n, err);
			s += n;
		} else if (s[1] == '{') {
			r = add_variable(t, &s, err);
		} else if (s[1] >= '0' && s[1] <= '9') {
			r = add_piece(t, ROUTING_GROUP, s + 1, 1, err);
			s += 2;
		} else { /* a dollar is a dollar */
			r = add_piece(t, ROUTING_TEXT, s, 1, err);
			s++;
		}
	}
	return r;
}

static bool has_group(const struct routing_text *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].kind == ROUTING_GROUP)
			return true;
	return false;
}

/* -- actions -------------------------------------------------------------------------------------------- */

static int parse_nothing(struct routing_rule *r, const char *arg, struct err *err)
{
	(void)r;
	return *arg ? err_set(err, -EINVAL, "takes no value, not \"%s\"", arg) : 0;
}

/* uWSGI closes the connection without a word if there is no status; a client is owed one. */
static int parse_break(struct routing_rule *r, const char *arg, struct err *err)
{
	unsigned status = 0;

	r->status = 403;
	if (!*arg)
		return 0;
	for (unsigned i = 0; i < 3; i++)
		if (arg[i] < '0' || arg[i] > '9')
			return err_set(err, -EINVAL, "\"%s\" does not begin with a status", arg);
		else
			status = status * 10 + (unsigned)(arg[i] - '0');
	if (status < 200 || status > 599 || (arg[3] && arg[3] != ' '))
		return err_set(err, -EINVAL, "\"%s\" is not a status from 200 to 599", arg);
	r->status = status;
	return 0;
}

static int parse_redirect_to(struct routing_rule *r, const char *arg, struct err *err)
{
	if (!*arg)
		return err_set(err, -EINVAL, "does not say where to");
	return parse_text(&r->text, arg, err);
}

static int parse_redirect(struct routing_rule *r, const char *arg, struct err *err)
{
	r->status = 302;
	return parse_redirect_to(r, arg, err);
}

static int parse_permanent(struct routing_rule *r, const char *arg, struct err *err)
{
	r->status = 301;
	return parse_redirect_to(r, arg, err);
}

/* RFC 9110 5.6.2 */
static bool is_token(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] >= 127 || strchr("()<>@,;:\\\"/[]?={}", p[i]))
			return false;
	return n > 0;
}

/* What says where an answer ends, and how it travels, is the front's alone to say. */
static bool is_ours(const char *name)
{
	static const char *const names[] = {"Content-Length", "Transfer-Encoding", "Connection",
					    "Keep-Alive",     "Upgrade",           "Trailer"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_eq_nocase(span_str(name), span_str(names[i])))
			return true;
	return false;
}

static int parse_header(struct routing_rule *r, const char *arg, struct err *err)
{
	size_t n = strcspn(arg, ":");
	int e;

	if (arg[n] != ':' || !is_token(arg, n))
		return err_set(err, -EINVAL, "\"%s\" is not \"Name: value\"", arg);
	e = copy(&r->name, arg, n, err);
	if (e < 0)
		return e;
	if (is_ours(r->name))
		return err_set(err, -EINVAL, "%s is not an app's to set", r->name);
	arg += n + 1;
	arg += strspn(arg, " \t");
	return parse_text(&r->text, arg, err);
}

static int parse_scheme(struct routing_rule *r, const char *arg, struct err *err)
{
	if (!str_eq(arg, "http") && !str_eq(arg, "https"))
		return err_set(err, -EINVAL, "\"%s\" is neither http nor https", arg);
	return parse_text(&r->text, arg, err);
}

/* "realm,user:password" or "realm,/path/of/htpasswd". */
static int parse_auth(struct routing_rule *r, const char *arg, struct err *err)
{
	const char *who = strchr(arg, ',');
	const char *colon;
	int e;

	if (!who || who == arg || !who[1])
		return err_set(err, -EINVAL,
			       "\"%s\" is not \"realm,user:password\" or \"realm,file\"", arg);
	for (const char *p = arg; p < who; p++)
		if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
			return err_set(err, -EINVAL, "a realm cannot have quotes in it");
	e = copy(&r->realm, arg, (size_t)(who - arg), err);
	who++;
	colon = strchr(who, ':');
	r->status = 401;
	if (e < 0)
		return e;
	if (!colon)
		return copy(&r->file, who, strlen(who), err);
	if (colon == who || !colon[1])
		return err_set(err, -EINVAL, "a user and a password cannot be empty");
	e = copy(&r->user, who, (size_t)(colon - who), err);
	return e < 0 ? e : copy(&r->password, colon + 1, strlen(colon + 1), err);
}

static int parse_auth_next(struct routing_rule *r, const char *arg, struct err *err)
{
	r->next_is_tried = true;
	return parse_auth(r, arg, err);
}

/*
 * Where the request takes part in the name, the folder before that is a root: nothing in the request leads out of it. A
 * name without any such part is one file.
 */
static int parse_static(struct routing_rule *r, const char *arg, struct err *err)
{
	const char *end = strchr(arg, '$');
	int e = parse_text(&r->text, arg, err);

	if (e < 0)
		return e;
	if (*arg != '/')
		return err_set(err, -EINVAL, "\"%s\" does not begin with a folder", arg);
	if (!end)
		end = arg + strlen(arg);
	while (end > arg && end[-1] != '/')
		end--;
	if (end == arg + 1)
		return err_set(err, -EINVAL,
			       "\"%s\" would give all files of this machine: name a folder", arg);
	return copy(&r->root, arg, (size_t)(end - arg), err);
}

static const struct {
	const char *name;
	enum routing_action action;
	parse_fn *parse;
} actions[] = {
	{"last", ROUTING_LAST, parse_nothing},
	{"continue", ROUTING_LAST, parse_nothing},
	{"break", ROUTING_BREAK, parse_break},
	{"redirect", ROUTING_REDIRECT, parse_redirect},
	{"redirect-302", ROUTING_REDIRECT, parse_redirect},
	{"redirect-permanent", ROUTING_REDIRECT, parse_permanent},
	{"redirect-301", ROUTING_REDIRECT, parse_permanent},
	{"donotlog", ROUTING_DONOTLOG, parse_nothing},
	{"addheader", ROUTING_ADDHEADER, parse_header},
	{"setscheme", ROUTING_SETSCHEME, parse_scheme},
	{"basicauth", ROUTING_BASICAUTH, parse_auth},
	{"basicauth-next", ROUTING_BASICAUTH, parse_auth_next},
	{"static", ROUTING_STATIC, parse_static},
};

static int parse_action(struct routing_rule *r, const char *value, struct err *err)
{
	size_t n = strcspn(value, ":");
	const char *arg = value[n] ? value + n + 1 : value + n;

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		int e;

		if (!span_eq(span_of(value, n), span_str(actions[i].name)))
			continue;
		r->action = actions[i].action;
		e = actions[i].parse(r, arg, err);
		return e == -EINVAL ? err_prefix(err, "%s", actions[i].name) : e;
	}
	return err_set(err, -EINVAL,
		       "\"%.*s\" is not an action that there is here (redirect, "
		       "redirect-permanent, donotlog, basicauth, addheader, setscheme, static, "
		       "break, last): let the proxy or the app do it",
		       (int)n, value);
}

/* -- conditions ----------------------------------------------------------------------------------------- */

/* "equal:LEFT;RIGHT" */
static int parse_test(struct routing_rule *r, const char *text, struct err *err)
{
	_cleanup_(freep) char *left = NULL;
	size_t n = strcspn(text, ":");
	const char *arg = text[n] ? text + n + 1 : text + n;
	const char *semicolon = strchr(arg, ';');
	bool known = false;
	int e;

	for (size_t i = 0; i < ARRAY_SIZE(tests) && !known; i++)
		if (span_eq(span_of(text, n), span_str(tests[i].name))) {
			r->test = tests[i].test;
			known = true;
		}
	if (!known)
		return err_set(err, -EINVAL,
			       "\"%.*s\" is not a test that there is here (equal, startswith, "
			       "endswith, contains, regexp, empty)",
			       (int)n, text);
	if (r->test != ROUTING_EMPTY && !semicolon)
		return err_set(err, -EINVAL, "\"%s\" is not \"%.*s:text;text\"", text, (int)n,
			       text);
	e = copy(&left, arg, semicolon ? (size_t)(semicolon - arg) : strlen(arg), err);
	if (e == 0)
		e = parse_text(&r->left, left, err);
	if (e < 0 || !semicolon)
		return e;
	return r->test == ROUTING_REGEXP
		       ? copy(&r->pattern, semicolon + 1, strlen(semicolon + 1), err)
		       : parse_text(&r->right, semicolon + 1, err);
}

static int parse_condition(struct routing_rule *r, const char *text, struct err *err)
{
	if (r->subject == ROUTING_IF || r->subject == ROUTING_UNLESS)
		return parse_test(r, text, err);
	r->test = ROUTING_REGEXP;
	return copy(&r->pattern, text, strlen(text), err);
}

/* Groups come from a regular expression that matched. */
static int check_groups(const struct routing_rule *r, struct err *err)
{
	if (has_group(&r->left) || has_group(&r->right))
		return err_set(err, -EINVAL, "$0 to $9 are not known before something has matched");
	if ((!r->pattern || r->subject == ROUTING_UNLESS) && has_group(&r->text))
		return err_set(err, -EINVAL, "$0 to $9 need a regular expression that has matched");
	return 0;
}

static int parse_rule(struct routing_rule *r, const char *value, struct err *err)
{
	_cleanup_(freep) char *condition = NULL;
	size_t n;
	int e = 0;

	value += strspn(value, " \t");
	if (r->subject != ROUTING_ALL) {
		n = strcspn(value, " \t");
		e = copy(&condition, value, n, err);
		value += n;
		value += strspn(value, " \t");
		if (e == 0 && !*value)
			return err_set(err, -EINVAL, "has a condition and no action");
		if (e == 0)
			e = parse_condition(r, condition, err);
	}
	if (e == 0)
		e = parse_action(r, value, err);
	return e < 0 ? e : check_groups(r, err);
}

int routing_add(struct routing *r, const char *option, const char *value, const char *where,
		struct err *err)
{
	struct routing_rule rule = {.subject = ROUTING_SUBJECTS};
	struct routing_rule *v;
	int e;

	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		if (str_eq(option, subjects[i].option))
			rule.subject = subjects[i].subject;
	if (rule.subject == ROUTING_SUBJECTS)
		return err_set(err, -EINVAL, "is no rule that there is here");
	if (r->n >= LIMIT_ROUTING_RULES)
		return err_set(err, -E2BIG, "more than %u rules", LIMIT_ROUTING_RULES);
	e = parse_rule(&rule, value, err);
	if (e == 0 && rule.pattern)
		e = pattern_check(rule.pattern, err);
	if (e == 0)
		e = copy(&rule.where, where, strlen(where), err);
	v = e == 0 ? reallocarray(r->v, r->n + 1, sizeof(*v)) : NULL;
	if (!v) {
		rule_done(&rule);
		return e < 0 ? e : err_set(err, -ENOMEM, "out of memory");
	}
	r->v = v;
	v[r->n++] = rule;
	return 0;
}

void routing_done(struct routing *r)
{
	for (size_t i = 0; i < r->n; i++)
		rule_done(&r->v[i]);
	free(r->v);
	*r = (struct routing){0};
}
