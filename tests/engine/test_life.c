/*
 * test_life - birth, refusals and death of molds and workers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "shared/clock.h"
#include "shared/msg.h"
#include "tests/engine/rig.h"

static struct rig rig;

#define ITEMS(...) ((const char *const[]){"pythonpath=" RIG_APPS, __VA_ARGS__, NULL})

static void start(const char *const *items, unsigned workers, unsigned threads)
{
	if (rig_start(&rig, items, workers, threads))
		return;
	fail_msg("%s %s %s", items[1], rig.text, rig.workers[0].why);
}

static void expect(const char *target, const char *body)
{
	struct answer a;

	rig_get(&rig, target, &a);
	if (!str_eq(a.body, body))
		fail_msg("%s: \"%s\", not \"%s\"", target, a.body, body);
	answer_done(&a);
}

static int stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static void an_app_that_cannot_be_loaded_says_why(void **state)
{
	static const struct {
		const char *item, *extra, *why;
		enum fail_phase phase;
	} cases[] = {
		{"module=nope", NULL, "ModuleNotFoundError: No module named 'nope'", FAIL_IMPORT},
		{"module=shapes:nope", NULL, "has no attribute 'nope'", FAIL_IMPORT},
		{"module=shapes:not_callable", NULL, "cannot be called", FAIL_IMPORT},
		{"module=shapes:needs_argument()", NULL, "missing 1 required positional argument",
		 FAIL_IMPORT},
		{"module=shapes:create_app(1)", NULL, "without arguments", FAIL_IMPORT},
		{"module=json", NULL, "neither \"application\" nor \"app\"", FAIL_IMPORT},
		{"wsgi-file=nope.py", NULL, "FileNotFoundError", FAIL_IMPORT},
		{"module=shapes", "callable=nope", "has no attribute 'nope'", FAIL_IMPORT},
		{"module=shapes", "warmup=/raises", "RuntimeError: on purpose", FAIL_WARMUP},
		{"module=shapes", "warmup=/error_page", "answered 500", FAIL_WARMUP},
		{"module=shapes", "home=/nonexistent", "No such file", FAIL_ENGINE},
		{"module=shapes", "home=/usr/share", "not a virtualenv", FAIL_ENGINE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const items[] = {"pythonpath=" RIG_APPS, cases[i].item, cases[i].extra,
					     NULL};

		assert_false(rig_start(&rig, items, 1, 1));
		if (!rig.mold_failed || rig.fail_phase != cases[i].phase ||
		    !strstr(rig.text, cases[i].why))
			fail_msg("%s %s: phase %u, %s", cases[i].item,
				 cases[i].extra ? cases[i].extra : "", (unsigned)rig.fail_phase,
				 rig.text);
		rig_stop(&rig);
	}
}

static void the_callable_is_found_as_the_ini_names_it(void **state)
{
	static const struct {
		const char *item, *extra;
	} cases[] = {
		{"module=shapes", NULL},
		{"module=shapes:application", "callable=nope"},
		{"module=shapes:Namespace.app", NULL},
		{"module=shapes:create_app()", NULL},
		{"module=shapes", "callable=create_app()"},
		{"wsgi-file=" RIG_APPS "/shapes.py", NULL},
		{"module=nope", "wsgi-file=" RIG_APPS "/shapes.py"},
		{"module=shapes", "lazy-apps=true"},
		{"module=shapes", "warmup=/plain"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const items[] = {"pythonpath=" RIG_APPS, cases[i].item, cases[i].extra,
					     NULL};

		start(items, 1, 1);
		expect("/plain", "plain");
		rig_stop(&rig);
	}
}

static void fork_hooks_run_once_for_each_worker(void **state)
{
	(void)state;
	start(ITEMS("module=hooks"), 2, 1);
	expect("/hooks", "before child");
	expect("/preloaded", "True");
	exchange_worker_retire(rig.x, 0);
	assert_int_equal(rig_wait_exit(&rig, 0), 0);
	assert_true(rig_fork(&rig, 0));
	for (int i = 0; i < 6; i++)
		expect("/hooks", "before child");
}

static void a_fork_hook_may_wait_for_a_thread_of_the_mold(void **state)
{
	(void)state;
	start(ITEMS("module=hook_waits"), 2, 1);
	expect("/", "served");
}

static void a_worker_has_the_front_as_parent_and_no_strange_descriptors(void **state)
{
	char path[64];
	char line[256];
	int parent = 0;
	FILE *f;

	(void)state;
	start(ITEMS("module=hooks", "env=RIG_TEST=a=b"), 1, 1);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", rig.workers[0].pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	(void)fclose(f);
	assert_int_equal(parent, getpid());
	expect("/env", "a=b");
	expect("/title", "rig worker 1");
	expect("/argv", "emperor");
}

static void a_file_is_executed_under_the_name_that_uwsgi_gives_it(void **state)
{
	(void)state;
	assert_int_equal(chdir(RIG_APPS), 0);
	start((const char *const[]){"wsgi-file=hooks.py", NULL}, 1, 1);
	expect("/name", "uwsgi_file_hooks");
	assert_int_equal(chdir("/"), 0);
}

static void a_retired_worker_runs_atexit_and_leaves(void **state)
{
	char *log;

	(void)state;
	start(ITEMS("module=hooks"), 1, 1);
	expect("/atexit", "");
	exchange_worker_retire(rig.x, 0);
	assert_int_equal(rig_wait_exit(&rig, 0), 0);
	assert_string_equal(rig.workers[0].why, "retired");
	log = rig_log(&rig);
	assert_non_null(strstr(log, "atexit ran"));
	free(log);
}

static void an_atexit_that_hangs_has_a_deadline(void **state)
{
	uint64_t started = clock_now_ns();

	(void)state;
	start(ITEMS("module=hooks"), 1, 1);
	expect("/atexit-hangs", "");
	exchange_worker_retire(rig.x, 0);
	assert_int_equal(rig_wait_exit(&rig, 0), 0);
	assert_true(clock_now_ns() - started < 10 * NS_PER_S);
}

static void sys_exit_in_a_request_ends_the_worker_after_it(void **state)
{
	(void)state;
	for (unsigned threads = 1; threads <= 3; threads += 2) {
		struct answer a;

		start(ITEMS("module=shapes"), 1, threads);
		rig_get(&rig, "/leave", &a);
		assert_int_equal(a.status, 0);
		assert_int_equal(a.end, FRAME_END_EXCEPTION | FRAME_END_EXITING);
		answer_done(&a);
		assert_int_equal(rig_wait_exit(&rig, 0), 0);
		assert_string_equal(rig.workers[0].why, "the app called sys.exit()");
		rig_stop(&rig);
	}
}

static void a_crash_shows_the_stacks_and_the_slot_is_found(void **state)
{
	struct answer a;
	char *log;
	int status;
	unsigned slot;

	(void)state;
	start(ITEMS("module=shapes"), 1, 1);
	slot = rig_send(&rig, &(struct rig_request){.method = "GET", .target = "/crash"});
	rig_collect(&rig, slot, &a);
	assert_false(a.ended);
	answer_done(&a);
	assert_int_equal(exchange_holder(rig.x, slot), 0);
	status = rig_wait_exit(&rig, 0);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	log = rig_log(&rig);
	assert_non_null(strstr(log, "in crash"));
	free(log);
}

static void threads_serve_at_the_same_time(void **state)
{
	unsigned slots[4];
	uint64_t started;
	struct answer a;

	(void)state;
	start(ITEMS("module=shapes", "threads=4"), 1, 4);
	started = clock_now_ns();
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		slots[i] =
			rig_send(&rig, &(struct rig_request){.method = "GET", .target = "/sleep"});
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		rig_collect(&rig, slots[i], &a);
		assert_string_equal(a.body, "slept");
		answer_done(&a);
	}
	assert_true(clock_now_ns() - started <
		    900 * NS_PER_MS); /* one after the other would take 1200 */
	rig_get(&rig, "/thread_name", &a);
	assert_non_null(strstr(a.body, "(False, 'emperor-"));
	answer_done(&a);
	rig_get(&rig, "/environ_dump", &a);
	assert_non_null(strstr(a.body, "wsgi.multithread=True"));
	answer_done(&a);
	rig_ask(&rig,
		&(struct rig_request){.method = "POST",
				      .target = "/upload?read",
				      .body = SPAN("threaded"),
				      .as_file = true},
		&a);
	assert_string_equal(a.body, "[b'', b'thr', b'eaded', b'']");
	answer_done(&a);
	exchange_worker_retire(rig.x, 0);
	assert_int_equal(rig_wait_exit(&rig, 0), 0);
}

