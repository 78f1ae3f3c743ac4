/*
 * timers - see timers.h.
 */
#include "vassal/front/timers.h"

void timer_list_init(struct timer_list *l, uint64_t span_ns)
{
	l->head.prev = l->head.next = &l->head;
	l->span_ns = span_ns;
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

struct timer *timer_due(const struct timer_list *l, uint64_t now_ns)
{
	struct timer *first = l->head.next;

	return first != &l->head && first->deadline_ns <= now_ns ? first : NULL;
}
