/*
 * bare - see bare.h. Readiness and the end come from the loop, as a pool's do: who started or stopped us is not called
 * from inside.
 */
#include "vassal/front/bare.h"

#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/lifecycle.h"
#include "vassal/front/record.h"
#include "vassal/front/state.h"
#include "vassal/proto/request.h"

static void on_start(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	lifecycle_ready(container_of(w, struct front, bare_timer), 0, 0);
}

static void on_stop(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	lifecycle_stopped(container_of(w, struct front, bare_timer));
}

bool bare_start(struct front *f)
{
	f->bare = !f->config->module && !f->config->wsgi_file && f->config->mounts_n == 0;
	if (!f->bare)
		return false;
	/* "0/1" would look as if one were missing */
	atomic_store(&f->bank->workers, 0);
	ev_timer_init(&f->bare_timer, on_start, 0., 0.);
	ev_timer_start(f->loop, &f->bare_timer);
	return true;
}

void bare_stop(struct front *f)
{
	ev_timer_stop(f->loop, &f->bare_timer);
	ev_timer_init(&f->bare_timer, on_stop, 0., 0.);
	ev_timer_start(f->loop, &f->bare_timer);
}

void bare_answer(struct conn *c, const struct request *rq)
{
	bool known = !rq || rq->is_head || span_eq(rq->method, SPAN("GET"));

	error_answer_fields(c, known ? 404 : 405,
			    known ? span_of("", 0) : SPAN("Allow: GET, HEAD\r\n"),
			    &(struct record){0});
}
