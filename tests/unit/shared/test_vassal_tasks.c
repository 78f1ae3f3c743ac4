/*
 * vassal_tasks: programs beside the app are what their lines say, each under a name of its own.
 */
#include "tests/unit/shared/built.h"

/* clang-format off */
static const struct {
	const char *line, *name, *command;
	enum task_kind kind;
	bool control, detaches, unique;
	unsigned attempts, harakiri_s;
	int stop_signal;
} tasks[] = {
	{"attach-daemon = celery -A x worker", "celery", "celery -A x worker", TASK_DAEMON, .stop_signal = 15},
	{"attach-daemon = cd /srv/x && exec A=b /venv/bin/python -m rq.cli worker", "rq.cli",
	 "cd /srv/x && exec A=b /venv/bin/python -m rq.cli worker", TASK_DAEMON, .stop_signal = 15},
	{"attach-daemon = python3 manage.py qcluster", "qcluster", "python3 manage.py qcluster", TASK_DAEMON, .stop_signal = 15},
	{"attach-daemon = python3", "python3", "python3", TASK_DAEMON, .stop_signal = 15},
	{"attach-daemon = $(cat x); y#1", "__cat", "$(cat x); y#1", TASK_DAEMON, .stop_signal = 15},
	{"attach-daemon2 = cmd=a.sh 1,2 b=c,pidfile=/tmp/p,freq=3,control=1,stopsignal=SIGINT", "a.sh", "a.sh 1,2 b=c",
	 TASK_DAEMON, .control = true, .detaches = true, .attempts = 3, .stop_signal = 2},
	{"attach-daemon2 = name=n_1, stop_signal=3 ,cmd = x", "n_1", "x", TASK_DAEMON, .stop_signal = 3},
	{"smart-attach-daemon = /tmp/p redis-server --daemonize yes", "redis-server", "redis-server --daemonize yes",
	 TASK_DAEMON, .detaches = true, .stop_signal = 15},
	{"cron = 59 3 -1 -1 -1 backup.sh /a", "backup.sh", "backup.sh /a", TASK_CRON, .stop_signal = 15},
	{"cron = */5  * * * *  a", "a", "a", TASK_CRON, .stop_signal = 15},
	{"unique-cron = 59 3 -1 -1 -1 a", "a", "a", TASK_CRON, .unique = true, .stop_signal = 15},
	{"cron2 = minute=-5,hour=3,unique=1,harakiri=60 a b=c,d", "a", "a b=c,d", TASK_CRON, .unique = true,
	 .harakiri_s = 60, .stop_signal = 15},
	{"cron2 = a b", "a", "a b", TASK_CRON, .stop_signal = 15},
	{"cron2 = A=b c", "c", "A=b c", TASK_CRON, .stop_signal = 15},
	{"cron = -1 -1 -1 -1 -1 a\ncron-harakiri = 2m", "a", "a", TASK_CRON, .harakiri_s = 120, .stop_signal = 15},
	{"cron-harakiri = 2m\ncron2 = harakiri=0 a", "a", "a", TASK_CRON, .stop_signal = 15},
};

/* clang-format on */

static void each_program_beside_the_app_is_what_its_line_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tasks); i++) {
		struct built b = build_with(tasks[i].line);
		const struct task_config *t = b.c.tasks;

		if (b.r < 0)
			fail_msg("%s\n-> %s", tasks[i].line, b.err.text);
		assert_int_equal(b.c.tasks_n, 1);
		assert_string_equal(t->name, tasks[i].name);
		assert_string_equal(t->command, tasks[i].command);
		assert_int_equal(t->kind, tasks[i].kind);
		assert_int_equal(t->control, tasks[i].control);
		assert_int_equal(t->detaches, tasks[i].detaches);
		assert_int_equal(t->unique, tasks[i].unique);
		assert_int_equal(t->attempts, tasks[i].attempts);
		assert_int_equal(t->harakiri_s, tasks[i].harakiri_s);
		assert_int_equal(t->stop_signal, tasks[i].stop_signal);
		done(&b);
	}
}

static void no_two_programs_have_one_name_and_files_are_taken_from_chdir(void **state)
{
	struct built b =
		build_with("chdir = /srv/x\nattach-daemon = celery a\nattach-daemon = celery b\n"
			   "attach-daemon2 = cmd=celery c,chdir=sub,touch=t;/u;;v\n"
			   "cron = 0 0 1 1 0 celery");
	static const char *const names[] = {"celery", "celery-2", "celery-3", "celery-4"};

	(void)state;
	assert_good(&b);
	assert_int_equal(b.c.tasks_n, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(b.c.tasks[i].name, names[i]);
	assert_string_equal(b.c.tasks[2].chdir, "/srv/x/sub");
	assert_int_equal(b.c.tasks[2].touch.n, 3);
	assert_string_equal(b.c.tasks[2].touch.v[0], "/srv/x/t");
	assert_string_equal(b.c.tasks[2].touch.v[1], "/u");
	assert_string_equal(b.c.tasks[2].touch.v[2], "/srv/x/v");
	done(&b);
}

static void more_programs_than_rows_are_refused(void **state)
{
	char text[LIMIT_TASKS * 32 + 64] = "";
	struct built b;

	(void)state;
	for (unsigned i = 0; i <= LIMIT_TASKS; i++)
		(void)strcat(text, "attach-daemon = a\n");
	b = build_with(text);
	assert_int_equal(b.r, -E2BIG);
	done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_program_beside_the_app_is_what_its_line_says),
		cmocka_unit_test(no_two_programs_have_one_name_and_files_are_taken_from_chdir),
		cmocka_unit_test(more_programs_than_rows_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
