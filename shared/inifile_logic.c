/*
 * inifile_logic - the words that steer reading: conditions, loops, includes. Values are true or false, or a list, at
 * the moment they are read; nothing here changes the configuration.
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>

#include "shared/err.h"
#include "shared/inifile_parts.h"
#include "shared/span.h"

/* clang-format off */
static const struct {
	const char *key;
	enum ini_word word;
} words[] = {
	{"if-env", INI_IF},	     {"ifenv", INI_IF},		   {"if-not-env", INI_IF},
	{"if-exists", INI_IF},	     {"ifexists", INI_IF},	   {"if-not-exists", INI_IF},
	{"if-file", INI_IF},	     {"if-not-file", INI_IF},
	{"if-dir", INI_IF},	     {"ifdir", INI_IF},		   {"if-directory", INI_IF},
	{"if-not-dir", INI_IF},	     {"if-opt", INI_IF},	   {"if-not-opt", INI_IF},
	{"if-reload", INI_IF},	     {"if-not-reload", INI_IF},
	{"if-hostname", INI_IF},     {"if-not-hostname", INI_IF},
	{"if-hostname-match", INI_IF}, {"if-not-hostname-match", INI_IF},
	{"if-plugin", INI_IF},	     {"ifplugin", INI_IF},	   {"if-not-plugin", INI_IF},
	{"else", INI_ELSE},	     {"endif", INI_ENDIF},	   {"end-if", INI_ENDIF},
	{"for", INI_FOR},	     {"for-glob", INI_FOR},	   {"for-times", INI_FOR},
	{"for-readline", INI_FOR},   {"endfor", INI_ENDFOR},	   {"end-for", INI_ENDFOR},
	{"ini", INI_INCLUDE},	     {"include", INI_INHERIT},	   {"inherit", INI_INHERIT},
	{"set", INI_SET},	     {"set-placeholder", INI_PLACEHOLDER}, {"set-ph", INI_PLACEHOLDER},
	{"get", INI_NOTHING},
};
/* clang-format on */

enum ini_word ini_logic_word(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq(words[i].key, key))
			return words[i].word;
	return INI_OPTION;
}

struct test {
	struct ini_run *run;
	const char *value, *dir;
	const char *item; /* out: %(_), NULL = value */
	struct err *err;
};

/* NAME, or NAME=value. */
static int test_env(struct test *t)
{
	size_t n = strcspn(t->value, "=");
	const char *value = ini_value_env(t->run->facts->environ, span_trim(span_of(t->value, n)));

	if (!value)
		return 0;
	t->item = value;
	return t->value[n] ? span_eq(span_trim(span_str(t->value + n + 1)), span_str(value)) : 1;
}

/* Whether a path exists is a secret of whoever may not look: a tenant's ini does not ask root. */
static int test_path(struct test *t, mode_t type)
{
	struct stat st;
	char *path;
	int r;

	if (!t->run->facts->allow_files)
		return err_set(t->err, -EPERM, "this ini may not look at other files");
	path = ini_value_path(t->value, t->dir);
	if (!path)
		return err_set(t->err, -ENOMEM, "out of memory");
	r = stat(path, &st);
	ini_value_source(t->run, path, INIFILE_SOURCE_ASKED, r == 0 ? &st : NULL);
	r = r == 0 && (type == 0 || (st.st_mode & S_IFMT) == type);
	free(path);
	return r;
}

static int test_exists(struct test *t)
{
	return test_path(t, 0);
}

static int test_file(struct test *t)
{
	return test_path(t, S_IFREG);
}

static int test_dir(struct test *t)
{
	return test_path(t, S_IFDIR);
}

static int test_opt(struct test *t)
{
	struct config_items *items = &t->run->items;
	size_t n = strcspn(t->value, "=");
	struct span key = span_trim(span_of(t->value, n));
	int r = 0;

	for (size_t i = 0; i < items->n; i++) {
		if (!span_eq(span_str(items->v[i].key), key))
			continue;
		items->v[i].used = true;
		if (!t->value[n] ||
		    span_eq(span_trim(span_str(t->value + n + 1)), span_str(items->v[i].value)))
			r = 1;
	}
	return r;
}

static int test_reload(struct test *t)
{
	(void)t;
	return 0; /* a new generation is always a first start */
}

