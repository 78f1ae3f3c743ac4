/*
 * test_control - the control server on a loop of its own, with this test as its clients and as the table of apps.
 */
#include "emperor/control/control.h"

#include <errno.h>
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>
#include <jansson.h>

#include "emperor/vassals/vassals.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/scoreboard.h"

/* -- the table of apps, as far as control sees it -------------------------------------------------------- */

struct vassals {
	struct app_info app[2];
	vassals_observer_fn *fn;
	void *arg;
	unsigned reloads, reopens;
	bool at_once; /* the observer hears of a reload inside the call */
};

static void change(struct vassals *v, size_t i, enum app_state state, uint64_t generation,
		   unsigned kind, const char *text)
{
	v->app[i].state = state;
	v->app[i].generation = generation;
	v->fn(v->arg, &v->app[i], false, kind, text);
}

bool vassals_listens(const struct app_info *info, size_t i, char *ret_text)
{
	if (!str_eq(info->name, "blog") || i > 1)
		return false;
	(void)strcpy(ret_text, i ? "/x.sock" : ":80");
	return true;
}

void vassals_visit(struct vassals *v, vassals_visit_fn *fn, void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(v->app); i++)
		fn(arg, &v->app[i]);
}

void vassals_visit_roles(const struct vassals *v,
			 void (*fn)(void *arg, const struct role_info *info), void *arg)
{
	const struct role_info gate = {
		.name = "gate", .pid = 7, .deaths = 2, .died_wall_ns = 99000000000, .how = "why"};

	(void)v;
	fn(arg, &gate);
}

bool vassals_find(struct vassals *v, const char *name, struct app_info *ret_info)
{
	for (size_t i = 0; i < ARRAY_SIZE(v->app); i++)
		if (str_eq(v->app[i].name, name)) {
			*ret_info = v->app[i];
			return true;
		}
	return false;
}

char *vassals_notes(struct vassals *v, const char *name)
{
	(void)v;
	return strdup(str_eq(name, "blog") ? "blog.ini:3: unknown key" : "");
}

static int need_app(struct vassals *v, const char *name, struct err *err)
{
	struct app_info info;

	return !name || vassals_find(v, name, &info)
		       ? 0
		       : err_set(err, -ENOENT, "%s: there is no such app", name);
}

int vassals_reload(struct vassals *v, const char *name, struct err *err)
{
	v->reloads++;
	if (v->at_once)
		change(v, 0, APP_RUNNING, v->app[0].generation + 1, 0, "");
	return need_app(v, name, err);
}

int vassals_stop(struct vassals *v, const char *name, struct err *err)
{
	return need_app(v, name, err);
}

int vassals_start(struct vassals *v, const char *name, struct err *err)
{
	return need_app(v, name, err);
}

void vassals_release(struct vassals *v, const char *name, struct app_release *ret)
{
	(void)v;
	(void)name;
	*ret = (struct app_release){.path = "/srv/r1"};
}

void vassals_inis(struct vassals *v, const char *name, struct app_inis *ret)
{
	(void)v;
	(void)name;
	*ret = (struct app_inis){.serving = SPAN("[vassal]\nmodule = \xff\n")};
}

int vassals_rollback(struct vassals *v, const char *name, struct err *err)
{
	return need_app(v, name, err);
}

int vassals_scale(struct vassals *v, const char *name, unsigned processes, struct err *err)
{
	int r = need_app(v, name, err);

	if (r == 0 && processes <= 8)
		change(v, 0, APP_RUNNING, v->app[0].generation, EVENT_LIMITS, "processes: 2 -> 4");
	else if (r == 0)
		change(v, 0, APP_RUNNING, v->app[0].generation, EVENT_REFUSED,
		       "no room for so many");
	return r;
}

int vassals_unfuse(struct vassals *v, const char *name, struct err *err)
{
	return need_app(v, name, err);
}

const char *plan_kind_name(enum plan_kind kind)
{
	return kind == PLAN_REFUSED ? "refused" : "?";
}

