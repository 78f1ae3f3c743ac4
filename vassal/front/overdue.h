/*
 * overdue - requests in work that take too long: said (slow-request), or ended together with their worker (harakiri).
 */
#pragma once

struct front;

/* Called from the tick: looks at every request that is out. */
void overdue_check(struct front *f);
