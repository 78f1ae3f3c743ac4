/* wrapped: a file of the app, from a worker that need not be honest. */
#include "rig.h"

#include <dirent.h>
#include <fcntl.h>

#include "vassal/front/wrapped.h"

#define GET11  "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD11 "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"

static unsigned heard;

/* What is still in the channel when the front is told to hear it. */
static struct late {
	struct front *front;
	unsigned slot;
	int fd;
} late;

void __wrap_pool_hear(struct pool *pool, unsigned worker);

void __wrap_pool_hear(_unused_ struct pool *pool, _unused_ unsigned worker)
{
	heard++;
	if (late.front)
		assert_true(wrapped_take(late.front, 0, late.slot, late.fd, 0));
}

static int make_file(const char *text)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static unsigned count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

static void file_head(struct front *f, unsigned slot, uint16_t status, int64_t length)
{
	struct frame_head h = {.status = status, .length = length, .flags = FRAME_FILE};

	memcpy(exchange_reply_room(f->exchange, 0, sizeof(h)), &h, sizeof(h));
	exchange_reply_commit(f->exchange, 0, slot, FRAME_HEAD, sizeof(h), false);
}

struct deed {
	const char *name;
	bool passes; /* the file, before the head */
	uint64_t at;
	int64_t length;
	const char *data; /* sent although there is a file */
	uint32_t end;
	const char *has, *tail;
	bool kills;
};

/* clang-format off */
static const struct deed deeds[] = {
	{ "honest",	    true,  3, 4,   NULL, 0, "HTTP/1.1 200 OK\r\n", "\r\n\r\n3456", false },
	{ "from the start", true,  0, 10,  NULL, 0, "Content-Length: 10\r\n", "\r\n\r\n0123456789", false },
	{ "nothing",	    true,  10, 0,  NULL, 0, "Content-Length: 0\r\n", "\r\n\r\n", false },
	{ "no file",	    false, 0, 4,   NULL, 0, "", "", true },
	{ "no length",	    true,  0, -1,  NULL, 0, "", "", true },
	{ "and bytes",	    true,  0, 4,   "x",  0, "", "", true },
	{ "short",	    true,  3, 8,   NULL, 0, "HTTP/1.1 500 ", "", false },
	{ "far behind",	    true,  INT64_MAX, INT64_MAX, NULL, 0, "HTTP/1.1 500 ", "", false },
	{ "then fails",	    true,  0, 4,   NULL, FRAME_END_EXCEPTION, "HTTP/1.1 500 ", "", false },
};
/* clang-format on */

static void check_deed(const struct deed *d)
{
	struct front *f = rig_make(4, 4);
	int fd = make_file("0123456789");
	char got[4096];
	bool closed;
	unsigned slot;
	int end;

	heard = 0;
	(void)rig_ask(f, GET11, &end);
	slot = worker_take(f);
	if (d->passes && !wrapped_take(f, 0, slot, fd, d->at))
		fail_msg("%s: not taken", d->name);
	(void)close(fd); /* as the app does at once */
	file_head(f, slot, 200, d->length);
	if (d->data)
		worker_data(f, slot, d->data, strlen(d->data), false);
	worker_end(f, slot, d->end);
	rig_drain(f);
	(void)rig_read(end, got, sizeof(got), &closed);
	if (!strstr(got, d->has) ||
	    !str_eq(got + strlen(got) - MIN(strlen(got), strlen(d->tail)), d->tail))
		fail_msg("%s:\n%s", d->name, got);
	if (the_rig->killed != d->kills || (heard > 0) == d->passes)
		fail_msg("%s: %u killed, %u heard", d->name, the_rig->killed, heard);
	if (!d->kills)
		assert_int_equal(f->jobs_n, 0);
	wrapped_drop(&f->jobs[slot]); /* of a killed worker: by its burial */
	(void)close(end);
	rig_free(f);
}

static void every_deed_has_its_answer(_unused_ void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++)
		check_deed(&deeds[i]);
}

static void no_descriptor_stays_behind(_unused_ void **state)
{
	struct front *f = rig_make(4, 4);
	unsigned before = 0;
	char got[4096];
	bool closed;

	for (int i = 0; i < 100; i++) {
		int fd = make_file("0123456789");
		unsigned slot;
		int end;

		(void)rig_ask(f, GET11, &end);
		slot = worker_take(f);
		assert_true(wrapped_take(f, 0, slot, fd, 0));
		(void)close(fd);
		file_head(f, slot, 200, i % 3 == 0 ? 11 : 10);
		worker_end(f, slot, i % 3 == 1 ? FRAME_END_EXCEPTION : 0);
		rig_drain(f);
		(void)rig_read(end, got, sizeof(got), &closed);
		(void)close(end);
		while (f->conns)
			conn_lost(f->conns);
		if (i == 10)
			before = count_descriptors();
	}
	assert_int_equal(count_descriptors(), before);
	rig_free(f);
}

