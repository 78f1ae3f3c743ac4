/* notes: what goes on for as long as requests come is said once a minute, in the log and among the events. */
#include "vassal/front/notes.h"

#include "rig.h"

#include "shared/clock.h"

static char log_text[4096];

/* How often the log holds this. */
static unsigned said(const struct front *f, const char *words)
{
	uint64_t at = 0;
	size_t n = board_log_read(f->bank, &at, log_text, sizeof(log_text) - 1);
	unsigned found = 0;

	log_text[n] = '\0';
	for (const char *p = log_text; (p = strstr(p, words)); p++)
		found++;
	return found;
}

static void a_minute_has_one_line_of_each_and_the_next_counts_the_others(void **state)
{
	struct front *f = rig_make(4, 4);

	(void)state;
	f->now_ns = 1000 * NS_PER_S;
	for (unsigned i = 0; i < 5; i++)
		notes_rarely(f, RARE_CROWD, "too many: %u", i);
	notes_rarely(f, RARE_SPOOL, "disk full");
	assert_int_equal(said(f, "too many: 0\n"), 1);
	assert_int_equal(said(f, "too many"), 1);
	assert_int_equal(said(f, "disk full\n"), 1);
	f->now_ns += 60 * NS_PER_S - 1;
	notes_rarely(f, RARE_CROWD, "too many: 5");
	assert_int_equal(said(f, "too many"), 1);
	f->now_ns++;
	notes_rarely(f, RARE_CROWD, "too many: 6");
	assert_int_equal(said(f, "too many: 6; 5 more since this was said last\n"), 1);
	f->now_ns += 60 * NS_PER_S;
	notes_rarely(f, RARE_CROWD, "too many: 7");
	assert_int_equal(said(f, "too many: 7\n"), 1);
	/* an event for each line, and none for what is left out */
	assert_int_equal(atomic_load(&f->board->events), 4);
	rig_free(f);
}

static void an_answer_that_cannot_be_stored_counts_once_however_long_it_is(void **state)
{
	static char fill[65536];
	struct front *f = rig_make(2, 2);
	struct iovec iov;
	struct conn *c;
	int ends[2];

	(void)state;
	f->out_limits.tmpdir = "/nonexistent";
	for (unsigned i = 0; i < 2; i++) {
		c = rig_ask(f, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &ends[i]);
		for (unsigned k = 0; k < 64 && !c->out.refused; k++) {
			iov = (struct iovec){fill, sizeof(fill)};
			assert_int_equal(conn_write(c, &iov, 1), 0);
		}
		assert_int_equal(c->out.refused, -ENOENT);
		for (unsigned k = 0; k < 3; k++) {
			iov = (struct iovec){fill, 1};
			assert_int_equal(conn_write(c, &iov, 1), 0);
		}
		assert_int_equal(f->rare_notes.v[RARE_SPOOL].unsaid, i);
	}
	assert_int_equal(said(f, "answers cannot be stored"), 1);
	(void)close(ends[0]);
	(void)close(ends[1]);
	rig_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_minute_has_one_line_of_each_and_the_next_counts_the_others),
		cmocka_unit_test(an_answer_that_cannot_be_stored_counts_once_however_long_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
