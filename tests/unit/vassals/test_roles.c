/*
 * test_roles - a role that cannot be started is tried again ever later, and never in a busy loop.
 */
#include "emperor/vassals/roles.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "emperor/vassals/spawn.h"
#include "emperor/vassals/vassals.h"
#include "shared/err.h"
#include "shared/fd.h"

static unsigned tries;

/* A role of ours: it says that it is ready, and answers if it is to. */
static enum { NO_CHILD, SILENT, TALKING, LOSING } answering;

static void answer(int fd, bool pings)
{
	const struct role_msg ready = {.kind = ROLE_READY, .a = ROLE_VERSION};
	const struct role_msg pong = {.kind = ROLE_PONG};
	const struct role_msg again = {.kind = ROLE_AGAIN};
	struct role_msg m;
	int fds[2], n;

	(void)fd_set_nonblock(fd, false);
	(void)role_send(fd, &ready, NULL, NULL, 0);
	for (int i = 0; answering == LOSING && i < 5; i++)
		(void)role_send(fd, &again, NULL, NULL, 0);
	while (role_recv(fd, &m, fds, &n, NULL) > 0)
		if (pings && m.kind == ROLE_PING)
			(void)role_send(fd, &pong, NULL, NULL, 0);
	_exit(0);
}

static int start_child(const struct spawn *s, pid_t *ret_pid, int *ret_outcome_fd)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	*ret_pid = fork();
	if (*ret_pid == 0) {
		int fd = dup(s->fds[0]);

		(void)close_range(3, (unsigned)fd - 1, 0);
		answer(fd, answering == TALKING);
	}
	(void)close(fds[1]);
	*ret_outcome_fd = fds[0];
	return *ret_pid < 0 ? -errno : 0;
}

int __wrap_spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_outcome_fd, struct err *err);

int __wrap_spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_outcome_fd, struct err *err)
{
	tries++;
	if (answering)
		return start_child(s, ret_pid, ret_outcome_fd);
	return err_set(err, -EAGAIN, "no process");
}

static void never(void *arg, enum role_id id)
{
	(void)arg, (void)id;
	fail();
}

