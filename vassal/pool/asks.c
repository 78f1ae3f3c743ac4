/*
 * asks - has workers print their stacks, one after the other, and tells what came of it; whose turn it is, stacks.c knows.
 *
 * Asked by signals of crew.h. What comes of it is told by the timer, never from inside a call of the front.
 */
#include "vassal/pool/inner.h"

#include <signal.h>

#include "shared/vassal_config.h"
#include "vassal/exchange/crew.h"

void asks_tell(struct pool *pool)
{
	struct stacks *s = &pool->stacks;

	stacks_end(s);
	if (pool->events.stacks)
		pool->events.stacks(pool->arg, s->worker, s->pid, s->text);
}

/*
 * To its main thread, whose number is the process's: the kernel may give a signal to any thread, and does so when the main
 * one has another on its way. A thread of the app's own would then show itself, and the request would not be interrupted.
 */
static int signal_main(pid_t pid, int offset)
{
	return tgkill(pid, pid, SIGRTMIN + offset);
}

static void ask_stacks(struct pool *pool, unsigned number, enum stacks_how how)
{
	static const int offsets[] = {[STACKS_LOOK] = CREW_LOOK_SIGNAL_OFFSET,
				      [STACKS_INTERRUPT] = CREW_INTERRUPT_SIGNAL_OFFSET,
				      [STACKS_ALL] = CREW_STACKS_SIGNAL_OFFSET};
	pid_t pid = pool->worker[number].pid;

	stacks_asked(&pool->stacks, pid, clock_now_ns());
	if (pid <= 0 || signal_main(pid, offsets[how]) < 0)
		asks_tell(pool);
	else if (how == STACKS_LOOK && pool->setup.config->threads == 1)
		(void)signal_main(pid, CREW_OTHERS_SIGNAL_OFFSET);
}

void asks_turn(struct pool *pool)
{
	enum stacks_how how;
	unsigned number;

	if (stacks_over(&pool->stacks, clock_now_ns()))
		asks_tell(pool);
	while (stacks_next(&pool->stacks, &number, &how))
		ask_stacks(pool, number, how);
	if (pool->stacks.how != STACKS_NONE && !ev_is_active(&pool->stacks_timer))
		ev_timer_again(pool->loop, &pool->stacks_timer);
	else if (pool->stacks.how == STACKS_NONE)
		ev_timer_stop(pool->loop, &pool->stacks_timer);
}

/* The first is asked at once; what comes of it is told by the timer, never from inside a call of the front. */
void asks_stacks(struct pool *pool, unsigned number, enum stacks_how how)
{
	if (pool->worker[number].pid <= 0)
		return;
	stacks_want(&pool->stacks, number, how);
	if (!ev_is_active(&pool->stacks_timer))
		ev_feed_event(pool->loop, &pool->stacks_timer, EV_CUSTOM);
}

void asks_interrupt(struct pool *pool, unsigned number)
{
	/* only who has said that it is ready has its handler: without one the signal is deadly */
	if (pool->policy.slot[number].ready_ns)
		asks_stacks(pool, number, STACKS_INTERRUPT);
}

void asks_doom(struct pool *pool, unsigned number)
{
	worker_retire(pool, number);
	asks_stacks(pool, number, STACKS_ALL);
}