int vassals_plan(struct vassals *v, const struct plan_dirs *dirs, plan_fn *fn, void *arg,
		 struct err *err)
{
	(void)v;
	if (dirs->staged && str_eq(dirs->dirs[0], "/nowhere"))
		return err_set(err, -EIO, "/nowhere: cannot be read");
	fn(arg, "blog", "/x.ini", PLAN_REFUSED, dirs->staged ? dirs->dirs[0] : "as it is");
	return 0;
}

int vassals_reopen_logs(struct vassals *v, const char *name, struct err *err)
{
	v->reopens++;
	return need_app(v, name, err);
}

int vassals_observe(struct vassals *v, vassals_observer_fn *fn, void *arg)
{
	v->fn = fn;
	v->arg = arg;
	return 0;
}

/* -- the world ------------------------------------------------------------------------------------------- */

struct world {
	struct ev_loop *loop;
	struct control *control;
	struct vassals vassals;
	struct sockaddr_un address;
	int listen_fd, board_fd;
	bool settling; /* files are being written */
	unsigned looks;
};

static bool look(void *arg)
{
	struct world *w = arg;

	w->looks++;
	return !w->settling;
}

static int world_open(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct control_facts facts = {.run_dir = "/run/x",
					    .db = "/var/x.db",
					    .stats_socket = "/run/x/stats.sock",
					    .look = look,
					    .look_arg = w};
	struct scoreboard *board;

	if (!w || board_create(&w->board_fd, &board, "blog", NULL) < 0)
		return -1;
	board_set(&board->bank[1].generation, 3);
	atomic_store(&board->bank[1].workers, 100000); /* the app's claim */
	board_set(&board->bank[1].counters.requests, 41);
	board_unmap(board);
	for (size_t i = 0; i < 2; i++)
		w->vassals.app[i] = (struct app_info){.id = (uint32_t)i + 1,
						      .name = i ? "shop" : "blog",
						      .file = "/x.ini",
						      .state = APP_RUNNING,
						      .reason = "",
						      .last_error = "",
						      .generation = 3,
						      .domains = "",
						      .addresses = "",
						      .board_fd = i ? -1 : w->board_fd};
	w->address.sun_family = AF_UNIX;
	(void)snprintf(w->address.sun_path, sizeof(w->address.sun_path), "/tmp/test_control.%d",
		       (int)getpid());
	(void)unlink(w->address.sun_path);
	w->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(w->listen_fd, (const struct sockaddr *)&w->address, sizeof(w->address)) < 0 ||
	    listen(w->listen_fd, 128) < 0)
		return -1;
	w->loop = ev_loop_new(EVFLAG_AUTO);
	*state = w;
	return control_start(&w->control, w->loop, w->listen_fd, &w->vassals, &facts, NULL);
}

static int world_close(void **state)
{
	struct world *w = *state;

	control_free(w->control);
	ev_loop_destroy(w->loop);
	(void)close(w->listen_fd);
	(void)close(w->board_fd);
	(void)unlink(w->address.sun_path);
	free(w);
	return 0;
}

static int dial(struct world *w)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&w->address, sizeof(w->address)), 0);
	return fd;
}

static int say(struct world *w, const char *line)
{
	int fd = dial(w);

	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	for (int i = 0; i < 4; i++)
		(void)ev_run(w->loop, EVRUN_NOWAIT);
	return fd;
}

/* The whole answer, or NULL while there is none. Closes when there is. */
static json_t *hear(struct world *w, int fd, int *ret_fd)
{
	static char buf[64 * 1024];
	int nfds = 1, passed = -1;
	json_t *root;
	ssize_t n;

	for (int i = 0; i < 4; i++)
		(void)ev_run(w->loop, EVRUN_NOWAIT);
	n = fd_recv(fd, buf, sizeof(buf), &passed, &nfds);
	if (n == -EAGAIN)
		return NULL;
	assert_true(n > 0);
	assert_int_equal(buf[n - 1], '\n');
	assert_int_equal(recv(fd, buf + n, 1, 0), 0); /* one answer, then the end */
	root = json_loadb(buf, (size_t)n, 0, NULL);
	assert_non_null(root);
	(void)close(fd);
	if (ret_fd)
		*ret_fd = nfds == 1 ? passed : -1;
	else if (nfds == 1)
		(void)close(passed);
	return root;
}

