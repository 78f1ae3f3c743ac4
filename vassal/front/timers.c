/*
 * timers - see timers.h.
 */
#include "vassal/front/timers.h"

void timer_list_init(struct timer_list *l, uint64_t span_ns)
{
	l->head.prev = l->head.next = &l->head;
	l->span_ns = span_ns;
}

void timer_list_set_span(struct timer_list *l, uint64_t span_ns)
{
	uint64_t was_ns = l->span_ns;

	l->span_ns = span_ns;
	/* all move by the same amount, so their order stays; without a span those that run keep their time */
	for (struct timer *t = l->head.next; span_ns > 0 && t != &l->head; t = t->next)
		t->deadline_ns = t->deadline_ns - MIN(was_ns, t->deadline_ns) + span_ns;
}

void timer_clear(struct timer *t)
{
	if (!t->next)
		return;
	t->prev->next = t->next;
	t->next->prev = t->prev;
	t->prev = t->next = NULL;
}

void timer_set(struct timer_list *l, struct timer *t, uint64_t now_ns)
{
	timer_clear(t);
	if (l->span_ns == 0)
		return;
	t->deadline_ns = now_ns + l->span_ns;
	t->prev = l->head.prev;
	t->next = &l->head;
	l->head.prev->next = t;
	l->head.prev = t;
}

void timer_set_since(struct timer_list *l, struct timer *t, uint64_t since_ns)
{
	struct timer *at;

	timer_clear(t);
	if (l->span_ns == 0)
		return;
	t->deadline_ns = since_ns + l->span_ns;
	/* proxies are about equally fast: few steps */
	at = l->head.prev;
	while (at != &l->head && at->deadline_ns > t->deadline_ns)
		at = at->prev;
	t->prev = at;
	t->next = at->next;
	at->next->prev = t;
	at->next = t;
}

struct timer *timer_due(const struct timer_list *l, uint64_t now_ns)
{
	struct timer *first = l->head.next;

	return first != &l->head && first->deadline_ns <= now_ns ? first : NULL;
}
