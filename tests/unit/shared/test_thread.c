/*
 * test_thread - a helper thread is deaf to signals, the one that started it is as it was; detached or joined.
 */
#include "shared/thread.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct seen {
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool ended;
	bool term, usr1;
	size_t stack_bytes;
	int detached;
};

static void *look(void *arg)
{
	struct seen *s = arg;
	pthread_attr_t attr;
	sigset_t mask;

	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
	(void)pthread_mutex_lock(&s->lock);
	s->term = sigismember(&mask, SIGTERM);
	s->usr1 = sigismember(&mask, SIGUSR1);
	(void)pthread_getattr_np(pthread_self(), &attr);
	(void)pthread_attr_getstacksize(&attr, &s->stack_bytes);
	(void)pthread_attr_getdetachstate(&attr, &s->detached);
	(void)pthread_attr_destroy(&attr);
	s->ended = true;
	(void)pthread_cond_signal(&s->done);
	(void)pthread_mutex_unlock(&s->lock);
	return s;
}

static void it_hears_no_signal_and_its_starter_hears_what_it_heard(void **state)
{
	struct seen s = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
	sigset_t usr1, before, after;
	pthread_t thread;
	void *ret = NULL;

	(void)state;
	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	(void)pthread_sigmask(SIG_SETMASK, &usr1, &before);
	assert_int_equal(thread_start(&thread, 256UL * 1024, look, &s), 0);
	(void)pthread_sigmask(SIG_SETMASK, &before, &after);
	assert_int_equal(sigismember(&after, SIGUSR1), 1);
	assert_int_equal(sigismember(&after, SIGTERM), 0);
	assert_int_equal(pthread_join(thread, &ret), 0);
	assert_ptr_equal(ret, &s);
	assert_true(s.term && s.usr1);
	assert_int_equal(s.detached, PTHREAD_CREATE_JOINABLE);
	assert_true(s.stack_bytes >= 256UL * 1024 && s.stack_bytes < 1024UL * 1024);
}

static void nobody_needs_to_wait_for_a_detached_one(void **state)
{
	struct seen s = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

	(void)state;
	/* less than the system needs */
	assert_int_equal(thread_start(NULL, 1, look, &s), 0);
	(void)pthread_mutex_lock(&s.lock);
	while (!s.ended)
		(void)pthread_cond_wait(&s.done, &s.lock);
	(void)pthread_mutex_unlock(&s.lock);
	assert_int_equal(s.detached, PTHREAD_CREATE_DETACHED);
	assert_true(s.stack_bytes >= (size_t)PTHREAD_STACK_MIN);
}

static void what_cannot_be_started_is_said(void **state)
{
	(void)state;
	assert_true(thread_start(NULL, SIZE_MAX / 4, look, NULL) < 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_hears_no_signal_and_its_starter_hears_what_it_heard),
		cmocka_unit_test(nobody_needs_to_wait_for_a_detached_one),
		cmocka_unit_test(what_cannot_be_started_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