/* Is there an answer, is it ok, and does its error hold this text (NULL: has none)? */
static void expect(struct world *w, int fd, bool ok, const char *error)
{
	json_t *root = hear(w, fd, NULL);
	const char *text;

	assert_non_null(root);
	assert_int_equal(json_is_true(json_object_get(root, "ok")), ok);
	text = json_string_value(json_object_get(root, "error"));
	if (!text)
		text = json_string_value(
			json_object_get(json_array_get(json_object_get(root, "apps"), 0), "error"));
	if (error && (!text || !strstr(text, error)))
		fail_msg("\"%s\" is not in \"%s\"", error, text ? text : "nothing");
	if (!error)
		assert_null(text);
	json_decref(root);
}

static void expect_silence(struct world *w, int fd)
{
	assert_null(hear(w, fd, NULL));
}

/* -- tests ----------------------------------------------------------------------------------------------- */

static void status_tells_of_every_app_and_clamps_what_apps_claim(void **state)
{
	struct world *w = *state;
	json_t *root = hear(w, say(w, "status\n"), NULL), *app;

	assert_int_equal(json_array_size(json_object_get(root, "apps")), 2);
	app = json_array_get(json_object_get(root, "apps"), 0);
	assert_string_equal(json_string_value(json_object_get(app, "name")), "blog");
	assert_string_equal(json_string_value(json_object_get(app, "state")), "running");
	assert_int_equal(json_integer_value(json_object_get(app, "requests")), 41);
	assert_int_equal(json_integer_value(json_object_get(app, "workers")), LIMIT_WORKERS);
	assert_null(json_object_get(app, "notes"));
	app = json_object_get(app, "listens");
	assert_int_equal(json_array_size(app), 2);
	assert_string_equal(json_string_value(json_array_get(app, 1)), "/x.sock");
	app = json_array_get(json_object_get(root, "roles"), 0);
	assert_int_equal(json_integer_value(json_object_get(app, "deaths")), 2);
	assert_int_equal(json_integer_value(json_object_get(app, "last_death")), 99);
	assert_string_equal(json_string_value(json_object_get(app, "last_death_how")), "why");
	json_decref(root);
	root = hear(w, say(w, "status blog\n"), NULL);
	app = json_array_get(json_object_get(root, "apps"), 0);
	assert_string_equal(json_string_value(json_object_get(app, "notes")),
			    "blog.ini:3: unknown key");
	json_decref(root);
}

static void bad_commands_are_answered(void **state)
{
	static char huge[LIMIT_CONTROL_LINE + 1];
	struct world *w = *state;

	expect(w, say(w, "status nobody\n"), false, "nobody: there is no such app");
	expect(w, say(w, "dance\n"), false, "unknown command");
	expect(w, say(w, "reload nobody\n"), false, "no such app");
	expect(w, say(w, "\n"), false, "unknown command");
	expect(w, say(w, "board shop\n"), false, "no scoreboard");
	memset(huge, 'x', sizeof(huge) - 1);
	expect(w, say(w, huge), false, "too long");
}

static void a_reload_is_answered_when_the_new_generation_serves(void **state)
{
	struct world *w = *state;
	int fd = say(w, "reload blog\n");

	assert_int_equal(w->vassals.reloads, 1);
	expect_silence(w, fd);
	change(&w->vassals, 0, APP_REPLACING, 3, 0, "");
	change(&w->vassals, 1, APP_RUNNING, 9, 0, ""); /* another app */
	expect_silence(w, fd);
	change(&w->vassals, 0, APP_RUNNING, 4, EVENT_RELOADED, "");
	expect(w, fd, true, NULL);
}