static void where_no_body_may_be_there_is_no_file(_unused_ void **state)
{
	static const struct {
		const char *request;
		uint16_t status;
	} cases[] = {{HEAD11, 200}, {GET11, 204}, {GET11, 205}, {GET11, 304}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct front *f = rig_make(4, 4);
		int fd = make_file("0123456789");
		char got[4096];
		bool closed;
		unsigned slot;
		int end;

		(void)rig_ask(f, cases[i].request, &end);
		slot = worker_take(f);
		assert_true(wrapped_take(f, 0, slot, fd, 0));
		(void)close(fd);
		file_head(f, slot, cases[i].status, 10);
		worker_end(f, slot, 0);
		rig_drain(f);
		(void)rig_read(end, got, sizeof(got), &closed);
		assert_non_null(strstr(got, "\r\n\r\n"));
		assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\n");
		assert_int_equal(f->jobs_n, 0);
		(void)close(end);
		rig_free(f);
	}
}

/* Else it would come for the slot's next request. */
static void the_file_of_a_client_that_has_gone_is_heard_of(_unused_ void **state)
{
	struct front *f = rig_make(4, 4);
	int fd = make_file("0123456789");
	struct conn *c;
	unsigned slot;
	int end;

	heard = 0;
	c = rig_ask(f, GET11, &end);
	slot = worker_take(f);
	conn_lost(c);
	file_head(f, slot, 200, 10);
	late = (struct late){f, slot, fd};
	worker_end(f, slot, 0);
	rig_drain(f);
	assert_int_equal(heard, 1);
	assert_int_equal(the_rig->killed, 0);
	assert_int_equal(f->jobs_n, 0);
	assert_false(f->jobs[slot].has_file);
	late.front = NULL;
	(void)close(fd);
	(void)close(end);
	rig_free(f);
}

static void only_the_holder_gives_one_regular_file(_unused_ void **state)
{
	struct front *f = rig_make(4, 4);
	int fd = make_file("text");
	int pipes[2];
	unsigned slot;
	int end;

	(void)rig_ask(f, GET11, &end);
	assert_false(wrapped_take(f, 0, 0, fd, 0)); /* nobody has it yet */
	slot = worker_take(f);
	assert_int_equal(pipe(pipes), 0);
	assert_false(wrapped_take(f, 1, slot, fd, 0));
	assert_false(wrapped_take(f, 0, slot ^ 1, fd, 0));
	assert_false(wrapped_take(f, 0, slot, pipes[0], 0));
	assert_false(wrapped_take(f, 0, slot, -1, 0));
	assert_false(wrapped_take(f, 0, slot, fd, UINT64_MAX));
	assert_true(wrapped_take(f, 0, slot, fd, 0));
	assert_false(wrapped_take(f, 0, slot, fd, 0));
	wrapped_drop(&f->jobs[slot]);
	(void)close(fd);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	(void)close(end);
	rig_free(f);
}

static unsigned flags_of(struct front *f, const char *request)
{
	unsigned slot;
	int end;

	(void)rig_ask(f, request, &end);
	slot = worker_take(f);
	(void)close(end);
	return exchange_request(f->exchange, slot)->flags & EXCHANGE_TAKES_FILE;
}

static void it_is_welcome_where_bytes_go_out_and_descriptors_are_left(_unused_ void **state)
{
	struct front *f = rig_make(4, 4);

	assert_int_equal(flags_of(f, GET11), EXCHANGE_TAKES_FILE);
	assert_int_equal(flags_of(f, HEAD11), 0);
	f->conns_carefree = 1;
	assert_int_equal(flags_of(f, GET11), 0);
	rig_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_deed_has_its_answer),
		cmocka_unit_test(no_descriptor_stays_behind),
		cmocka_unit_test(where_no_body_may_be_there_is_no_file),
		cmocka_unit_test(the_file_of_a_client_that_has_gone_is_heard_of),
		cmocka_unit_test(only_the_holder_gives_one_regular_file),
		cmocka_unit_test(it_is_welcome_where_bytes_go_out_and_descriptors_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
