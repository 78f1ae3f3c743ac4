/*
 * overdue - requests in work that take too long: said (slow-request), interrupted (interrupt-timeout), or ended together
 * with their worker (harakiri).
 */
#pragma once

struct front;

/* Called from the tick: looks at every request that is out. */
void overdue_check(struct front *f);
/* The worker is done with this request: if it had been interrupted, that worked. Before the slot is given back. */
void overdue_ended(struct front *f, unsigned slot, unsigned lane);