static void a_command_waits_until_the_files_were_looked_at(void **state)
{
	struct world *w = *state;
	int fd, gone, bad;

	control_looked(NULL);
	control_looked(w->control); /* nobody waits */
	w->settling = true;
	fd = say(w, "reload blog\n");
	bad = say(w, "reload nobody\n");
	gone = say(w, "reload shop\n");
	assert_int_equal(w->looks, 3);
	assert_int_equal(w->vassals.reloads, 0);
	expect_silence(w, fd);
	(void)close(gone);
	expect_silence(w, bad);
	/* what is not about an app's file does not wait */
	expect(w, say(w, "version\n"), true, NULL);
	assert_int_equal(w->looks, 3);
	control_looked(w->control);
	assert_int_equal(w->vassals.reloads, 3);
	expect(w, bad, false, "no such app");
	expect_silence(w, fd);
	control_looked(w->control); /* a command is given once */
	assert_int_equal(w->vassals.reloads, 3);
	change(&w->vassals, 0, APP_RUNNING, 4, EVENT_RELOADED, "");
	expect(w, fd, true, NULL);
}

static void a_failed_reload_says_why_though_the_old_generation_serves(void **state)
{
	struct world *w = *state;
	int fd = say(w, "reload blog\n");

	change(&w->vassals, 0, APP_REPLACING, 3, 0, "");
	w->vassals.app[0].last_error = "Traceback:\nImportError: no x";
	change(&w->vassals, 0, APP_RUNNING, 3, EVENT_FAILED, "import");
	expect(w, fd, false, "ImportError: no x");
}

static void an_outcome_inside_the_call_is_not_lost(void **state)
{
	struct world *w = *state;

	w->vassals.at_once = true;
	expect(w, say(w, "reload blog\n"), true, NULL);
}

static void a_reload_of_all_waits_for_the_last(void **state)
{
	struct world *w = *state;
	int fd = say(w, "reload --all\n");

	change(&w->vassals, 1, APP_RUNNING, 4, EVENT_RELOADED, "");
	expect_silence(w, fd);
	change(&w->vassals, 0, APP_BACKOFF, 3, 0, "");
	expect(w, fd, false, "no reason is known");
}

static void no_wait_does_not_wait(void **state)
{
	struct world *w = *state;

	expect(w, say(w, "reload --no-wait blog\n"), true, NULL);
	assert_int_equal(w->vassals.reloads, 1);
	expect(w, say(w, "reload --no-wait nobody\n"), false, "no such app");
}

static void stop_and_start_know_when_they_are_done(void **state)
{
	struct world *w = *state;
	int fd = say(w, "stop blog\n");

	expect_silence(w, fd);
	change(&w->vassals, 0, APP_STOPPING, 3, 0, "");
	expect_silence(w, fd);
	change(&w->vassals, 0, APP_STOPPED, 3, EVENT_STOPPED, "");
	expect(w, fd, true, NULL);
	expect(w, say(w, "stop blog\n"), true, NULL); /* it is */
	fd = say(w, "start blog\n");
	expect_silence(w, fd);
	change(&w->vassals, 0, APP_STARTING, 4, 0, "");
	expect_silence(w, fd);
	change(&w->vassals, 0, APP_RUNNING, 4, EVENT_STARTED, "");
	expect(w, fd, true, NULL);
	expect(w, say(w, "start blog\n"), true, NULL);
}

static void a_plan_is_of_the_emperors_directories_or_of_another(void **state)
{
	static const char *const cases[][2] = {{"plan\n", "as it is"}, {"plan /tmp\n", "/tmp"}};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *root = hear(w, say(w, cases[i][0]), NULL);
		const json_t *row = json_array_get(json_object_get(root, "apps"), 0);

		assert_string_equal(json_string_value(json_object_get(row, "name")), "blog");
		assert_string_equal(json_string_value(json_object_get(row, "action")), "refused");
		assert_string_equal(json_string_value(json_object_get(row, "text")), cases[i][1]);
		json_decref(root);
	}
	expect(w, say(w, "plan /nowhere\n"), false, "/nowhere: cannot be read");
	expect(w, say(w, "plan tmp\n"), false, "absolute");
}

