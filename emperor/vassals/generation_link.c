/*
 * generation_link - what a front says to its emperor.
 *
 * It is believed only as far as it goes: kinds a front may send, from the generation it was started as. Its texts are
 * cleaned before they reach a log. One that says too much is heard once a second; the rest waits in the socket, and then
 * with itself.
 */
#include "emperor/vassals/internal.h"

#include <errno.h>
#include <inttypes.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/scoreboard.h"
#include "shared/utf8.h"

#define MESSAGES_PER_TURN 32 /* a front that chatters does not hold the loop */
#define MESSAGES_PER_S \
	64 /* ... nor fills the log: one that means well has a few to say in its life */

void generation_note(struct generation *g, const char *text, bool unsaid)
{
	struct app *a = g->app;

	if (unsaid)
		log_warning("%s: %s", a->name, text);
	if (g->notes_n >= LIMIT_FRONT_NOTES)
		return;
	g->notes_n++;
	app_put_text(&g->notes, "%s%s\n", g->notes ? g->notes : "", text);
	tell_change_of(a, g->number, EVENT_NOTE, text);
}

static void take(struct generation *g, struct msg *m)
{
	struct app *a = g->app;

	if (m->generation != g->number) {
		log_warning("%s: \"%s\" from a front that takes itself for generation %" PRIu64
			    ", it is %" PRIu64 ": ignored",
			    a->name, msg_kind_name((enum msg_kind)m->kind), m->generation,
			    g->number);
		return;
	}
	/* From a less trusted process: one terminal must not obey what another wrote. */
	utf8_clean(m->text, "\n\t");
	switch (m->kind) {
	case MSG_HELLO:
		log_debug("%s: generation %" PRIu64 " says hello (pid %d)", a->name, g->number,
			  (int)g->pid);
		break;
	case MSG_READY:
		if (g->part == PART_CANDIDATE)
			app_generation_ready(g, m->a, m->b);
		break;
	case MSG_FAILED:
		app_generation_failed(g, (enum fail_phase)MIN(m->a, (uint64_t)FAIL_PHASE_COUNT),
				      m->text);
		break;
	case MSG_DRAINED:
		log_debug("%s: generation %" PRIu64 " has drained", a->name, g->number);
		if (g->part == PART_LEAVING)
			generation_set_timer(g, VASSALS_LEAVE_S);
		break;
	case MSG_IDLE:
		app_generation_idle(g, m->a);
		break;
	case MSG_ASLEEP:
		app_generation_asleep(g, m->a);
		break;
	case MSG_STATE:
		if (m->a == FRONT_DRAINING && g->part != PART_CANDIDATE && !g->drains) {
			g->drains = true;
			app_generation_leaves(g);
			tell_change(a, EVENT_NONE, NULL);
		}
		if (m->text_n > 0) {
			utf8_clean(m->text, "");
			/* where the app has no file for its log, it stands in ours already */
			generation_note(g, m->text, g->loaded->config.logto != NULL);
		}
		break;
	case MSG_WANT_RELOAD:
		if (g->part == PART_SERVING)
			want_reload(a, *m->text ? m->text : "its front asks for it");
		break;
	case MSG_DONE:
		limits_answered(g, m->b, m->text);
		break;
	default:
		log_warning("%s: its front sent \"%s\", which is the emperor's to say: ignored",
			    a->name, msg_kind_name((enum msg_kind)m->kind));
	}
}

/* False once nothing more can come. */
bool generation_hear(struct generation *g)
{
	for (unsigned i = 0; i < MESSAGES_PER_TURN; i++) {
		struct err err = {0};
		struct msg m;
		int fd;
		int r = msg_recv(g->link_fd, &m, &fd, &err);

		if (r == -EAGAIN)
			return true;
		if (r == -EBADMSG) {
			g->said++;
			log_warning("%s: from its front: %s", g->app->name, err.text);
			continue;
		}
		if (r <= 0)
			return false;
		if (fd >= 0)
			(void)close(fd);
		g->said++;
		take(g, &m);
	}
	return true;
}

static void on_pause_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct generation *g = container_of(timer, struct generation, pause);

	(void)revents;
	g->said = 0;
	ev_io_start(loop, &g->link_io);
}

/* What it has to say waits in the socket, and then with itself. */
static void bound_chatter(struct generation *g)
{
	struct ev_loop *loop = g->app->v->setup.loop;
	uint64_t now = clock_now_ns();

	if (now - g->said_ns >= NS_PER_S) {
		g->said_ns = now;
		g->said = 0;
	}
	if (g->said < MESSAGES_PER_S)
		return;
	if (!g->chatters)
		log_warning("%s: its front says more than %d things a second: from now on it is "
			    "heard once a second",
			    g->app->name, MESSAGES_PER_S);
	g->chatters = true;
	ev_io_stop(loop, &g->link_io);
	ev_timer_set(&g->pause, 1.0, 0);
	ev_timer_start(loop, &g->pause);
}

static void on_link(struct ev_loop *loop, ev_io *io, int revents)
{
	struct generation *g = container_of(io, struct generation, link_io);

	(void)revents;
	if (generation_hear(g)) {
		bound_chatter(g);
		return;
	}
	/* It is exiting, or it can no longer be told anything: then it must not live on beside its successor. */
	ev_io_stop(loop, io);
	generation_set_timer(g, VASSALS_LEAVE_S);
}

void generation_link_init(struct generation *g)
{
	ev_init(&g->pause, on_pause_over);
	ev_io_init(&g->link_io, on_link, g->link_fd, EV_READ);
	if (g->link_fd >= 0)
		ev_io_start(g->app->v->setup.loop, &g->link_io);
}
