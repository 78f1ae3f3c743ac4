/*
 * diskpool - see diskpool.h.
 */
#include "vassal/front/diskpool.h"

#include <limits.h>
#include <signal.h>

#define STACK_BYTES (64UL * 1024) /* open, pwrite and readahead only */

static void *run(void *arg)
{
	struct diskpool *p = arg;

	(void)pthread_mutex_lock(&p->lock);
	for (;;) {
		struct diskjob *job;

		p->idle++;
		while (!p->first)
			(void)pthread_cond_wait(&p->more, &p->lock);
		p->idle--;
		job = p->first;
		p->first = job->next;
		if (!p->first)
			p->last = &p->first;
		(void)pthread_mutex_unlock(&p->lock);
		job->work(job);
		(void)pthread_mutex_lock(&p->lock);
		job->next = p->finished;
		p->finished = job;
		ev_async_send(p->loop, &p->wake);
	}
	return NULL;
}

static void on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
	struct diskpool *p = container_of(w, struct diskpool, wake);
	struct diskjob *job;

	(void)loop;
	(void)revents;
	(void)pthread_mutex_lock(&p->lock);
	job = TAKE_PTR(p->finished);
	(void)pthread_mutex_unlock(&p->lock);
	while (job) {
		struct diskjob *next = job->next;

		job->done(job);
		job = next;
	}
}

/* Signals belong to the loop's thread. Called with the lock held. */
static bool start_thread(struct diskpool *p)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int r;

	if (pthread_attr_init(&attr) != 0)
		return false;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, MAX(STACK_BYTES, (size_t)PTHREAD_STACK_MIN));
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, &attr, run, p);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	p->threads += r == 0;
	return r == 0;
}

void diskpool_init(struct diskpool *p, struct ev_loop *loop)
{
	*p = (struct diskpool){.loop = loop};
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->more, NULL);
	p->last = &p->first;
	ev_async_init(&p->wake, on_wake);
	ev_async_start(loop, &p->wake);
	ev_unref(loop);
}

bool diskpool_submit(struct diskpool *p, struct diskjob *job)
{
	bool ok;

	(void)pthread_mutex_lock(&p->lock);
	if (p->idle == 0 && p->threads < DISKPOOL_THREADS)
		(void)start_thread(p);
	ok = p->threads > 0;
	if (ok) {
		job->next = NULL;
		*p->last = job;
		p->last = &job->next;
		(void)pthread_cond_signal(&p->more);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return ok;
}
