/*
 * crowd - see crowd.h. Called from the doors, so never with a connection that is in hand.
 */
#include "vassal/front/crowd.h"

#include <sys/socket.h>

#include "shared/clock.h"
#include "shared/limits.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/notes.h"
#include "vassal/front/state.h"

#define LOOKS 16 /* idle ones that turn out to have asked: they are busy in a moment */

static void say(struct front *f)
{
	notes_rarely(
		f, RARE_CROWD,
		"%u connections, no more may be open (max-fd): those that ask nothing are closed "
		"for new ones",
		f->conns_n);
}

/* A request may have come that we have not been told of: closed now, its client would get no answer. */
static bool has_asked(const struct conn *c)
{
	char byte;

	return c->readable || c->in.n > 0 || recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static bool close_idle(struct front *f)
{
	const struct timer_list *l = &f->timers[TIMER_IDLE];
	unsigned looks = 0;

	for (struct timer *t = l->head.next; t != &l->head && looks < LOOKS; t = t->next) {
		struct conn *c = container_of(t, struct conn, timer);

		if (f->now_ns - c->begun_ns < LIMIT_CROWD_IDLE_MS * NS_PER_MS)
			return false;
		looks++;
		if (has_asked(c))
			continue;
		say(f);
		board_add(&f->count->crowded, 1);
		conn_kill(c, false);
		return true;
	}
	return false;
}

static bool refuse_slow(struct front *f)
{
	const struct timer_list *l = &f->timers[TIMER_HEAD];
	struct conn *c = container_of(l->head.next, struct conn, timer);

	if (l->head.next == &l->head || f->now_ns - c->begun_ns < LIMIT_CROWD_HEAD_S * NS_PER_S)
		return false;
	/* it is read before the next one comes */
	if (c->in.n == 0 && has_asked(c))
		return false;
	say(f);
	board_add(&f->count->crowded, 1);
	if (c->in.n > 0)
		error_refuse(c, 408, "the head takes long, and others wait for a connection");
	else
		conn_kill(c, false);
	return c->state == CONN_DEAD;
}

bool crowd_make_room(struct front *f)
{
	return close_idle(f) || refuse_slow(f);
}