static int test_hostname(struct test *t)
{
	char name[256] = "";

	(void)gethostname(name, sizeof(name) - 1);
	return str_eq(name, t->value);
}

static int test_match(struct test *t)
{
	return err_set(t->err, -EOPNOTSUPP,
		       "host names are not matched by patterns: use if-hostname");
}

static int test_plugin(struct test *t)
{
	return strncmp(t->value, "python", 6) == 0 || str_eq(t->value, "http");
}

static const struct {
	const char *name;
	int (*fn)(struct test *t);
} tests[] = {
	{"env", test_env},       {"exists", test_exists},     {"file", test_file},
	{"directory", test_dir}, {"dir", test_dir},           {"opt", test_opt},
	{"reload", test_reload}, {"hostname", test_hostname}, {"hostname-match", test_match},
	{"plugin", test_plugin},
};

int ini_logic_test(struct ini_run *run, const char *key, const char *value, const char *dir,
		   char **ret_item, struct err *err)
{
	struct test t = {.run = run, .value = value, .dir = dir, .err = err};
	const char *name = key + 2 + (key[2] == '-');
	bool negated = strncmp(name, "not-", 4) == 0;
	int r = -EINVAL;

	if (negated)
		name += 4;
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		if (str_eq(tests[i].name, name))
			r = tests[i].fn(&t);
	if (r < 0)
		return r;
	*ret_item = strdup(t.item ? t.item : value);
	if (!*ret_item)
		return err_set(err, -ENOMEM, "out of memory");
	return negated ? !r : r;
}

/* -- loops ---------------------------------------------------------------------------------------------- */

static int add_parts(const char *text, const char *separators, struct option_list *ret,
		     struct err *err)
{
	int r = 0;

	text += strspn(text, separators);
	while (*text && r == 0) {
		size_t n = strcspn(text, separators);
		char *one = strndup(text, n);

		r = one ? option_list_add(ret, one, err) : err_set(err, -ENOMEM, "out of memory");
		free(one);
		text += n;
		text += strspn(text, separators);
	}
	return r;
}

static int add_times(const char *value, struct option_list *ret, struct err *err)
{
	size_t digits = strspn(value, "0123456789");
	unsigned long n = strtoul(value, NULL, 10);
	char text[24];
	int r = 0;

	if (digits == 0 || value[digits] || digits > 9)
		return err_set(err, -EINVAL, "\"%s\" is not a number", value);
	for (unsigned long i = 1; i <= n && r == 0; i++) {
		(void)snprintf(text, sizeof(text), "%lu", i);
		r = option_list_add(ret, text, err);
	}
	return r;
}

static int add_glob(struct ini_run *run, const char *value, const char *dir,
		    struct option_list *ret, struct err *err)
{
	glob_t found = {0};
	char *pattern;
	int r = 0;

	if (!run->facts->allow_files)
		return err_set(err, -EPERM, "this ini may not look at other files");
	pattern = ini_value_path(value, dir);
	if (!pattern)
		return err_set(err, -ENOMEM, "out of memory");
	ini_value_source(run, pattern, INIFILE_SOURCE_NAMES, NULL);
	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc && r == 0; i++)
			r = option_list_add(ret, found.gl_pathv[i], err);
	globfree(&found);
	free(pattern);
	return r;
}

static int add_lines(struct ini_run *run, const char *value, const char *dir,
		     struct option_list *ret, struct err *err)
{
	char *bytes = NULL;
	char *text;
	size_t n = 0;
	int r = ini_value_file(run, value, dir, &bytes, &n, err);

	if (r < 0)
		return r;
	text = strndup(bytes, n);
	r = text ? add_parts(text, "\r\n", ret, err) : err_set(err, -ENOMEM, "out of memory");
	free(text);
	free(bytes);
	return r;
}

int ini_logic_items(struct ini_run *run, const char *key, const char *value, const char *dir,
		    struct option_list *ret, struct err *err)
{
	if (str_eq(key, "for-times"))
		return add_times(value, ret, err);
	if (str_eq(key, "for-glob"))
		return add_glob(run, value, dir, ret, err);
	if (str_eq(key, "for-readline"))
		return add_lines(run, value, dir, ret, err);
	return add_parts(value, " \t", ret, err);
}
