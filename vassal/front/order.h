/*
 * order - who is next when requests wait for a worker. Pure.
 *
 * Usually the oldest. When the oldest has been waiting for a tenth of queue-timeout, more comes than can be done: in
 * turn, everybody would be served when hardly anybody still waits for the answer. Then the newest is next, and the
 * oldest are those who get 503: at queue-timeout, or when the queue is full. It ends when nobody has waited for half of
 * that.
 */
#pragma once
#include "shared/base.h"

enum order { ORDER_OLDEST_FIRST, ORDER_NEWEST_FIRST };

/* oldest_ns: how long the oldest of those that wait has done so; waiting: how many they are. */
enum order order_next(enum order now, uint64_t oldest_ns, unsigned waiting, uint64_t timeout_ns);
/*
 * How many may be with the workers, those in work included: the exchange hands out what it has in turn, so what is to be
 * held back stays with us. lanes: threads that serve.
 */
unsigned order_most_out(enum order order, unsigned lanes, unsigned slots);
