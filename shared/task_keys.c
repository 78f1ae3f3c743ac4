/*
 * task_keys - see task_keys.h. A row for each key that we know and a function that sets what it means.
 */
#include "shared/task_keys.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>

#include "shared/err.h"
#include "shared/span.h"

/* -- values of keys --------------------------------------------------------------------------------------- */

typedef int key_fn(const struct task_keys_context *k, const char *key, const char *value,
		   struct err *err);

struct task_key {
	const char *names; /* separated by blanks */
	key_fn *fn;
};

static int number_of(const char *key, const char *value, unsigned max, unsigned *ret,
		     struct err *err)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || n > max)
		return err_set(err, -EINVAL, "%s=%s: not a number up to %u", key, value, max);
	*ret = (unsigned)n;
	return 0;
}

int task_copy_text(char **field, const char *value, struct err *err)
{
	free(*field);
	*field = strdup(value);
	return *field ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int key_cmd(const struct task_keys_context *k, const char *key, const char *value,
		   struct err *err)
{
	(void)key;
	return task_copy_text(&k->task->command, value, err);
}

static int key_name(const struct task_keys_context *k, const char *key, const char *value,
		    struct err *err)
{
	size_t n = strspn(value, TASK_NAME_CHARS);

	(void)key;
	if (n == 0 || value[n] || n >= sizeof(k->task->name))
		return err_set(err, -EINVAL,
			       "name=%s: up to %zu letters, digits, dots, dashes and underscores",
			       value, sizeof(k->task->name) - 1);
	memcpy(k->task->name, value, n + 1);
	return 0;
}

static int key_control(const struct task_keys_context *k, const char *key, const char *value,
		       struct err *err)
{
	(void)key, (void)err;
	k->task->control = option_is_true(value);
	return 0;
}

/* What detaches itself is followed without its pidfile: whatever it starts stays below its minder. */
static int key_detaches(const struct task_keys_context *k, const char *key, const char *value,
			struct err *err)
{
	(void)err;
	k->task->detaches = str_eq(key, "pidfile") || option_is_true(value);
	return 0;
}

static int key_freq(const struct task_keys_context *k, const char *key, const char *value,
		    struct err *err)
{
	return number_of(key, value, 1000000, &k->task->attempts, err);
}

static int key_chdir(const struct task_keys_context *k, const char *key, const char *value,
		     struct err *err)
{
	(void)key;
	return task_copy_text(&k->task->chdir, value, err);
}

static int key_stop_signal(const struct task_keys_context *k, const char *key, const char *value,
			   struct err *err)
{
	const char *name = strncasecmp(value, "SIG", 3) == 0 ? value + 3 : value;
	unsigned n;

	for (int i = 1; i < NSIG; i++) {
		const char *abbreviation = sigabbrev_np(i);

		if (abbreviation && strcasecmp(abbreviation, name) == 0) {
			k->task->stop_signal = i;
			return 0;
		}
	}
	if (number_of(key, value, NSIG - 1, &n, err) < 0 || n == 0)
		return err_set(err, -EINVAL, "%s=%s: no signal", key, value);
	k->task->stop_signal = (int)n;
	return 0;
}

static int key_touch(const struct task_keys_context *k, const char *key, const char *value,
		     struct err *err)
{
	const char *p = value;
	int r = 0;

	(void)key;
	while (*p && r == 0) {
		size_t n = strcspn(p, ";");
		char *one = n > 0 ? strndup(p, n) : NULL;

		if (n > 0 && !one)
			return err_set(err, -ENOMEM, "out of memory");
		if (one && k->task->touch.n == LIMIT_TASK_TOUCH)
			r = err_set(err, -E2BIG, "touch: at most %d files", LIMIT_TASK_TOUCH);
		else if (one)
			r = option_list_add(&k->task->touch, one, err);
		free(one);
		p += n + (p[n] == ';');
	}
	return r;
}

static int key_without_effect(const struct task_keys_context *k, const char *key, const char *value,
			      struct err *err)
{
	static const struct {
		const char *key, *why;
	} whys[] = {
		{"reloadsignal", "a new generation of the app starts its daemons anew"},
		{"reload_signal", "a new generation of the app starts its daemons anew"},
		{"uid", "it runs as the app's user"},
		{"gid", "it runs with the app's groups"},
		{"stdin", "it reads from /dev/null"},
		{"ns_pid", "it sees the machine's processes; none of its own outlives the app"},
	};
	const char *why = "not known here";

	(void)value, (void)err;
	for (size_t i = 0; i < ARRAY_SIZE(whys); i++)
		if (str_eq(whys[i].key, key))
			why = whys[i].why;
	option_note(k->notes, k->where, "%s: %s is ignored: %s", k->o->name, key, why);
	return 0;
}

static int key_unique(const struct task_keys_context *k, const char *key, const char *value,
		      struct err *err)
{
	(void)key, (void)err;
	k->task->unique = option_is_true(value);
	return 0;
}

static int key_harakiri(const struct task_keys_context *k, const char *key, const char *value,
			struct err *err)
{
	return number_of(key, value, 86400 * 7, &k->task->harakiri_s, err);
}

static int key_legion(const struct task_keys_context *k, const char *key, const char *value,
		      struct err *err)
{
	(void)k, (void)value;
	return err_set(err, -EOPNOTSUPP, "%s: there is no legion here to run it only once", key);
}

static int key_when(const struct task_keys_context *k, const char *key, const char *value,
		    struct err *err)
{
	static const char *const names[CRON_FIELDS] = {
		[CRON_MINUTE] = "minute", [CRON_HOUR] = "hour",    [CRON_DAY] = "day",
		[CRON_MONTH] = "month",   [CRON_WEEKDAY] = "week",
	};
	unsigned field = CRON_WEEKDAY; /* "weekday", too */

	for (unsigned i = 0; i < CRON_FIELDS; i++)
		if (str_eq(names[i], key))
			field = i;
	return cron_set(&k->task->when, (enum cron_field)field, value, err);
}

static const struct task_key daemon_rows[] = {
	{"cmd command exec", key_cmd},
	{"name", key_name},
	{"control", key_control},
	{"pidfile daemonize daemon", key_detaches},
	{"freq", key_freq},
	{"chdir", key_chdir},
	{"stopsignal stop_signal", key_stop_signal},
	{"touch", key_touch},
	{"reloadsignal reload_signal uid gid stdin ns_pid", key_without_effect},
};

static const struct task_key cron_rows[] = {
	{"minute hour day month week weekday", key_when},
	{"name", key_name},
	{"unique", key_unique},
	{"harakiri", key_harakiri},
	{"legion", key_legion},
};

const struct task_keys task_keys_daemon = {daemon_rows, ARRAY_SIZE(daemon_rows)};
const struct task_keys task_keys_cron = {cron_rows, ARRAY_SIZE(cron_rows)};

/* -- key=value,key=value ---------------------------------------------------------------------------------- */

static bool in_words(const char *words, struct span word)
{
	while (*words) {
		size_t n = strcspn(words, " ");

		if (span_eq(span_of(words, n), word))
			return true;
		words += n + (words[n] == ' ');
	}
	return false;
}

static const struct task_key *find_key(const struct task_keys *keys, struct span name)
{
	for (size_t i = 0; i < keys->n; i++)
		if (in_words(keys->v[i].names, name))
			return &keys->v[i];
	return NULL;
}

/* "key=" at p? The key as a span without blanks around it; n 0: none. */
static struct span key_at(const char *p)
{
	const char *begin = p + strspn(p, TASK_BLANKS);
	size_t n = strspn(begin, TASK_NAME_CHARS);

	return span_of(begin, begin[n + strspn(begin + n, TASK_BLANKS)] == '=' ? n : 0);
}

/* To the comma behind which a known key stands, or the end. */
static size_t value_length(const struct task_keys *keys, const char *p)
{
	const char *comma = p;

	while ((comma = strchr(comma, ','))) {
		struct span key = key_at(comma + 1);

		if (key.n > 0 && find_key(keys, key))
			return (size_t)(comma - p);
		comma++;
	}
	return strlen(p);
}

static int apply_key(const struct task_keys_context *k, const struct task_key *key,
		     struct span name, struct span value, struct err *err)
{
	char *key_text = strndup(name.p, name.n);
	char *value_text = strndup(value.p, value.n);
	int r = key_text && value_text ? key->fn(k, key_text, value_text, err)
				       : err_set(err, -ENOMEM, "out of memory");

	free(key_text);
	free(value_text);
	return r;
}

int task_keys_apply(const struct task_keys_context *k, const struct task_keys *keys, const char *p,
		    struct err *err)
{
	while (*p) {
		struct span name = key_at(p);
		const struct task_key *key = find_key(keys, name);
		const char *value;
		size_t n;
		int r;

		if (name.n == 0)
			return err_set(err, -EINVAL, "\"%.64s\" is not key=value", p);
		if (!key)
			return err_set(err, -EINVAL, "%.*s: unknown key", (int)name.n, name.p);
		value = strchr(name.p + name.n, '=') + 1;
		n = value_length(keys, value);
		r = apply_key(k, key, name, span_trim(span_of(value, n)), err);
		if (r < 0)
			return r;
		p = value + n + (value[n] == ',');
	}
	return 0;
}

bool task_keys_begin(const struct task_keys *keys, const char *p)
{
	struct span name = key_at(p);

	return name.n > 0 && find_key(keys, name);
}
