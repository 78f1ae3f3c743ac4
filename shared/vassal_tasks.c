/*
 * vassal_tasks - the options that name programs to run beside the app: attach-daemon and cron in all their forms. See
 * vassal_parse.h.
 *
 * uWSGI's key=value form splits at every comma, so that a command with one in it breaks. Here a comma separates only
 * where a key that we know follows it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <strings.h>

#include "shared/err.h"
#include "shared/vassal_parse.h"

#define BLANKS " \t"

static const char name_chars[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* -- a name for people, from the command ------------------------------------------------------------------ */

static struct span next_word(const char **p)
{
	struct span word;

	*p += strspn(*p, BLANKS);
	word = span_of(*p, strcspn(*p, BLANKS));
	*p += word.n;
	return word;
}

static struct span base_of(struct span word)
{
	const char *slash = word.n > 0 ? memrchr(word.p, '/', word.n) : NULL;

	return slash ? span_skip(word, (size_t)(slash + 1 - word.p)) : word;
}

static bool is_one_of(struct span word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(word, span_str(words[i])))
			return true;
	return false;
}

/* "cd /x && exec env A=b /venv/bin/python -m celery worker" is about celery. */
static struct span telling_word(const char *command)
{
	static const char *const before[] = {"exec", "env", "nice", "nohup", "sudo", "&&", ";"};
	static const char *const runs[] = {"python", "python3", "sh", "bash", "manage.py"};
	struct span first = {0}, word;
	const char *p = command;

	while ((word = next_word(&p)).n > 0) {
		struct span base = base_of(word);

		if (span_eq(word, span_str("cd"))) {
			(void)next_word(&p);
			continue;
		}
		if (word.p[0] == '-' || memchr(word.p, '=', word.n) ||
		    is_one_of(word, before, ARRAY_SIZE(before)))
			continue;
		if (base.n == 0)
			continue;
		if (first.n == 0)
			first = base;
		if (!is_one_of(base, runs, ARRAY_SIZE(runs)))
			return base;
	}
	return first;
}

static void set_name(struct task_config *t, struct span word)
{
	size_t n = 0;

	for (size_t i = 0; i < word.n && n < sizeof(t->name) - 1; i++)
		t->name[n++] = strchr(name_chars, word.p[i]) ? word.p[i] : '_';
	t->name[n] = '\0';
	if (n == 0)
		(void)strcpy(t->name, "task");
}

static bool has_name(const struct vassal_config *c, const char *name)
{
	for (size_t i = 0; i < c->tasks_n; i++)
		if (str_eq(c->tasks[i].name, name))
			return true;
	return false;
}

/* Two of a kind are celery and celery-2. */
static void make_unique(const struct vassal_config *c, struct task_config *t)
{
	char base[sizeof(t->name)];

	memcpy(base, t->name, sizeof(base));
	for (unsigned i = 2; has_name(c, t->name); i++)
		(void)snprintf(t->name, sizeof(t->name), "%.*s-%u", (int)sizeof(t->name) - 6, base,
			       i);
}

/* Takes what t owns over, also when it fails. */
static int add_task(struct vassal_config *c, struct task_config *t, struct err *err)
{
	struct task_config *grown;

	if (!t->command || t->command[strspn(t->command, BLANKS)] == '\0') {
		vassal_task_done(t);
		return err_set(err, -EINVAL, "there is no command to run");
	}
	if (c->tasks_n == LIMIT_TASKS) {
		vassal_task_done(t);
		return err_set(err, -E2BIG, "at most %d daemons and timed jobs", LIMIT_TASKS);
	}
	grown = reallocarray(c->tasks, c->tasks_n + 1, sizeof(*grown));
	if (!grown) {
		vassal_task_done(t);
		return err_set(err, -ENOMEM, "out of memory");
	}
	c->tasks = grown;
	if (!t->name[0])
		set_name(t, telling_word(t->command));
	make_unique(c, t);
	c->tasks[c->tasks_n++] = *t;
	return 0;
}

void vassal_task_done(struct task_config *t)
{
	free(t->command);
	free(t->chdir);
	option_list_done(&t->touch);
	*t = (struct task_config){0};
}

/* -- values of keys --------------------------------------------------------------------------------------- */

