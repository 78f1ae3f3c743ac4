/*
 * test_saved - what is written down of an app reads back the same, and whatever else a file holds is refused.
 */
#include "emperor/vassals/saved.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/buf.h"
#include "shared/err.h"

static const char ini[] = "[vassal]\nmodule = a\nend 0000\n";

static void fill(struct saved *s)
{
	*s = (struct saved){
		.name = "my app",
		.file = "/etc/emperor/vassals.d/my app.ini",
		.boot = "3a6c",
		.reason = "stopped by command",
		.id = 7,
		.ids = 9,
		.state = APP_REPLACING,
		.begun = 1,
		.good = 1,
		.scaled = 5,
		.cut_from = 8,
		.processes = 6,
		.since_wall_ns = UINT64_MAX,
		.restarts = 3,
		.numbers = 12,
		.last_bank = LIMIT_BANKS - 1,
		.board = 101,
		.gate_end = 102,
		.front_end = 103,
		.door_numbers = 4,
		.print = {.device = 1, .inode = 2, .mtime_ns = -5, .content = 6, .target = 7},
		.owner = 33,
		.roots = 1,
		.generations_n = 2,
		.doors_n = 2,
		.ini = SPAN(ini),
	};
	s->generations[0] = (struct saved_generation){
		.number = 11, .bank = 2, .part = 1, .pid = 4711, .start = 99, .uid = 33, .link = 5};
	s->generations[1] = (struct saved_generation){.number = 12, .bank = 3, .pid = 4712};
	s->doors[0] = (struct saved_door){.number = 1, .socket = 8, .address = "127.0.0.1:80"};
	s->doors[1] = (struct saved_door){
		.number = 2, .socket = 9, .name = 10, .address = "/run/my app/x.sock"};
}

static void encode(const struct saved *s, struct buf *out)
{
	assert_int_equal(saved_encode(s, out), 0);
}

static void what_is_written_reads_back_the_same(void **state)
{
	struct saved was, now;
	struct buf out = {0};
	struct err err = {0};
	struct span span;

	(void)state;
	fill(&was);
	was.file_ini = SPAN("[vassal]\n");
	encode(&was, &out);
	if (saved_decode(buf_span(&out), &now, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(now.ini.n, was.ini.n);
	assert_memory_equal(now.ini.p, was.ini.p, was.ini.n);
	assert_true(span_eq(now.file_ini, was.file_ini));
	span = now.ini;
	now.ini = was.ini;
	now.file_ini = was.file_ini;
	assert_memory_equal(&now, &was, sizeof(now));
	/* it points into what was read, and is no copy */
	assert_true(span.p > buf_span(&out).p && span.p < buf_span(&out).p + buf_span(&out).n);
	buf_done(&out);
}

static void a_text_stays_one_line(void **state)
{
	struct saved was, now;
	struct buf out = {0};

	(void)state;
	fill(&was);
	(void)snprintf(was.reason, sizeof(was.reason), "two\nid 5\nlines");
	encode(&was, &out);
	assert_int_equal(saved_decode(buf_span(&out), &now, NULL), 0);
	assert_string_equal(now.reason, "two id 5 lines");
	assert_int_equal(now.id, 7);
	buf_done(&out);
}

static void every_cut_is_torn(void **state)
{
	struct saved was, now;
	struct buf out = {0};
	struct err err = {0};

	(void)state;
	fill(&was);
	encode(&was, &out);
	for (size_t n = 0; n < out.n; n++)
		assert_int_equal(saved_decode(span_of(out.p + out.start, n), &now, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "torn"));
	buf_done(&out);
}

static void every_changed_byte_is_torn(void **state)
{
	struct saved was, now;
	struct buf out = {0};

	(void)state;
	fill(&was);
	encode(&was, &out);
	for (size_t i = 0; i < out.n; i++) {
		out.p[out.start + i] ^= 1;
		assert_int_equal(saved_decode(buf_span(&out), &now, NULL), -EBADMSG);
		out.p[out.start + i] ^= 1;
	}
	assert_int_equal(saved_decode(buf_span(&out), &now, NULL), 0);
	buf_done(&out);
}

/* Whole files, made with a good digest, that say what cannot be. */
static void values_out_of_range_are_refused(void **state)
{
	static const struct {
		size_t offset;
		uint64_t value;
		const char *word;
	} cases[] = {
		{offsetof(struct saved, state), APP_STATE_COUNT, "state"},
		{offsetof(struct saved, gone), 2, "gone"},
		{offsetof(struct saved, id), 1ULL << 32, "id"},
		{offsetof(struct saved, last_bank), LIMIT_BANKS, "last_bank"},
		{offsetof(struct saved, generations[0].bank), LIMIT_BANKS, "generation"},
		{offsetof(struct saved, generations[0].part), 3, "generation"},
		{offsetof(struct saved, generations[1].pid), 0, "generation"},
		{offsetof(struct saved, generations[1].pid), 1ULL << 31, "generation"},
		{offsetof(struct saved, owner), 1ULL << 32, "owner"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct saved was, now;
		struct buf out = {0};
		struct err err = {0};

		fill(&was);
		memcpy((char *)&was + cases[i].offset, &cases[i].value, sizeof(uint64_t));
		encode(&was, &out);
		assert_int_equal(saved_decode(buf_span(&out), &now, &err), -EBADMSG);
		if (!strstr(err.text, cases[i].word))
			fail_msg("case %zu: %s", i, err.text);
		buf_done(&out);
	}
}

static void a_file_of_another_version_says_so(void **state)
{
	static const char text[] = "saved 2\nname x\n";
	struct buf out = {0};
	struct saved now;
	struct err err = {0};
	char end[32];
	int n = snprintf(end, sizeof(end), "\nend %016llx\n",
			 (unsigned long long)fingerprint_digest(text, sizeof(text) - 1));

	(void)state;
	assert_int_equal(buf_append(&out, text, sizeof(text) - 1, 1024), 0);
	assert_int_equal(buf_append(&out, end, (size_t)n, 1024), 0);
	assert_int_equal(saved_decode(buf_span(&out), &now, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "version 2"));
	buf_done(&out);
}

static void the_largest_ini_fits_and_no_larger_one_is_read(void **state)
{
	char *bytes = calloc(1, SAVED_BYTES + 1);
	struct saved was, now;
	struct buf out = {0};
	struct err err = {0};

	(void)state;
	assert_non_null(bytes);
	fill(&was);
	was.ini = was.file_ini = span_of(bytes, LIMIT_INI_BYTES);
	encode(&was, &out);
	assert_int_equal(saved_decode(buf_span(&out), &now, NULL), 0);
	assert_int_equal(now.ini.n, LIMIT_INI_BYTES);
	assert_int_equal(now.file_ini.n, LIMIT_INI_BYTES);
	assert_int_equal(saved_decode(span_of(bytes, SAVED_BYTES + 1), &now, &err), -EBADMSG);
	assert_string_equal(err.text, "too large");
	buf_done(&out);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_reads_back_the_same),
		cmocka_unit_test(a_text_stays_one_line),
		cmocka_unit_test(every_cut_is_torn),
		cmocka_unit_test(every_changed_byte_is_torn),
		cmocka_unit_test(values_out_of_range_are_refused),
		cmocka_unit_test(a_file_of_another_version_says_so),
		cmocka_unit_test(the_largest_ini_fits_and_no_larger_one_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
