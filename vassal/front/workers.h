/*
 * workers - what the pool tells the front (pool.h): readiness, deaths, output. The table of its callbacks.
 */
#pragma once

struct pool_events;

extern const struct pool_events workers_events; /* arg: struct front */