struct key_context {
	struct task_config *task;
	const char *where;
	struct inifile_notes *notes;
	const struct option *o;
};

typedef int key_fn(const struct key_context *k, const char *key, const char *value,
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

static int copy_text(char **field, const char *value, struct err *err)
{
	free(*field);
	*field = strdup(value);
	return *field ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int key_cmd(const struct key_context *k, const char *key, const char *value, struct err *err)
{
	(void)key;
	return copy_text(&k->task->command, value, err);
}

static int key_name(const struct key_context *k, const char *key, const char *value,
		    struct err *err)
{
	size_t n = strspn(value, name_chars);

	(void)key;
	if (n == 0 || value[n] || n >= sizeof(k->task->name))
		return err_set(err, -EINVAL,
			       "name=%s: up to %zu letters, digits, dots, dashes and underscores",
			       value, sizeof(k->task->name) - 1);
	set_name(k->task, span_str(value));
	return 0;
}

static int key_control(const struct key_context *k, const char *key, const char *value,
		       struct err *err)
{
	(void)key, (void)err;
	k->task->control = option_is_true(value);
	return 0;
}

/* What detaches itself is followed without its pidfile: whatever it starts stays below its minder. */
static int key_detaches(const struct key_context *k, const char *key, const char *value,
			struct err *err)
{
	(void)err;
	k->task->detaches = str_eq(key, "pidfile") || option_is_true(value);
	return 0;
}

static int key_freq(const struct key_context *k, const char *key, const char *value,
		    struct err *err)
{
	return number_of(key, value, 1000000, &k->task->attempts, err);
}

static int key_chdir(const struct key_context *k, const char *key, const char *value,
		     struct err *err)
{
	(void)key;
	return copy_text(&k->task->chdir, value, err);
}

static int key_stop_signal(const struct key_context *k, const char *key, const char *value,
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

static int key_touch(const struct key_context *k, const char *key, const char *value,
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

static int key_without_effect(const struct key_context *k, const char *key, const char *value,
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

static int key_unique(const struct key_context *k, const char *key, const char *value,
		      struct err *err)
{
	(void)key, (void)err;
	k->task->unique = option_is_true(value);
	return 0;
}

static int key_harakiri(const struct key_context *k, const char *key, const char *value,
			struct err *err)
{
	return number_of(key, value, 86400 * 7, &k->task->harakiri_s, err);
}

static int key_legion(const struct key_context *k, const char *key, const char *value,
		      struct err *err)
{
	(void)k, (void)value;
	return err_set(err, -EOPNOTSUPP, "%s: there is no legion here to run it only once", key);
}

static int key_when(const struct key_context *k, const char *key, const char *value,
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

static const struct task_key daemon_keys[] = {
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

static const struct task_key cron_keys[] = {
	{"minute hour day month week weekday", key_when},
	{"name", key_name},
	{"unique", key_unique},
	{"harakiri", key_harakiri},
	{"legion", key_legion},
};

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

static const struct task_key *find_key(const struct task_key *keys, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++)
		if (in_words(keys[i].names, name))
			return &keys[i];
	return NULL;
}

/* "key=" at p? The key as a span without blanks around it; n 0: none. */
static struct span key_at(const char *p)
{
	const char *begin = p + strspn(p, BLANKS);
	size_t n = strspn(begin, name_chars);

	return span_of(begin, begin[n + strspn(begin + n, BLANKS)] == '=' ? n : 0);
}

/* To the comma behind which a known key stands, or the end. */
static size_t value_length(const struct task_key *keys, size_t keys_n, const char *p)
{
	const char *comma = p;

	while ((comma = strchr(comma, ','))) {
		struct span key = key_at(comma + 1);

		if (key.n > 0 && find_key(keys, keys_n, key))
			return (size_t)(comma - p);
		comma++;
	}
	return strlen(p);
}

static int apply_key(const struct key_context *k, const struct task_key *key, struct span name,
		     struct span value, struct err *err)
{
	char *key_text = strndup(name.p, name.n);
	char *value_text = strndup(value.p, value.n);
	int r = key_text && value_text ? key->fn(k, key_text, value_text, err)
				       : err_set(err, -ENOMEM, "out of memory");

	free(key_text);
	free(value_text);
	return r;
}

static int apply_keys(const struct key_context *k, const struct task_key *keys, size_t keys_n,
		      const char *p, struct err *err)
{
	while (*p) {
		struct span name = key_at(p);
		const struct task_key *key = find_key(keys, keys_n, name);
		const char *value;
		size_t n;
		int r;

		if (name.n == 0)
			return err_set(err, -EINVAL, "\"%.64s\" is not key=value", p);
		if (!key)
			return err_set(err, -EINVAL, "%.*s: unknown key", (int)name.n, name.p);
		value = strchr(name.p + name.n, '=') + 1;
		n = value_length(keys, keys_n, value);
		r = apply_key(k, key, name, span_trim(span_of(value, n)), err);
		if (r < 0)
			return r;
		p = value + n + (value[n] == ',');
	}
	return 0;
}

/* -- the options ------------------------------------------------------------------------------------------ */

static struct task_config new_daemon(void)
{
	return (struct task_config){.kind = TASK_DAEMON, .stop_signal = SIGTERM};
}

static struct task_config new_cron(bool unique)
{
	struct task_config t = {.kind = TASK_CRON,
				.stop_signal = SIGTERM,
				.unique = unique,
				.harakiri_s = TASK_HARAKIRI_UNSET};

	cron_init(&t.when);
	return t;
}

static int add_or_fail(struct vassal_config *c, struct task_config *t, int r, struct err *err)
{
	if (r == 0)
		return add_task(c, t, err);
	vassal_task_done(t);
	return r;
}

VASSAL_PARSER(vassal_parse_daemon)
{
	struct task_config t = new_daemon();

	(void)o, (void)where, (void)notes;
	return add_or_fail(config, &t, copy_text(&t.command, value, err), err);
}

VASSAL_PARSER(vassal_parse_smart_daemon)
{
	struct task_config t = new_daemon();
	const char *p = value;

	(void)o, (void)where, (void)notes;
	(void)next_word(&p); /* the pidfile */
	t.detaches = true;
	return add_or_fail(config, &t, copy_text(&t.command, p + strspn(p, BLANKS), err), err);
}

VASSAL_PARSER(vassal_parse_daemon2)
{
	struct task_config t = new_daemon();
	const struct key_context k = {.task = &t, .where = where, .notes = notes, .o = o};

	return add_or_fail(config, &t,
			   apply_keys(&k, daemon_keys, ARRAY_SIZE(daemon_keys), value, err), err);
}

static int parse_cron(struct vassal_config *c, bool unique, const char *value, struct err *err)
{
	struct task_config t = new_cron(unique);
	const char *p = value;
	int r = 0;

	for (unsigned i = 0; i < CRON_FIELDS && r == 0; i++) {
		struct span word = next_word(&p);
		char text[64];

		(void)snprintf(text, sizeof(text), "%.*s", (int)word.n, word.p);
		r = cron_set(&t.when, (enum cron_field)i, text, err);
	}
	if (r == 0)
		r = copy_text(&t.command, p + strspn(p, BLANKS), err);
	return add_or_fail(c, &t, r, err);
}

VASSAL_PARSER(vassal_parse_cron)
{
	(void)o, (void)where, (void)notes;
	return parse_cron(config, false, value, err);
}

VASSAL_PARSER(vassal_parse_unique_cron)
{
	(void)o, (void)where, (void)notes;
	return parse_cron(config, true, value, err);
}

/* Keys end at the first blank; without any the job runs every minute. */
VASSAL_PARSER(vassal_parse_cron2)
{
	struct task_config t = new_cron(false);
	const struct key_context k = {.task = &t, .where = where, .notes = notes, .o = o};
	const char *p = value + strspn(value, BLANKS);
	struct span word = {0};
	char *keys;
	int r;

	if (key_at(p).n > 0 && find_key(cron_keys, ARRAY_SIZE(cron_keys), key_at(p)))
		word = next_word(&p);
	keys = strndup(word.n > 0 ? word.p : "", word.n);
	if (!keys)
		return err_set(err, -ENOMEM, "out of memory");
	r = apply_keys(&k, cron_keys, ARRAY_SIZE(cron_keys), keys, err);
	free(keys);
	if (r == 0)
		r = copy_text(&t.command, p + strspn(p, BLANKS), err);
	return add_or_fail(config, &t, r, err);
}
