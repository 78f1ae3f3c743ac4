/*
 * test_roles - a role that cannot be started is tried again ever later, and never in a busy loop.
 */
#include "emperor/vassals/roles.h"

#include <errno.h>
#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "emperor/vassals/spawn.h"
#include "shared/err.h"

static unsigned tries;

int __wrap_spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_outcome_fd, struct err *err);

int __wrap_spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_outcome_fd, struct err *err)
{
	(void)s, (void)ret_pid, (void)ret_outcome_fd;
	tries++;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_that_fails_is_not_repeated_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
