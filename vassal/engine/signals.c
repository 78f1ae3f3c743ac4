/*
 * signals - see signals.h.
 *
 * Handlers, not SIG_IGN: an ignored signal stays ignored over exec, and what an app starts could not be terminated.
 * A process that an app forks (multiprocessing) inherits handlers too; there the signal gets its usual effect back.
 */
#include "vassal/engine/signals.h"

#include <signal.h>
#include <unistd.h>

#include "shared/base.h"

/* Handlers have no argument: these two are all the state they need, each written before its handler is set. */
static volatile pid_t owner;
static volatile sig_atomic_t exit_code;

static void on_stop(int number)
{
	if (getpid() == owner)
		return;
	(void)signal(number, SIG_DFL);
	(void)raise(number); /* delivered when this handler returns */
}

static void on_deadline(int number)
{
	static const char text[] = "threads that are no daemons, or atexit functions, took too "
				   "long; leaving without them\n";

	(void)number;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(exit_code);
}

static void set_handler(int number, void (*fn)(int))
{
	struct sigaction action = {.sa_handler = fn, .sa_flags = SA_RESTART};

	(void)sigaction(number, &action, NULL);
}

static bool is_ours(int number)
{
	struct sigaction action;

	return sigaction(number, NULL, &action) == 0 &&
	       (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN ||
		action.sa_handler == on_stop);
}

static const int numbers[] = {SIGINT, SIGTERM};

static void mask(int how)
{
	sigset_t set;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		(void)sigaddset(&set, numbers[i]);
	(void)pthread_sigmask(how, &set, NULL);
}

void signals_hold(void)
{
	mask(SIG_BLOCK);
	if (is_ours(SIGPIPE))
		(void)signal(SIGPIPE, SIG_IGN);
}

void signals_release(void)
{
	owner = getpid();
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		set_handler(numbers[i], on_stop); /* Python has set one of its own for INT */
	mask(SIG_UNBLOCK);
}

void signals_start(void)
{
	owner = getpid();
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (is_ours(numbers[i])) /* else the app set its own while it was imported */
			set_handler(numbers[i], on_stop);
	if (is_ours(SIGPIPE))
		(void)signal(SIGPIPE, SIG_IGN);
}

void signals_exit_after(unsigned seconds, int code)
{
	sigset_t alarm_only;

	exit_code = code;
	set_handler(SIGALRM, on_deadline);
	(void)sigemptyset(&alarm_only);
	(void)sigaddset(&alarm_only, SIGALRM);
	(void)pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
	(void)alarm(seconds);
}
