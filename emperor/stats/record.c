/*
 * record - see record.h.
 */
#include "emperor/stats/record.h"

const char *const record_gauge_names[GAUGE_COUNT] = {
	[GAUGE_WORKERS] = "workers",
	[GAUGE_BUSY] = "busy",
	[GAUGE_RSS] = "rss",
	[GAUGE_P50] = "p50_us",
	[GAUGE_P95] = "p95_us",
	[GAUGE_P99] = "p99_us",
	[GAUGE_QUEUE_P50] = "queue_p50_us",
	[GAUGE_QUEUE_P95] = "queue_p95_us",
	[GAUGE_QUEUE_P99] = "queue_p99_us",
};
