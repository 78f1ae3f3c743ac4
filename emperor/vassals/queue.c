/*
 * queue - whose turn it is to start. Not everything starts at once: at most start_at_once imports run side by side, the
 * rest wait in order. Importing is processor time, so more at once only makes each of them later. A start that takes
 * longer than VASSALS_SLOT_S gives its place up, so that one app which hangs in its import delays nobody for long.
 */
#include "emperor/vassals/internal.h"

#include "shared/clock.h"

void vassals_queue_start(struct vassals *v, struct app *a)
{
	if (a->queued)
		return;
	a->queued = true;
	a->queue_next = NULL;
	*v->queue_last = a;
	v->queue_last = &a->queue_next;
}

void vassals_unqueue(struct vassals *v, struct app *a)
{
	struct app **at = &v->queue;

	if (!a->queued)
		return;
	while (*at && *at != a)
		at = &(*at)->queue_next;
	if (*at)
		*at = a->queue_next;
	if (v->queue_last == &a->queue_next)
		v->queue_last = at;
	a->queued = false;
}

static unsigned starting_now(const struct vassals *v)
{
	uint64_t now = clock_now_ns();
	unsigned n = 0;

	for (size_t i = 0; i < v->n; i++) {
		const struct generation *g = v->v[i]->candidate;

		if (g && now - g->spawned_ns < (uint64_t)(VASSALS_SLOT_S * 1e9))
			n++;
	}
	return n;
}

static bool has_bank(const struct app *a)
{
	unsigned n = 0;

	for (const struct generation *g = a->generations; g; g = g->next)
		n++;
	return n < LIMIT_BANKS;
}

/* An app whose four generations all live waits, and lets others pass. */
static struct app *next_due(const struct vassals *v)
{
	for (struct app *a = v->queue; a; a = a->queue_next)
		if (has_bank(a))
			return a;
	return NULL;
}

void vassals_pump(struct vassals *v)
{
	struct app *a;

	/* Bounded by the queue's length: a launch that fails leaves it for a timer, never for the queue. */
	while (v->queue && starting_now(v) < v->start_at_once && (a = next_due(v)) != NULL) {
		vassals_unqueue(v, a);
		app_launch(a);
	}
	if (v->queue && !ev_is_active(&v->pump)) {
		ev_timer_set(&v->pump, VASSALS_SLOT_S / 4, 0);
		ev_timer_start(v->setup.loop, &v->pump);
	}
}
