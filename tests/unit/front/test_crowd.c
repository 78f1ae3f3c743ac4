/* crowd: at the limit of connections, who may be closed for new ones, and who not. */
#include "vassal/front/crowd.h"

#include "rig.h"

#include "shared/clock.h"

static struct front *f;

static int setup(void **state)
{
	(void)state;
	f = rig_make(4, 4);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_free(f);
	return 0;
}

/* As a door begins it: nothing has come yet. */
static struct conn *newcomer(const char *text, int *ret_end)
{
	struct conn *c = rig_ask(f, text, ret_end);

	c->begun_ns = f->now_ns;
	timer_set(&f->timers[TIMER_HEAD], &c->timer, f->now_ns);
	return c;
}

static void who_says_nothing_goes_after_a_while(void **state)
{
	int end;
	const struct conn *c = newcomer("", &end);

	(void)state;
	f->now_ns += LIMIT_CROWD_HEAD_S * NS_PER_S - 1;
	assert_false(crowd_make_room(f));
	f->now_ns++;
	assert_true(crowd_make_room(f));
	assert_int_equal(c->state, CONN_DEAD);
	assert_int_equal(board_get(&f->count->crowded), 1);
	(void)close(end);
}

/* The loop hears of the door before it hears of the connection, or has stood still. */
static void a_request_that_has_come_and_was_not_read_yet_stays(void **state)
{
	static const char ask[] = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
	int end;
	struct conn *c = newcomer("", &end);

	(void)state;
	f->now_ns += LIMIT_CROWD_HEAD_S * NS_PER_S;
	assert_int_equal(write(end, ask, sizeof(ask) - 1), sizeof(ask) - 1);
	assert_false(crowd_make_room(f));
	assert_int_equal(board_get(&f->count->crowded), 0);
	c->readable = true;
	intake_run(c);
	assert_int_equal(c->state, CONN_WAIT);
	(void)close(end);
}

static void an_unfinished_head_is_told(void **state)
{
	char buf[1024];
	bool closed;
	int end;

	(void)state;
	(void)newcomer("GET /a HTTP/1.1\r\nHo", &end);
	f->now_ns += LIMIT_CROWD_HEAD_S * NS_PER_S;
	(void)crowd_make_room(f);
	(void)rig_read(end, buf, sizeof(buf), &closed);
	assert_non_null(strstr(buf, " 408 "));
	(void)close(end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_says_nothing_goes_after_a_while, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_request_that_has_come_and_was_not_read_yet_stays,
						setup, teardown),
		cmocka_unit_test_setup_teardown(an_unfinished_head_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
