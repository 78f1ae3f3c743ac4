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

/* Of what fill() makes. */
#define FORMAT_DIGEST 0xd017c01e28c190c6ULL

static const char ini[] = "[vassal]\nmodule = a\nend 0000\n";

static void fill(struct saved *s)
{
	*s = (struct saved){
		.name = "my app",
		.file = "/etc/emperor/vassals.d/my app.ini",
		.boot = "3a6c",
		.reason = "stopped by command",
		.rolled_why = "rolled back by command",
		.id = 7,
		.ids = 9,
		.state = APP_REPLACING,
		.begun = 1,
		.ended = 1,
		.good = 1,
		.rolled = 1,
		.trial = 1,
		.base_requests = 14,
		.base_errors = 13,
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
		.old_number = 10,
		.old_owner = 34,
		.old_roots = 1,
		.old_requests = 8124,
		.old_errors = 3,
		.old_wanted = 8,
		.served = 11,
		.bad_number = 9,
		.generations_n = 2,
		.doors_n = 2,
		.ini = SPAN(ini),
		.config = SPAN("a\0b\n"),
		.old_ini = SPAN("[vassal]\nmodule = old\n"),
		.old_config = SPAN("\nend"),
		.bad_config = SPAN("bad"),
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

/* Equal bytes elsewhere; then the same, so that the rest can be compared as memory. */
static void expect_spans(struct saved *now, const struct saved *was)
{
	static const size_t spans[] = {
		offsetof(struct saved, ini),        offsetof(struct saved, file_ini),
		offsetof(struct saved, config),     offsetof(struct saved, old_ini),
		offsetof(struct saved, old_config), offsetof(struct saved, bad_config),
	};

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		struct span *a = (struct span *)((char *)now + spans[i]);
		const struct span *b = (const struct span *)((const char *)was + spans[i]);

		assert_true(span_eq(*a, *b));
		*a = *b;
	}
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
	span = now.ini;
	expect_spans(&now, &was);
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
		{offsetof(struct saved, trial), 2, "trial"},
		{offsetof(struct saved, ended), 2, "ended"},
		{offsetof(struct saved, old_owner), 1ULL << 32, "old_owner"},
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

/* With a digest that is good. */
static int decode_text(const char *text, struct buf *out, struct saved *ret, struct err *err)
{
	char end[32];
	int n = snprintf(end, sizeof(end), "\nend %016llx\n",
			 (unsigned long long)fingerprint_digest(text, strlen(text)));

	assert_int_equal(buf_append(out, text, strlen(text), 4096), 0);
	assert_int_equal(buf_append(out, end, (size_t)n, 4096), 0);
	return saved_decode(buf_span(out), ret, err);
}

static void a_file_of_another_version_says_so(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"saved 0\nname x\n", "version 0, and this emperor knows only 1 and later"},
		{"saved 4\nname x\n", "version 4, and \"file\" is not as in version 3"},
		{"saved 4\nname x\nspans 0\nfile y\n", "version 4, and \"file\" is not as"},
		{"saved 4294967296\nname x\n", "is no app's state"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = {0};
		struct saved now;
		struct err err = {0};

		assert_int_equal(decode_text(cases[i].text, &out, &now, &err), -EBADMSG);
		if (!strstr(err.text, cases[i].says))
			fail_msg("case %zu: %s", i, err.text);
		buf_done(&out);
	}
}

struct edit { /* of a text, in its order */
	const char *at, *instead;
};

static void edit(struct buf *out, const struct edit *e, size_t n, char *text, size_t size)
{
	(void)snprintf(text, size, "%.*s", (int)(out->n - 22), out->p + out->start);
	for (size_t i = 0; i < n; i++) {
		char *at = strstr(text, e[i].at);
		char *rest;

		if (!at)
			fail_msg("no %s in\n%s", e[i].at, text);
		rest = strdup(at + strlen(e[i].at));
		assert_non_null(rest);
		(void)snprintf(at, size - (size_t)(at - text), "%s%s", e[i].instead, rest);
		free(rest);
	}
}

/* The way back to this build: what it knows is taken, wherever more was put beside it. */
static void of_a_later_version_what_is_known_is_taken(void **state)
{
	static const struct edit more[] = {
		{"saved 3\n", "saved 9\ncolour red\n"},
		{"\nstate ", "\nmood 7\nstate "},
		{"\nid 7\n", "\nid 7 8 9\n"},
		{"\ngeneration 11", "\nlist a\nlist b\ngeneration 11"},
		{" 0 0 0\ngeneration 12", " 0 0 0 5\ngeneration 12"},
		{"\ndoor 1", "\nwindow 1\ndoor 1"},
		{"\nspans ", "\nlast of all\nspans "},
		{" 22 4 3\n", " 22 4 3 5\n"},
		{"\nendbad", "\nendbadfresh"},
	};
	static const struct edit renamed[] = {{"saved 3\n", "saved 9\n"},
					      {"\nold_number ", "\nolder_number "}};
	struct saved was, now;
	struct buf good = {0}, out = {0}, bad = {0};
	struct err err = {0};
	char text[4096];

	(void)state;
	fill(&was);
	/* no zero byte, so that it can be edited as a text */
	was.config = SPAN("a");
	encode(&was, &good);
	edit(&good, more, ARRAY_SIZE(more), text, sizeof(text));
	if (decode_text(text, &out, &now, &err) < 0)
		fail_msg("%s\n%s", err.text, text);
	assert_true(now.later);
	expect_spans(&now, &was);
	now.later = false;
	assert_memory_equal(&now, &was, sizeof(now));
	/* what means something else has another name: nobody guesses */
	good.n = good.start = 0;
	encode(&was, &good);
	edit(&good, renamed, ARRAY_SIZE(renamed), text, sizeof(text));
	assert_int_equal(decode_text(text, &bad, &now, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "\"old_number\" is not as in version 3"));
	buf_done(&good);
	buf_done(&out);
	buf_done(&bad);
}

/* As the emperors before this one have written it: an upgrade must not cost the apps a start. */
static void a_file_of_version_1_is_read(void **state)
{
	static const char text[] =
		"saved 1\nname blog\nfile /v/blog.ini\nboot 3a6c\nreason rolled back\nid 7\n"
		"ids 9\nstate 2\ngone 0\nbegun 0\ngood 1\nrolled 1\nscaled 5\ncut_from 8\n"
		"processes 6\nsince_wall_ns 44\nrestarts 3\nnumbers 12\nlast_bank 2\nboard 101\n"
		"gate_end 102\nfront_end 103\ndoor_numbers 4\nprint.device 1\nprint.inode 2\n"
		"print.size 9\nprint.mtime_ns 5\nprint.ctime_ns 6\nprint.content 7\n"
		"print.target 8\nowner 33\nroots 1\nfile_owner 34\nfile_roots 0\n"
		"generation 12 2 1 4711 99 33 5 0 55 66 1\ndoor 4 8 0 127.0.0.1:80\n"
		"ini 9 5\n[vassal]\n[new]";
	struct buf out = {0};
	struct saved now;
	struct err err = {0};

	(void)state;
	if (decode_text(text, &out, &now, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(now.reason, "rolled back");
	assert_int_equal(now.rolled, 1);
	assert_int_equal(now.restarts, 3);
	assert_int_equal(now.file_owner, 34);
	assert_int_equal(now.generations_n, 1);
	assert_int_equal(now.generations[0].pid, 4711);
	assert_string_equal(now.doors[0].address, "127.0.0.1:80");
	assert_true(span_eq(now.ini, SPAN("[vassal]\n")));
	assert_true(span_eq(now.file_ini, SPAN("[new]")));
	/* what it could not know yet */
	assert_string_equal(now.rolled_why, "");
	assert_int_equal(now.trial + now.old_number + now.old_requests, 0);
	assert_int_equal(now.config.n + now.old_ini.n + now.old_config.n, 0);
	buf_done(&out);
}

static void a_file_of_version_2_is_read(void **state)
{
	static const char text[] =
		"saved 2\nname blog\nfile /v/blog.ini\nboot 3a6c\nreason \nrolled_why bad\nid 7\n"
		"ids 9\nstate 2\ngone 0\nbegun 1\ngood 1\nrolled 1\ntrial 0\nbase_requests 0\n"
		"base_errors 0\nscaled 5\ncut_from 8\n"
		"processes 6\nsince_wall_ns 44\nrestarts 3\nnumbers 12\nlast_bank 2\nboard 101\n"
		"gate_end 102\nfront_end 103\ndoor_numbers 4\nprint.device 1\nprint.inode 2\n"
		"print.size 9\nprint.mtime_ns 5\nprint.ctime_ns 6\nprint.content 7\n"
		"print.target 8\nowner 33\nroots 1\nfile_owner 34\nfile_roots 0\n"
		"old_number 4\nold_owner 33\nold_roots 1\nold_requests 5\nold_errors 6\n"
		"generation 12 2 1 4711 99 33 5 0 55 66 1\ndoor 4 8 0 127.0.0.1:80\n"
		"spans 9 0 1 2 3\n[vassal]\nabbccc";
	struct buf out = {0};
	struct saved now;
	struct err err = {0};

	(void)state;
	if (decode_text(text, &out, &now, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(now.rolled_why, "bad");
	assert_int_equal(now.old_number, 4);
	assert_int_equal(now.begun, 1);
	assert_true(span_eq(now.old_config, SPAN("ccc")));
	/* an emperor that was stopped left none, and what was rolled back from nobody wrote down */
	assert_int_equal(now.ended + now.bad_number + now.served + now.bad_config.n, 0);
	buf_done(&out);
}

/* Whoever changes what is written down must give it another version, and this another digest. */
static void the_format_of_this_version_is_as_it_was(void **state)
{
	struct saved was;
	struct buf out = {0};
	struct span all;

	(void)state;
	fill(&was);
	encode(&was, &out);
	all = buf_span(&out);
	assert_int_equal(SAVED_VERSION, 3);
	if (fingerprint_digest(all.p, all.n) != FORMAT_DIGEST)
		fail_msg("0x%016llxULL of\n%.*s",
			 (unsigned long long)fingerprint_digest(all.p, all.n), (int)all.n, all.p);
	buf_done(&out);
}

static void lengths_that_do_not_fit_are_refused(void **state)
{
	static const char *const lines[] = {
		"spans 9 0 0 0 0 1\n[vassal]\n", "spans 9 0 0 0 0\n[vassal]\n",
		"spans 8 0 0 0 0 0\n[vassal]\n", "spans 9 0 0 0 0 0 0\n[vassal]\n",
		"spans 0 0 4194305 0 0 0\n",     "spans 0 0 0 0 0 4194305\n",
		"spans 1048577 0 0 0 0 0\n",     "spans 9 18446744073709551615 0 0 0 0\n[vassal]\n",
		"ini 9 0\n[vassal]\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct saved was, now;
		struct buf good = {0}, out = {0};
		struct err err = {0};
		char text[4096];
		const char *at;

		fill(&was);
		encode(&was, &good);
		(void)snprintf(text, sizeof(text), "%.*s", (int)good.n, good.p + good.start);
		at = strstr(text, "\nspans ");
		assert_non_null(at);
		(void)snprintf(text + (at + 1 - text), sizeof(text) - (size_t)(at + 1 - text), "%s",
			       lines[i]);
		if (decode_text(text, &out, &now, &err) != -EBADMSG || !strstr(err.text, "spans"))
			fail_msg("case %zu: %s", i, err.text);
		buf_done(&good);
		buf_done(&out);
	}
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
	was.ini = was.file_ini = was.old_ini = span_of(bytes, LIMIT_INI_BYTES);
	was.config = was.old_config = was.bad_config = span_of(bytes, LIMIT_CONFIG_BLOB);
	encode(&was, &out);
	assert_int_equal(saved_decode(buf_span(&out), &now, NULL), 0);
	assert_int_equal(now.ini.n, LIMIT_INI_BYTES);
	assert_int_equal(now.file_ini.n, LIMIT_INI_BYTES);
	assert_int_equal(now.old_config.n, LIMIT_CONFIG_BLOB);
	assert_int_equal(saved_decode(span_of(bytes, SAVED_BYTES + 1), &now, &err), -EBADMSG);
	assert_string_equal(err.text, "too large");
	buf_done(&out);
	free(bytes);
}

static void what_ended_has_nothing_that_runs_and_keeps_what_was_decided(void **state)
{
	(void)state;
	for (int rests = 0; rests < 2; rests++) {
		struct saved s;

		fill(&s);
		s.ended = 0;
		s.begun = rests;
		saved_end(&s, rests);
		assert_int_equal(s.ended, 1);
		assert_int_equal(s.begun, !rests);
		assert_int_equal(s.state, APP_STOPPED);
		assert_int_equal(s.generations_n + s.doors_n, 0);
		assert_int_equal(s.board + s.gate_end + s.front_end + s.door_numbers, 0);
		assert_int_equal(s.trial + s.scaled + s.cut_from + s.processes + s.restarts, 0);
		/* why it rests, and what it was rolled back to */
		assert_string_equal(s.reason, rests ? "stopped by command" : "");
		assert_int_equal(s.good + s.rolled, 2);
		assert_string_equal(s.rolled_why, "rolled back by command");
		assert_int_equal(s.numbers, 12);
		s.rolled = 0;
		saved_end(&s, rests);
		assert_int_equal(s.good, 0);
	}
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
		cmocka_unit_test(of_a_later_version_what_is_known_is_taken),
		cmocka_unit_test(a_file_of_version_1_is_read),
		cmocka_unit_test(a_file_of_version_2_is_read),
		cmocka_unit_test(the_format_of_this_version_is_as_it_was),
		cmocka_unit_test(lengths_that_do_not_fit_are_refused),
		cmocka_unit_test(what_ended_has_nothing_that_runs_and_keeps_what_was_decided),
		cmocka_unit_test(the_largest_ini_fits_and_no_larger_one_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
