/*
 * handover - an ini that is gone in the same look in which another one came may only have been renamed. Then who came gets
 * its names and listeners first, and only after that is who left told to stop: no client meets the moment in between.
 *
 * Who leaves has no claims any more, so that the names are free, but answers for those that nobody has taken yet. It stops
 * once all that came in that look have been launched, or cannot be for HANDOVER_NS. Listeners are moved, not opened anew: what
 * waits in their backlog stays there. Only between apps of one user, for the name of a UNIX socket is made with its rights.
 */
#include "emperor/vassals/internal.h"

#include "shared/clock.h"
#include "shared/log.h"

#define HANDOVER_NS (5 * NS_PER_S) /* many come at once, and start in turn */

void handover_begin(struct app *a)
{
	a->gone = true;
	a->yields = true;
	a->v->yields_until_ns = clock_now_ns() + HANDOVER_NS;
	a->v->routes_changed = true;
	persist_mark(a);
}

static bool has_any(const struct doors *d, const struct loaded *l)
{
	bool any = doors_find(d, &l->stats) >= 0;

	for (size_t i = 0; i < l->config.listeners_n; i++)
		any |= doors_find(d, &l->config.listeners[i].address) >= 0;
	return any;
}

void handover_doors(struct app *a, const struct loaded *l)
{
	for (size_t i = 0; i < a->v->n; i++) {
		struct app *from = a->v->v[i];

		if (!from->yields || from == a || !from->face || from->face->uid != l->uid ||
		    !has_any(&from->doors, l))
			continue;
		/* Asleep it watches them, and who has them from now on could not: only one app is told of a connection. */
		sleep_end(from);
		tell_gate_of_move(from);
		if (doors_move(&from->doors, &a->doors, l) == 0)
			continue;
		log_info("%s: has its listeners from %s, whose ini is gone", a->name, from->name);
		persist_mark(from);
		persist_mark(a);
	}
}

static bool is_awaited(const struct vassals *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i]->comes && v->v[i]->queued)
			return true;
	return false;
}

void handover_end(struct vassals *v)
{
	if (v->yields_until_ns == 0 ||
	    (is_awaited(v) && clock_now_ns() < v->yields_until_ns && !v->shutting_down))
		return;
	v->yields_until_ns = 0;
	for (size_t i = 0; i < v->n; i++) {
		struct app *a = v->v[i];

		a->comes = false;
		if (!a->yields || a->dead)
			continue;
		a->yields = false;
		v->routes_changed = true;
		app_event(a, LIFE_STOP, "its ini is gone");
	}
}
