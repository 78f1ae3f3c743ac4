/*
 * order - see order.h.
 */
#include "vassal/front/order.h"

#define PART \
	10 /* of queue-timeout: 6 s by default, longer than any burst and shorter than patience */
#define AHEAD \
	2 /* of each lane: one in work, and one at hand, so that it need not wait for the front */

enum order order_next(enum order now, uint64_t oldest_ns, unsigned waiting, uint64_t timeout_ns)
{
	uint64_t limit_ns = timeout_ns / PART;

	if (waiting == 0 || limit_ns == 0)
		return ORDER_OLDEST_FIRST;
	if (now == ORDER_OLDEST_FIRST)
		return oldest_ns >= limit_ns ? ORDER_NEWEST_FIRST : ORDER_OLDEST_FIRST;
	return oldest_ns >= limit_ns / 2 ? ORDER_NEWEST_FIRST : ORDER_OLDEST_FIRST;
}

unsigned order_most_out(enum order order, unsigned lanes, unsigned slots)
{
	return order == ORDER_OLDEST_FIRST ? slots : MIN(slots, AHEAD * MAX(lanes, 1U));
}
