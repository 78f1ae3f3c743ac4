/* libs: shared emperor_stats */
/*
 * A board as a hostile app may leave it: the input is a list of patches (u24 offset, u8 length, bytes) to a board that is
 * otherwise in use. Every reader must end, stay inside, terminate its texts and give numbers that fit int64_t.
 */
#include "shared/scoreboard.h"

#include <assert.h>

#include "emperor/stats/collect.h"
#include "emperor/stats/view.h"
#include "shared/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void patch(struct scoreboard *b, const uint8_t *p, size_t n)
{
	while (n >= 4) {
		size_t at = ((size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2]) % sizeof(*b);
		size_t k = MIN((size_t)p[3], n - 4);

		memcpy((char *)b + at, p + 4, MIN(k, sizeof(*b) - at));
		p += 4 + k;
		n -= 4 + k;
	}
}

static void check_event(void *arg, const struct record_event *e)
{
	unsigned *n = arg;

	(*n)++;
	assert(memchr(e->text, '\0', sizeof(e->text)));
	assert(memchr(e->app, '\0', sizeof(e->app)));
	assert(e->kind < EVENT_KIND_COUNT && e->worker <= LIMIT_WORKERS);
}

static void check_totals(const struct scoreboard *b)
{
	struct board_totals t;

	board_read_totals(b, &t);
	for (size_t i = 0; i < board_fields_n; i++) {
		uint64_t n;

		memcpy(&n, (const char *)&t + board_fields[i].totals_offset, sizeof(n));
		assert(n <= INT64_MAX);
	}
	assert(board_percentile_us(t.app_hist, 99) <= board_bucket_floor_us(BOARD_BUCKETS));
	assert(board_percentile_us(t.app_hist, 50) <= board_percentile_us(t.app_hist, 99));
}

static void check_events(const struct scoreboard *b, bool wait)
{
	uint64_t at = 0;
	uint64_t missed = 0;
	unsigned n = 0;
	struct board_event e;

	while (board_next_event(b, &at, wait, &missed, &e)) {
		assert(++n <= BOARD_EVENTS);
		assert(memchr(e.text, '\0', sizeof(e.text)));
	}
}

static void check_blames(const struct scoreboard *b, bool wait)
{
	uint64_t at = 0;
	uint64_t missed = 0;
	unsigned n = 0;
	struct board_blame r;

	while (board_next_blame(b, &at, wait, &missed, &r)) {
		assert(++n <= BOARD_BLAMES);
		assert(memchr(r.id, '\0', sizeof(r.id)));
		assert(memchr(r.request, '\0', sizeof(r.request)));
		assert(memchr(r.reason, '\0', sizeof(r.reason)));
		assert(memchr(r.stacks, '\0', sizeof(r.stacks)));
		assert(memchr(r.log, '\0', sizeof(r.log)));
		assert(r.kind > BLAME_NONE && r.kind < BLAME_KIND_COUNT);
		assert(r.worker <= LIMIT_WORKERS && r.status < 1000 && r.signal < 128);
		assert(r.wall_ns <= INT64_MAX && r.generation <= INT64_MAX);
	}
}

static void check_bank(const struct board_bank *bank)
{
	uint64_t at = 0;
	char buf[512];
	char line[BOARD_LINE];
	char id[LIMIT_REQUEST_ID];
	uint64_t started;

	assert(board_log_read(bank, &at, buf, sizeof(buf)) <= sizeof(buf));
	for (unsigned i = 0; i < LIMIT_LANES; i++)
		if (board_read_lane(&bank->lane[i], line, id, &started))
			assert(memchr(line, '\0', sizeof(line)) && memchr(id, '\0', sizeof(id)));
}

static void check_views(struct app *a)
{
	struct record_minute m;
	unsigned events = 0;
	json_t *root;
	json_t *back;
	size_t n = 0;
	char *text;

	collect_begin(a, 1);
	collect_events(a, 1000, check_event, &events);
	assert(events <= COLLECT_EVENTS_PER_MINUTE);
	root = view_app(a, 1000, 1000);
	text = json_dump_text(root, false, &n);
	assert(text && text[n] == '\0');
	back = json_loads(text, 0, NULL);
	assert(back && json_equal(root, back));
	json_decref(back);
	json_decref(root);
	free(text);
	(void)collect_minute(a, 60, 120, &m);
	for (size_t i = 0; i < GAUGE_COUNT; i++)
		assert(m.gauges[i] <= INT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(fd_closep) int fd = -1;
	struct scoreboard *b = NULL;
	struct app a = {.name = "blog", .generation = 1};
	struct board_blame blame;
	int r = board_create(&fd, &b, "blog", NULL);

	assert(r == 0);
	a.board = b;
	for (unsigned i = 0; i < LIMIT_BANKS; i++) {
		b->bank[i].generation = i + 1;
		b->bank[i].state = FRONT_SERVING;
		b->bank[i].workers = 2;
		b->bank[i].threads = 2;
	}
	board_event(b, 1, 1, EVENT_NOTE, 1, "an event");
	blame = (struct board_blame){
		.wall_ns = 1, .kind = BLAME_SLOW, .request = "GET /", .stacks = "Thread 0x1"};
	board_blame_write(b, &blame);
	board_log_write(&b->bank[0], "a line\n", 7);
	patch(b, data, size);

	check_totals(b);
	check_events(b, true);
	check_events(b, false);
	check_blames(b, true);
	check_blames(b, false);
	for (unsigned i = 0; i < LIMIT_BANKS; i++)
		check_bank(&b->bank[i]);
	check_views(&a);
	board_unmap(b);
	return 0;
}