static void stop_signals_leave_a_worker_alone(void **state)
{
	(void)state;
	start(ITEMS("module=shapes"), 1, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(kill(rig.workers[0].pid, SIGTERM), 0);
		assert_int_equal(kill(rig.workers[0].pid, SIGINT), 0);
		assert_int_equal(kill(rig.mold, SIGTERM), 0);
		expect("/plain", "plain");
	}
	exchange_worker_retire(rig.x, 0);
	assert_int_equal(rig_wait_exit(&rig, 0), 0);
	assert_true(rig_fork(&rig, 0));
	expect("/plain", "plain");
}

static void an_apps_own_signal_handler_runs_while_idle_and_in_threads(void **state)
{
	(void)state;
	start(ITEMS("module=shapes"), 1, 1);
	expect("/set_handler", "set");
	(void)usleep(50000);
	assert_int_equal(kill(rig.workers[0].pid, SIGUSR2), 0);
	(void)usleep(50000);
	expect("/get_signals", "1");
}

static void the_stacks_of_a_stuck_request_can_be_asked_for(void **state)
{
	struct answer a;
	unsigned slot;
	char *log;

	(void)state;
	start(ITEMS("module=shapes"), 1, 1);
	slot = rig_send(&rig, &(struct rig_request){.method = "GET", .target = "/sleep"});
	(void)usleep(100000);
	assert_int_equal(kill(rig.workers[0].pid, SIGRTMIN + CREW_STACKS_SIGNAL_OFFSET), 0);
	rig_collect(&rig, slot, &a);
	assert_string_equal(a.body, "slept");
	answer_done(&a);
	log = rig_log(&rig);
	if (!strstr(log, "in sleep"))
		fail_msg("no stack of sleep in: %s", log);
	free(log);
}

