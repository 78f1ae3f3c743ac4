/*
 * test_exits - a process is gone only if it is gone: that it cannot be opened for want of descriptors says nothing about
 * it, and it is watched until one is free again.
 */
#include "emperor/vassals/exits.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "shared/fd.h"

struct world {
	struct ev_loop *loop;
	pid_t parent, pid; /* pid is the child of parent, which reaps it, and not ours */
	struct exits_identity is;
	struct exits exits;
	unsigned told;
	int status;
	struct rlimit limit;
};

static struct world world;

/* Lives until its parent's end of the pipe is closed. */
static void be_parent(int report_fd)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)close(report_fd);
		for (;;)
			(void)pause();
	}
	(void)write(report_fd, &pid, sizeof(pid));
	(void)waitpid(pid, NULL, 0);
	_exit(0);
}

static int set_up(void **state)
{
	struct world *w = &world;
	int fds[2];

	*w = (struct world){.loop = ev_default_loop(0)};
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	w->parent = fork();
	if (w->parent == 0)
		be_parent(fds[1]);
	(void)close(fds[1]);
	assert_int_equal(read(fds[0], &w->pid, sizeof(w->pid)), sizeof(w->pid));
	(void)close(fds[0]);
	assert_int_equal(exits_identify(w->pid, &w->is), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &w->limit), 0);
	*state = w;
	return 0;
}

static void end_process(struct world *w)
{
	if (w->parent > 0) {
		(void)kill(w->pid, SIGKILL);
		(void)waitpid(w->parent, NULL, 0);
	}
	w->parent = 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	(void)setrlimit(RLIMIT_NOFILE, &w->limit);
	exits_stop(&w->exits);
	end_process(w);
	return 0;
}

/* From now on no descriptor can be had. */
static void use_up_descriptors(const struct world *w)
{
	struct rlimit few = w->limit;

	few.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
}

static void give_descriptors(const struct world *w)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &w->limit), 0);
}

static void on_exit_told(struct exits *x, int status)
{
	struct world *w = container_of(x, struct world, exits);

	w->told++;
	w->status = status;
	ev_break(w->loop, EVBREAK_ALL);
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)timer;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static void run(struct world *w, double at_most_s)
{
	ev_timer limit;

	ev_timer_init(&limit, on_limit, at_most_s, 0);
	ev_timer_start(w->loop, &limit);
	(void)ev_run(w->loop, 0);
	ev_timer_stop(w->loop, &limit);
}

static void one_that_lives_is_opened_and_another_with_its_number_is_not(void **state)
{
	struct world *w = *state;
	struct exits_identity other = w->is;
	int fd = exits_open(w->pid, &w->is);

	assert_true(fd >= 0);
	(void)close(fd);
	other.start++;
	assert_int_equal(exits_open(w->pid, &other), -ESRCH);
	other = w->is;
	other.uid++;
	assert_int_equal(exits_open(w->pid, &other), -ESRCH);
	end_process(w);
	assert_int_equal(exits_open(w->pid, &w->is), -ESRCH);
	assert_int_equal(exits_identify(w->pid, &other), -ESRCH);
	assert_int_equal(exits_open(0, &w->is), -ESRCH);
}

static void without_descriptors_only_the_dead_are_taken_for_gone(void **state)
{
	struct world *w = *state;
	struct exits_identity now;

	use_up_descriptors(w);
	assert_int_equal(exits_open(w->pid, &w->is), -EMFILE);
	assert_int_equal(exits_identify(w->pid, &now), -EMFILE);
	give_descriptors(w);
	end_process(w);
	use_up_descriptors(w);
	assert_int_equal(exits_open(w->pid, &w->is), -ESRCH);
	give_descriptors(w);
}

static bool lives(const struct world *w)
{
	struct exits_identity now;

	return exits_identify(w->pid, &now) == 0;
}

static void nobody_is_signalled_who_is_not_known_to_be_meant(void **state)
{
	struct world *w = *state;
	struct exits_identity other = w->is;

	use_up_descriptors(w);
	assert_int_equal(exits_signal_other(w->pid, &w->is, SIGKILL), -EMFILE);
	give_descriptors(w);
	other.start++;
	assert_int_equal(exits_signal_other(w->pid, &other, SIGKILL), -ESRCH);
	assert_true(lives(w));
	assert_int_equal(exits_signal_other(w->pid, &w->is, SIGKILL), 0);
	(void)waitpid(w->parent, NULL, 0); /* it waits for its child */
	w->parent = 0;
	assert_false(lives(w));
}

static void its_end_is_told_once(void **state)
{
	struct world *w = *state;

	exits_adopt(&w->exits, w->loop, w->pid, &w->is, exits_open(w->pid, &w->is), on_exit_told);
	exits_signal(&w->exits, SIGKILL);
	run(w, 10);
	assert_int_equal(w->told, 1);
	assert_int_equal(w->status, EXITS_UNKNOWN);
	assert_int_equal(w->exits.pid, 0);
}

static void one_that_could_not_be_opened_is_watched_once_it_can(void **state)
{
	struct world *w = *state;
	int pidfd;

	use_up_descriptors(w);
	pidfd = exits_open(w->pid, &w->is);
	assert_int_equal(pidfd, -EMFILE);
	exits_adopt(&w->exits, w->loop, w->pid, &w->is, pidfd, on_exit_told);
	run(w, 1.2);
	assert_int_equal(w->told, 0);
	assert_int_equal(w->exits.pidfd, 0);
	give_descriptors(w);
	run(w, 1.2);
	assert_int_equal(w->told, 0);
	assert_true(w->exits.pidfd > 0);
	exits_signal(&w->exits, SIGKILL);
	run(w, 10);
	assert_int_equal(w->told, 1);
}

static void one_that_ends_while_it_cannot_be_opened_is_told_of(void **state)
{
	struct world *w = *state;

	exits_adopt(&w->exits, w->loop, w->pid, &w->is, -EMFILE, on_exit_told);
	exits_signal(&w->exits, SIGKILL);
	(void)waitpid(w->parent, NULL, 0);
	w->parent = 0;
	/* its number is free: whoever has it next must not be met */
	exits_signal(&w->exits, SIGKILL);
	run(w, 10);
	assert_int_equal(w->told, 1);
	assert_int_equal(w->status, EXITS_UNKNOWN);
}

static void a_signal_does_not_meet_another_with_its_number(void **state)
{
	struct world *w = *state;
	struct exits_identity other = w->is;

	other.start++;
	exits_adopt(&w->exits, w->loop, w->pid, &other, -EMFILE, on_exit_told);
	exits_signal(&w->exits, SIGKILL);
	assert_int_equal(kill(w->pid, 0), 0);
	assert_int_equal(waitpid(w->parent, NULL, WNOHANG), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			one_that_lives_is_opened_and_another_with_its_number_is_not, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			without_descriptors_only_the_dead_are_taken_for_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_is_signalled_who_is_not_known_to_be_meant,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(its_end_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_could_not_be_opened_is_watched_once_it_can,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_that_ends_while_it_cannot_be_opened_is_told_of,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_signal_does_not_meet_another_with_its_number,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