static void the_ini_of_what_serves_is_told_whatever_its_bytes_are(void **state)
{
	struct world *w = *state;
	json_t *root = hear(w, say(w, "ini blog\n"), NULL);

	assert_non_null(strstr(json_string_value(json_object_get(root, "ini")), "module = "));
	assert_null(json_object_get(root, "previous"));
	json_decref(root);
	expect(w, say(w, "ini nobody\n"), false, "no such app");
}

static void a_scale_is_answered_by_the_front(void **state)
{
	struct world *w = *state;

	expect(w, say(w, "scale 4 blog\n"), true, NULL);
	expect(w, say(w, "scale 9 blog\n"), false, "no room for so many");
	expect(w, say(w, "scale 4 nobody\n"), false, "no such app");
}

static void an_unfuse_is_passed_on(void **state)
{
	struct world *w = *state;

	expect(w, say(w, "unfuse blog\n"), true, NULL);
	expect(w, say(w, "unfuse nobody\n"), false, "no such app");
}

static void a_client_that_leaves_while_it_waits_hurts_nobody(void **state)
{
	struct world *w = *state;

	(void)close(say(w, "reload blog\n"));
	for (int i = 0; i < 4; i++)
		(void)ev_run(w->loop, EVRUN_NOWAIT);
	change(&w->vassals, 0, APP_RUNNING, 4, EVENT_RELOADED, "");
	expect(w, say(w, "reopen\n"), true, NULL);
	assert_int_equal(w->vassals.reopens, 1);
}

static void the_scoreboard_travels_beside_the_answer(void **state)
{
	struct world *w = *state;
	const struct scoreboard *board;
	int fd = -1;
	json_t *root = hear(w, say(w, "board blog\n"), &fd);

	assert_true(fd >= 0);
	assert_int_equal(board_map_readonly(fd, &board, NULL), 0);
	assert_non_null(board_find_bank(board, 3));
	board_unmap(board);
	(void)close(fd);
	json_decref(root);
}

/* More than LIMIT_CONTROL_CONNS silent clients: the rest wait, and are served when one has gone. */
static void silent_clients_do_not_add_up(void **state)
{
	struct world *w = *state;
	int silent[LIMIT_CONTROL_CONNS], fd;

	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		silent[i] = dial(w);
	for (int i = 0; i < 4; i++)
		(void)ev_run(w->loop, EVRUN_NOWAIT);
	fd = say(w, "version\n");
	expect_silence(w, fd);
	(void)close(silent[0]);
	for (int i = 0; i < 4; i++)
		(void)ev_run(w->loop, EVRUN_NOWAIT);
	expect(w, fd, true, NULL);
	for (size_t i = 1; i < ARRAY_SIZE(silent); i++)
		(void)close(silent[i]);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(status_tells_of_every_app_and_clamps_what_apps_claim),
		CASE(bad_commands_are_answered),
		CASE(a_reload_is_answered_when_the_new_generation_serves),
		CASE(a_command_waits_until_the_files_were_looked_at),
		CASE(a_failed_reload_says_why_though_the_old_generation_serves),
		CASE(an_outcome_inside_the_call_is_not_lost),
		CASE(a_reload_of_all_waits_for_the_last),
		CASE(no_wait_does_not_wait),
		CASE(stop_and_start_know_when_they_are_done),
		CASE(a_plan_is_of_the_emperors_directories_or_of_another),
		CASE(the_ini_of_what_serves_is_told_whatever_its_bytes_are),
		CASE(a_scale_is_answered_by_the_front),
		CASE(an_unfuse_is_passed_on),
		CASE(a_client_that_leaves_while_it_waits_hurts_nobody),
		CASE(the_scoreboard_travels_beside_the_answer),
		CASE(silent_clients_do_not_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
