/* edges: doors when nothing more can be taken, the last words of a worker, time that is counted once. */
#include "rig.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/pass.h"
#include "vassal/front/doors.h"

static void send_one(int sock, int fd)
{
	struct pass p = {.head = {.flags = PASS_OWN_LISTENER}, .bytes = span_of("", 0), .fd = fd};

	assert_int_equal(pass_send(sock, &p), 0);
}

static bool waits(int sock)
{
	char byte;

	return recv(sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* A front with one adopted door, through which a connection waits to come in. */
static struct front *make_adopting(int pair[2], int ends[2])
{
	struct front *f = rig_make(2, 2);

	for (unsigned i = 0; i < ARRAY_SIZE(f->adopt); i++)
		f->adopt[i] =
			(struct door){.watched.kind = WATCH_DOOR, .kind = DOOR_ADOPT, .fd = -1};
	assert_int_equal(fd_seqpacket_pair(pair, true), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	doors_adopt(f, pair[0]);
	send_one(pair[1], ends[0]);
	return f;
}

static void an_adopted_door_rests_while_there_is_no_room_and_comes_back(void **state)
{
	int pair[2], ends[2];
	struct front *f = make_adopting(pair, ends);
	unsigned limit = f->conns_limit;

	(void)state;
	f->conns_limit = 0;
	door_event(&f->adopt[0], f, EPOLLIN);
	assert_false(f->adopt[0].open);
	assert_true(f->doors_paused);
	f->conns_limit = limit;
	doors_resume(f);
	assert_true(f->adopt[0].open);
	door_event(&f->adopt[0], f, EPOLLIN);
	assert_int_equal(f->conns_n, 1);
	rig_free(f);
}

/* Uses up every number below the limit but this many. */
static unsigned eat_descriptors(int fds[], unsigned max, unsigned leave)
{
	unsigned n = 0;

	while (n < max && (fds[n] = dup(0)) >= 0)
		n++;
	assert_true(n > leave && n < max);
	while (leave-- > 0)
		(void)close(fds[--n]);
	return n;
}

static void a_connection_waits_in_its_door_until_there_is_a_descriptor_for_it(void **state)
{
	static int fds[512];
	struct rlimit old, few;
	int pair[2], ends[2];
	struct front *f;
	unsigned n;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){256, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	f = make_adopting(pair, ends);
	n = eat_descriptors(fds, ARRAY_SIZE(fds), 4);
	door_event(&f->adopt[0], f, EPOLLIN);
	assert_int_equal(f->conns_n, 0);
	assert_true(f->doors_paused);
	assert_true(waits(pair[0]));
	while (n > 0)
		(void)close(fds[--n]);
	doors_resume(f);
	door_event(&f->adopt[0], f, EPOLLIN);
	assert_int_equal(f->conns_n, 1);
	(void)setrlimit(RLIMIT_NOFILE, &old);
	rig_free(f);
}

static void a_connection_that_was_lost_for_want_of_a_descriptor_is_told_apart(void **state)
{
	static int fds[512];
	static char buf[PASS_BUF_SIZE] __attribute__((aligned(8)));
	struct rlimit old, few;
	struct err err = {0};
	struct pass p;
	int pair[2];
	unsigned n;
	int r;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){256, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(fd_seqpacket_pair(pair, true), 0);
	send_one(pair[1], 0);
	n = eat_descriptors(fds, ARRAY_SIZE(fds), 0);
	r = pass_recv(pair[0], buf, sizeof(buf), &p, &err);
	while (n > 0)
		(void)close(fds[--n]);
	(void)setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(r, -EMFILE);
	assert_non_null(strstr(err.text, "no descriptor"));
}

static void the_longest_head_can_be_passed(void **state)
{
	static char bytes[LIMIT_HEAD_BYTES + 1];
	static char buf[PASS_BUF_SIZE] __attribute__((aligned(8)));
	struct pass p = {.bytes = span_of(bytes, sizeof(bytes)), .fd = 0};
	int pair[2];

	(void)state;
	assert_int_equal(fd_seqpacket_pair(pair, true), 0);
	assert_int_equal(pass_send(pair[1], &p), 0);
	assert_int_equal(pass_recv(pair[0], buf, sizeof(buf), &p, NULL), 1);
	assert_int_equal(p.bytes.n, sizeof(bytes));
	(void)close(p.fd);
}

#define PIECES 100 /* more frames than are gathered for one writev */

static void what_a_dead_worker_has_said_completely_is_sent(void **state)
{
	static const struct {
		bool ended;
		const char *status;
	} cases[] = {{true, "HTTP/1.1 200 "}, {false, ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct front *f = rig_make(2, 2);
		char got[8192];
		bool closed;
		unsigned slot;
		int end;

		(void)rig_ask(f, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &end);
		slot = worker_take(f);
		worker_head(f, slot, 200, PIECES, true);
		for (unsigned k = 0; k < PIECES; k++)
			worker_data(f, slot, "x", 1, true);
		if (cases[i].ended)
			worker_end(f, slot, 0);
		answer_drain_worker(f, 0);
		(void)rig_read(end, got, sizeof(got), &closed);
		assert_memory_equal(got, cases[i].status, strlen(cases[i].status));
		assert_int_equal(strlen(got) > 0, cases[i].ended);
		if (cases[i].ended)
			assert_int_equal(strspn(strstr(got, "\r\n\r\n") + 4, "x"), PIECES);
		assert_int_equal(f->jobs_n, cases[i].ended ? 0 : 1);
		(void)close(end);
		rig_free(f);
	}
}

static void a_full_spool_keeps_nothing_back_of_a_dead_worker(void **state)
{
	static char fill[65536];
	struct front *f = rig_make(2, 2);
	struct conn *c;
	unsigned slot;
	int end;

	(void)state;
	f->out_limits.file = 0;
	c = rig_ask(f, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &end);
	slot = worker_take(f);
	worker_head(f, slot, 200, -1, true);
	rig_drain(f);
	/* the client reads nothing: socket and spool fill up until the lane stands still */
	for (unsigned i = 0; i < 64 && spool_room(&c->out, &f->out_limits) > 0; i++) {
		worker_data(f, slot, fill, sizeof(fill), true);
		rig_drain(f);
		for (unsigned k = 0; k < 100 && c->out.job; k++)
			ev_run(f->loop, EVRUN_ONCE);
	}
	assert_int_equal(spool_room(&c->out, &f->out_limits), 0);
	worker_data(f, slot, "the last", 8, true);
	worker_end(f, slot, 0);
	rig_drain(f);
	assert_int_equal(f->jobs_n, 1);
	answer_drain_worker(f, 0);
	assert_int_equal(f->jobs_n, 0);
	assert_int_equal(c->state, CONN_FLUSH);
	(void)close(end);
	rig_free(f);
}

static void queue_timeout_runs_once_through_both_queues(void **state)
{
	struct front *f = rig_make(1, 4);
	struct conn *first, *second;
	uint64_t begun_ns = f->now_ns;
	unsigned slot;
	int ends[2];

	(void)state;
	first = rig_ask(f, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n", &ends[0]);
	second = rig_ask(f, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n", &ends[1]);
	assert_int_equal(second->state, CONN_QUEUED);
	slot = worker_take(f);
	f->now_ns += 40 * NS_PER_S;
	worker_head(f, slot, 200, 0, false);
	worker_end(f, slot, 0);
	rig_drain(f);
	assert_int_equal(first->state, CONN_HEAD);
	assert_int_equal(second->state, CONN_WAIT);
	assert_int_equal(second->timer.deadline_ns, begun_ns + 60 * NS_PER_S);
	(void)close(ends[0]);
	(void)close(ends[1]);
	rig_free(f);
}

static void
a_body_that_the_budget_has_no_room_for_is_refused_with_a_time_to_come_again(void **state)
{
	static char text[100 * 1024];
	struct front *f = rig_make(2, 2);
	struct spool_budget spent = {.used = 1 << 20, .limit = 1 << 20};
	char got[2048];
	bool closed;
	int end;
	int n = snprintf(text, sizeof(text),
			 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n");

	(void)state;
	f->temp_bytes.limit = spent.limit;
	f->body_limits.budget = &spent;
	f->body_limits.refuse = true;
	(void)rig_client(f, text, (size_t)n + 90000, &end);
	(void)rig_read(end, got, sizeof(got), &closed);
	assert_memory_equal(got, "HTTP/1.1 503 ", 13);
	assert_non_null(strstr(got, "\r\nRetry-After: "));
	assert_int_equal(atomic_load(&f->count->rejected), 1);
	assert_int_equal(spent.used, spent.limit);
	(void)close(end);
	rig_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_adopted_door_rests_while_there_is_no_room_and_comes_back),
		cmocka_unit_test(a_connection_waits_in_its_door_until_there_is_a_descriptor_for_it),
		cmocka_unit_test(a_connection_that_was_lost_for_want_of_a_descriptor_is_told_apart),
		cmocka_unit_test(the_longest_head_can_be_passed),
		cmocka_unit_test(what_a_dead_worker_has_said_completely_is_sent),
		cmocka_unit_test(a_full_spool_keeps_nothing_back_of_a_dead_worker),
		cmocka_unit_test(queue_timeout_runs_once_through_both_queues),
		cmocka_unit_test(
			a_body_that_the_budget_has_no_room_for_is_refused_with_a_time_to_come_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
