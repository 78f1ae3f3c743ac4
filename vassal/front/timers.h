/*
 * timers - deadlines of many objects without a timer each: a list per duration. All entries of a list wait equally
 * long, so appending keeps it ordered and only its head has to be looked at. Pure.
 */
#pragma once
#include "shared/base.h"

struct timer { /* zeroed = in no list; embedded in what waits */
	struct timer *prev, *next;
	uint64_t deadline_ns;
};

struct timer_list {
	struct timer head; /* sentinel */
	uint64_t span_ns;  /* 0: this deadline is switched off, nothing comes in */
};

void timer_list_init(struct timer_list *l, uint64_t span_ns);
/* Those that wait are measured by the new span too; one that is switched off leaves them the time they had. */
void timer_list_set_span(struct timer_list *l, uint64_t span_ns);
/* Leaves whatever list it is in and waits in this one from now on. */
void timer_set(struct timer_list *l, struct timer *t, uint64_t now_ns);
/* The same for a wait that began earlier: it stands where its deadline belongs. */
void timer_set_since(struct timer_list *l, struct timer *t, uint64_t since_ns);
void timer_clear(struct timer *t);
/* The first entry that is due, still in the list; NULL if none. */
struct timer *timer_due(const struct timer_list *l, uint64_t now_ns);

static inline bool timer_is_set(const struct timer *t)
{
	return t->next != NULL;
}
