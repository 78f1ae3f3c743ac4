/*
 * vassal_tasks - the options that name programs to run beside the app: attach-daemon and cron in all their forms. See
 * vassal_parse.h; what key=value means is in task_keys.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "shared/err.h"
#include "shared/task_keys.h"
#include "shared/vassal_parse.h"

/* -- a name for people, from the command ------------------------------------------------------------------ */

static struct span next_word(const char **p)
{
	struct span word;

	*p += strspn(*p, TASK_BLANKS);
	word = span_of(*p, strcspn(*p, TASK_BLANKS));
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
		t->name[n++] = strchr(TASK_NAME_CHARS, word.p[i]) ? word.p[i] : '_';
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

	if (!t->command || t->command[strspn(t->command, TASK_BLANKS)] == '\0') {
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
	return add_or_fail(config, &t, task_copy_text(&t.command, value, err), err);
}

VASSAL_PARSER(vassal_parse_smart_daemon)
{
	struct task_config t = new_daemon();
	const char *p = value;

	(void)o, (void)where, (void)notes;
	(void)next_word(&p); /* the pidfile */
	t.detaches = true;
	return add_or_fail(config, &t, task_copy_text(&t.command, p + strspn(p, TASK_BLANKS), err),
			   err);
}

VASSAL_PARSER(vassal_parse_daemon2)
{
	struct task_config t = new_daemon();
	const struct task_keys_context k = {.task = &t, .where = where, .notes = notes, .o = o};

	return add_or_fail(config, &t, task_keys_apply(&k, &task_keys_daemon, value, err), err);
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
		r = task_copy_text(&t.command, p + strspn(p, TASK_BLANKS), err);
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
	const struct task_keys_context k = {.task = &t, .where = where, .notes = notes, .o = o};
	const char *p = value + strspn(value, TASK_BLANKS);
	struct span word = {0};
	char *keys;
	int r;

	if (task_keys_begin(&task_keys_cron, p))
		word = next_word(&p);
	keys = strndup(word.n > 0 ? word.p : "", word.n);
	if (!keys)
		return err_set(err, -ENOMEM, "out of memory");
	r = task_keys_apply(&k, &task_keys_cron, keys, err);
	free(keys);
	if (r == 0)
		r = task_copy_text(&t.command, p + strspn(p, TASK_BLANKS), err);
	return add_or_fail(config, &t, r, err);
}
