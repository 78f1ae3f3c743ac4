/*
 * diskpool - see diskpool.h.
 */
#include "vassal/front/diskpool.h"

#include "shared/thread.h"

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
		p->waiting_n--;
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

void diskpool_init(struct diskpool *p, struct ev_loop *loop, unsigned most)
{
	*p = (struct diskpool){.loop = loop, .most = most};
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
	/* an idle one may have been woken for another job already */
	if (p->idle <= p->waiting_n && p->threads < p->most)
		p->threads += thread_start(NULL, STACK_BYTES, run, p) == 0;
	ok = p->threads > 0;
	if (ok) {
		job->next = NULL;
		*p->last = job;
		p->last = &job->next;
		p->waiting_n++;
		(void)pthread_cond_signal(&p->more);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return ok;
}