static void a_mold_with_threads_from_import_says_so(void **state)
{
	(void)state;
	start(ITEMS("module=threads_at_import"), 1, 1);
	assert_non_null(strstr(rig.text, "1 threads"));
	expect("/", "served");
}

static void a_warm_up_that_starts_threads_is_undone(void **state)
{
	(void)state;
	start(ITEMS("module=threads_at_request", "warmup=/"), 1, 1);
	assert_non_null(strstr(rig.text, "started again without warm-up"));
	expect("/", "1"); /* the thread is this worker's own */
}

static void a_client_that_has_gone_stops_the_iteration(void **state)
{
	struct answer a;
	unsigned slot;

	(void)state;
	start(ITEMS("module=shapes"), 1, 1);
	slot = rig_send(&rig, &(struct rig_request){.method = "GET", .target = "/endless"});
	while (exchange_holder(rig.x, slot) < 0)
		(void)usleep(1000);
	assert_false(exchange_abandon(rig.x, slot));
	rig_collect(&rig, slot, &a);
	assert_true(a.ended);
	answer_done(&a);
	expect("/was_closed", "1");
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void a_virtualenv_is_found_and_one_of_another_version_refused(void **state)
{
	char dir[] = "/tmp/engine-venv-XXXXXX";
	char command[256];
	char home[128];
	char path[160];
	struct answer a;
	char python[] = RIG_PYTHON; /* PREFIX/bin/pythonX.Y */
	char want[256];

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(command, sizeof(command), RIG_PYTHON " -m venv --without-pip %s/v", dir);
	assert_int_equal(system(command), 0);
	(void)snprintf(home, sizeof(home), "home=%s/v", dir);
	start(ITEMS("module=shapes", home), 1, 1);
	rig_get(&rig, "/python", &a);
	(void)snprintf(want, sizeof(want), "%s/v/bin/python %s/v %s", dir, dir,
		       dirname(dirname(python)));
	assert_string_equal(a.body, want);
	answer_done(&a);
	rig_stop(&rig);

	(void)snprintf(path, sizeof(path), "%s/v/pyvenv.cfg", dir);
	write_text(path, "home = /opt/python/bin\nversion = 3.4.10\n");
	assert_false(rig_start(&rig, ITEMS("module=shapes", home), 1, 1));
	assert_int_equal(rig.fail_phase, FAIL_ENGINE);
	assert_non_null(strstr(rig.text, "made for Python 3.4"));
	assert_int_equal(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void an_edit_within_the_same_second_is_noticed(void **state)
{
	char dir[] = "/tmp/engine-edit-XXXXXX";
	char path[64];
	char pythonpath[80];

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/edited.py", dir);
	(void)snprintf(pythonpath, sizeof(pythonpath), "pythonpath=%s", dir);
	for (int i = 0; i < 4; i++) {
		char text[256];
		char want[8];

		(void)snprintf(want, sizeof(want), "v%d", i);
		(void)snprintf(text, sizeof(text),
			       "def application(e, s):\n    s('200 OK', [])\n    return [b'%s']\n",
			       want);
		write_text(path, text);
		start(ITEMS("module=edited", pythonpath), 1, 1);
		expect("/", want);
		rig_stop(&rig);
	}
	assert_int_equal(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* In a process of its own, which then dies like a front that crashed. */
static void nobody_outlives_the_front(void **state)
{
	int pipes[2];
	pid_t pids[2];
	pid_t front;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	front = fork();
	if (front == 0) {
		if (!rig_start(&rig, ITEMS("module=shapes"), 1, 1))
			_exit(1);
		pids[0] = rig.mold;
		pids[1] = rig.workers[0].pid;
		(void)!write(pipes[1], pids, sizeof(pids));
		(void)kill(getpid(), SIGKILL);
	}
	assert_int_equal(read(pipes[0], pids, sizeof(pids)), sizeof(pids));
	assert_int_equal(waitpid(front, NULL, 0), front);
	for (int i = 0; i < 2; i++) {
		int status;

		/* Adopted by us, the next subreaper, when the front died. */
		for (int k = 0; k < 2000 && waitpid(pids[i], &status, WNOHANG) == 0; k++)
			(void)usleep(1000);
		assert_int_equal(kill(pids[i], 0), -1);
		assert_int_equal(errno, ESRCH);
	}
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_app_that_cannot_be_loaded_says_why),
		cmocka_unit_test(the_callable_is_found_as_the_ini_names_it),
		cmocka_unit_test_teardown(fork_hooks_run_once_for_each_worker, stop),
		cmocka_unit_test_teardown(a_fork_hook_may_wait_for_a_thread_of_the_mold, stop),
		cmocka_unit_test_teardown(
			a_worker_has_the_front_as_parent_and_no_strange_descriptors, stop),
		cmocka_unit_test_teardown(a_file_is_executed_under_the_name_that_uwsgi_gives_it,
					  stop),
		cmocka_unit_test_teardown(a_retired_worker_runs_atexit_and_leaves, stop),
		cmocka_unit_test_teardown(an_atexit_that_hangs_has_a_deadline, stop),
		cmocka_unit_test(sys_exit_in_a_request_ends_the_worker_after_it),
		cmocka_unit_test_teardown(a_crash_shows_the_stacks_and_the_slot_is_found, stop),
		cmocka_unit_test_teardown(threads_serve_at_the_same_time, stop),
		cmocka_unit_test_teardown(stop_signals_leave_a_worker_alone, stop),
		cmocka_unit_test_teardown(an_apps_own_signal_handler_runs_while_idle_and_in_threads,
					  stop),
		cmocka_unit_test_teardown(the_stacks_of_a_stuck_request_can_be_asked_for, stop),
		cmocka_unit_test_teardown(a_mold_with_threads_from_import_says_so, stop),
		cmocka_unit_test_teardown(a_warm_up_that_starts_threads_is_undone, stop),
		cmocka_unit_test_teardown(a_client_that_has_gone_stops_the_iteration, stop),
		cmocka_unit_test_teardown(a_virtualenv_is_found_and_one_of_another_version_refused,
					  stop),
		cmocka_unit_test(an_edit_within_the_same_second_is_noticed),
		cmocka_unit_test(nobody_outlives_the_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