static void on_enough(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w, (void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static void a_start_that_fails_is_not_repeated_at_once(void **state)
{
	struct roles_setup setup = {
		.loop = ev_default_loop(0), .environ_now = environ, .fresh = never, .gone = never};
	struct roles *roles;
	ev_timer enough;

	(void)state;
	assert_int_equal(roles_new(&roles, &setup, NULL), 0);
	roles_start(roles);
	ev_timer_init(&enough, on_enough, 0.4, 0);
	ev_timer_start(setup.loop, &enough);
	(void)ev_run(setup.loop, 0);
	assert_in_range(tries, ROLE_ID_COUNT, 3 * ROLE_ID_COUNT);
	assert_false(roles_ready(roles));
	assert_false(roles_alive(roles));
	assert_int_equal(roles_pid(roles, ROLE_ID_GATE), 0);
	roles_free(roles);
}

static void nothing(void *arg, enum role_id id)
{
	(void)arg, (void)id;
}

/* How often roles were started meanwhile. */
static unsigned starts_in(double seconds, double ping_s, int how)
{
	struct roles_setup setup = {.loop = ev_default_loop(0),
				    .environ_now = environ,
				    .ping_s = ping_s,
				    .fresh = nothing,
				    .gone = nothing};
	struct roles *roles;
	ev_timer enough;

	tries = 0;
	answering = (typeof(answering))how;
	assert_int_equal(roles_new(&roles, &setup, NULL), 0);
	roles_start(roles);
	ev_timer_init(&enough, on_enough, seconds, 0);
	ev_timer_start(setup.loop, &enough);
	(void)ev_run(setup.loop, 0);
	roles_kill_all(roles);
	while (roles_alive(roles))
		(void)ev_run(setup.loop, EVRUN_ONCE);
	roles_free(roles);
	answering = NO_CHILD;
	return tries;
}

static void a_role_that_answers_stays(void **state)
{
	(void)state;
	assert_int_equal(starts_in(1.0, 0.2, TALKING), ROLE_ID_COUNT);
}

static void a_role_that_stands_still_is_replaced(void **state)
{
	(void)state;
	assert_in_range(starts_in(1.5, 0.02, SILENT), ROLE_ID_COUNT + 1, 10 * ROLE_ID_COUNT);
}

/* Runs until a process of the role is there that is not pid. */
static pid_t wait_for_another(struct ev_loop *loop, const struct roles *roles, pid_t pid)
{
	while (roles_pid(roles, ROLE_ID_GATE) == 0 || roles_pid(roles, ROLE_ID_GATE) == pid)
		(void)ev_run(loop, EVRUN_ONCE);
	return roles_pid(roles, ROLE_ID_GATE);
}

static void a_death_that_nobody_wanted_is_counted_with_how(void **state)
{
	struct roles_setup setup = {.loop = ev_default_loop(0),
				    .environ_now = environ,
				    .fresh = nothing,
				    .gone = nothing};
	struct roles *roles;
	struct role_info died;
	pid_t pid;

	(void)state;
	answering = TALKING;
	assert_int_equal(roles_new(&roles, &setup, NULL), 0);
	roles_start(roles);
	pid = wait_for_another(setup.loop, roles, 0);
	roles_fill_info(roles, ROLE_ID_GATE, &died);
	assert_int_equal(died.deaths, 0);
	for (unsigned n = 1; n <= 2; n++) {
		(void)kill(pid, SIGKILL);
		pid = wait_for_another(setup.loop, roles, pid);
		roles_fill_info(roles, ROLE_ID_GATE, &died);
		assert_int_equal(died.deaths, n);
		assert_true(died.died_wall_ns > 0);
		assert_string_equal(died.how, "killed by signal 9 (Killed)");
	}
	roles_kill_all(roles);
	while (roles_alive(roles))
		(void)ev_run(setup.loop, EVRUN_ONCE);
	roles_fill_info(roles, ROLE_ID_GATE, &died);
	assert_int_equal(died.deaths, 2); /* that end was wanted */
	roles_fill_info(roles, ROLE_ID_STATS, &died);
	assert_int_equal(died.deaths, 0);
	roles_free(roles);
	answering = NO_CHILD;
}

static unsigned briefings;

static void on_fresh(void *arg, enum role_id id)
{
	(void)arg;
	briefings += id == ROLE_ID_GATE;
}

static void a_role_that_has_lost_something_is_told_all_again_and_once(void **state)
{
	struct roles_setup setup = {.loop = ev_default_loop(0),
				    .environ_now = environ,
				    .fresh = on_fresh,
				    .gone = nothing};
	struct roles *roles;
	ev_timer enough;

	(void)state;
	answering = LOSING;
	assert_int_equal(roles_new(&roles, &setup, NULL), 0);
	roles_start(roles);
	ev_timer_init(&enough, on_enough, 2.5 * ROLES_AGAIN_S, 0);
	ev_timer_start(setup.loop, &enough);
	while (briefings < 2 && ev_is_active(&enough))
		(void)ev_run(setup.loop, EVRUN_ONCE);
	assert_int_equal(briefings, 2);
	while (ev_is_active(&enough)) /* it has asked five times, at once */
		(void)ev_run(setup.loop, EVRUN_ONCE);
	assert_int_equal(briefings, 2);
	roles_kill_all(roles);
	while (roles_alive(roles))
		(void)ev_run(setup.loop, EVRUN_ONCE);
	roles_free(roles);
	answering = NO_CHILD;
}

static void without_descriptors_a_role_is_told_all_the_same(void **state)
{
	struct roles_setup setup = {.loop = ev_default_loop(0),
				    .environ_now = environ,
				    .fresh = nothing,
				    .gone = nothing};
	const struct role_msg m = {.kind = KEEPER_KEEP};
	struct rlimit few, limit;
	struct roles *roles;
	pid_t pid;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	answering = TALKING;
	assert_int_equal(roles_new(&roles, &setup, NULL), 0);
	roles_start(roles);
	pid = wait_for_another(setup.loop, roles, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = limit;
	few.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int i = 0; i < 3; i++)
		roles_tell(roles, ROLE_ID_GATE, &m, "x", &null, 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(roles_link(roles, ROLE_ID_GATE) >= 0); /* else it has been given up */
	assert_int_equal(roles_pid(roles, ROLE_ID_GATE), pid);
	roles_kill_all(roles);
	while (roles_alive(roles))
		(void)ev_run(setup.loop, EVRUN_ONCE);
	roles_free(roles);
	(void)close(null);
	answering = NO_CHILD;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_that_fails_is_not_repeated_at_once),
		cmocka_unit_test(a_role_that_answers_stays),
		cmocka_unit_test(a_role_that_stands_still_is_replaced),
		cmocka_unit_test(a_death_that_nobody_wanted_is_counted_with_how),
		cmocka_unit_test(without_descriptors_a_role_is_told_all_the_same),
		cmocka_unit_test(a_role_that_has_lost_something_is_told_all_again_and_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
