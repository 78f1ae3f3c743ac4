/*
 * Tests of vassal/proto/chunked: RFC 9112 7.1, one row a rule.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "shared/limits.h"
#include "vassal/proto/chunked.h"

struct fed {
	char payload[1024];
	size_t payload_n, used;
	struct chunked c;
	bool bad;
};

/* In pieces of exactly their own size, so that an over-read traps under ASan. */
static void feed(struct fed *f, const char *text, size_t n, size_t piece)
{
	*f = (struct fed){0};
	while (f->used < n && !f->c.done && !f->bad) {
		size_t take = MIN(piece, n - f->used);
		char *copy = malloc(take);
		size_t got;
		ssize_t r;

		assert_non_null(copy);
		memcpy(copy, text + f->used, take);
		r = chunked_feed(&f->c, copy, take, &got);
		f->bad = r < 0;
		if (!f->bad) {
			memcpy(f->payload + f->payload_n, copy, got);
			f->payload_n += got;
			f->used += (size_t)r;
		}
		free(copy);
	}
}

static const struct {
	const char *text, *payload;
	size_t left_over;
} goods[] = {
	{"0\r\n\r\n", "", 0},
	{"5\r\nhello\r\n0\r\n\r\n", "hello", 0},
	{"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", 0},
	{"1A\r\nabcdefghijklmnopqrstuvwxyz\r\n000\r\n\r\n", "abcdefghijklmnopqrstuvwxyz", 0},
	{"1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n", "abcdefghijklmnopqrstuvwxyz", 0},
	{"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 0},
	/* 7.1.1: extensions are skipped */
	{"5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n", "hello", 0},
	/* BWS before one, and in it */
	{"5 ;a=b\r\nhello\r\n0\t ; x = y\r\n\r\n", "hello", 0},
	/* 7.1.2: trailers are dropped */
	{"1\r\nx\r\n0\r\nA: b\r\nContent-Length:9\r\nC:\r\n\r\n", "x", 0},
	/* what follows belongs to the next request */
	{"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1", "x", 14},
};

static void a_body_is_decoded_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(goods); i++)
		for (size_t piece = 1; piece < 40; piece++) {
			size_t n = strlen(goods[i].text);
			struct fed f;

			feed(&f, goods[i].text, n, piece);
			assert_false(f.bad);
			assert_true(f.c.done);
			assert_int_equal(f.used, n - goods[i].left_over);
			assert_int_equal(f.payload_n, strlen(goods[i].payload));
			assert_memory_equal(f.payload, goods[i].payload, f.payload_n);
		}
}

static const struct {
	const char *text;
	size_t n;
} bads[] = {
#define BAD(text)                        \
	{                                \
		(text), sizeof(text) - 1 \
	}
	/* 7.1: chunk-size is 1*HEXDIG */
	BAD("\r\n"),
	BAD(";a\r\n"),
	BAD("-1\r\n"),
	BAD("+1\r\n"),
	BAD(" 1\r\n"),
	BAD("1 \r\n"),
	BAD("1 \t\r\n"),
	BAD("1 1\r\n"),
	BAD("1 \n"),
	BAD("0x1\r\n"),
	BAD("g\r\n"),
	BAD("1_0\r\n"),
	BAD("8000000000000000\r\n"),
	BAD("10000000000000000\r\n"),
	BAD("ffffffffffffffffffff\r\n"),
	/* CRLF only */
	BAD("1\nx"),
	BAD("1\rx"),
	BAD("1;a\nx"),
	BAD("1;a\0\r\n"),
	BAD("1;a\x7f\r\n"),
	BAD("1\r\nx\n0\r\n\r\n"),
	BAD("1\r\nx\rx"),
	BAD("1\r\nxy"),
	BAD("2\r\nx\r\n0"),
	BAD("1\r\nx\r\n\r\n"),
	/* 7.1.2 */
	BAD("0\r\n\n"),
	BAD("0\r\n\rx"),
	BAD("0\r\nA\r\n"),
	BAD("0\r\n: b\r\n"),
	BAD("0\r\nA : b\r\n"),
	BAD("0\r\n A: b\r\n"),
	BAD("0\r\nA: b\r\n c\r\n"),
	BAD("0\r\nA: b\n"),
	BAD("0\r\nA: \0"),
#undef BAD
};

static void a_malformed_body_is_refused_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++)
		for (size_t piece = 1; piece < 24; piece++) {
			struct fed f;
			char more[] = "0\r\n\r\n";
			size_t got;

			feed(&f, bads[i].text, bads[i].n, piece);
			if (!f.bad)
				fail_msg("row %zu: taken: %s", i, bads[i].text);
			assert_non_null(f.c.reason);
			assert_int_equal(chunked_feed(&f.c, more, sizeof(more) - 1, &got), -1);
		}
}

static void the_largest_size_is_int64_max(void **state)
{
	char text[] = "7fffffffffffffff\r\nx";
	struct chunked c = {0};
	size_t got;

	(void)state;
	assert_int_equal(chunked_feed(&c, text, sizeof(text) - 1, &got), sizeof(text) - 1);
	assert_int_equal(got, 1);
	assert_int_equal(c.left, INT64_MAX - 1);
}

static ssize_t feed_long(char *text, size_t n)
{
	struct chunked c = {0};
	size_t got;

	return chunked_feed(&c, text, n, &got);
}

static void size_lines_and_trailers_are_bounded(void **state)
{
	static char text[2 * LIMIT_TRAILER_BYTES];
	const size_t head = 5; /* "0\r\nA:" */

	(void)state;
	memset(text, '0', sizeof(text));
	assert_int_equal(feed_long(text, LIMIT_CHUNK_LINE), LIMIT_CHUNK_LINE);
	assert_int_equal(feed_long(text, LIMIT_CHUNK_LINE + 1), -1);
	text[1] = ';';
	assert_int_equal(feed_long(text, LIMIT_CHUNK_LINE), LIMIT_CHUNK_LINE);
	assert_int_equal(feed_long(text, LIMIT_CHUNK_LINE + 1), -1);
	memcpy(text, "0\r\nA:", head);
	assert_int_equal(feed_long(text, 3 + LIMIT_TRAILER_BYTES), 3 + LIMIT_TRAILER_BYTES);
	assert_int_equal(feed_long(text, 3 + LIMIT_TRAILER_BYTES + 1), -1);
}

static void many_short_trailers_are_bounded_too(void **state)
{
	static char text[2 * LIMIT_TRAILER_BYTES];
	size_t n = 3;

	(void)state;
	memcpy(text, "0\r\n", 3);
	for (; n + 5 < sizeof(text); n += 4)
		memcpy(text + n, "A:\r\n", 4);
	assert_int_equal(feed_long(text, n), -1);
}

static void the_extensions_of_all_chunks_together_are_bounded(void **state)
{
	static const char chunk[] = "1;eeeeeeeeeeeeeeeeeeeeeeeeeeeeee\r\nx\r\n";
	const size_t n = sizeof(chunk) - 1;
	const size_t counted = 31; /* behind the semicolon, the CR that ends them included */
	struct chunked c = {0};

	(void)state;
	for (size_t i = 0; i <= LIMIT_CHUNK_EXTENSIONS / counted; i++) {
		char copy[sizeof(chunk)];
		size_t got;
		ssize_t r;

		memcpy(copy, chunk, sizeof(chunk));
		r = chunked_feed(&c, copy, n, &got);
		assert_int_equal(r, i < LIMIT_CHUNK_EXTENSIONS / counted ? (ssize_t)n : -1);
	}
	assert_string_equal(c.reason, "chunk extensions too long");
}

static void nothing_is_taken_after_the_end(void **state)
{
	char text[] = "0\r\n\r\nrest";
	struct chunked c = {0};
	size_t got;

	(void)state;
	assert_int_equal(chunked_feed(&c, text, sizeof(text) - 1, &got), 5);
	assert_int_equal(chunked_feed(&c, text + 5, 4, &got), 0);
	assert_int_equal(got, 0);
	assert_true(c.done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_is_decoded_however_it_is_cut),
		cmocka_unit_test(a_malformed_body_is_refused_however_it_is_cut),
		cmocka_unit_test(the_largest_size_is_int64_max),
		cmocka_unit_test(size_lines_and_trailers_are_bounded),
		cmocka_unit_test(many_short_trailers_are_bounded_too),
		cmocka_unit_test(the_extensions_of_all_chunks_together_are_bounded),
		cmocka_unit_test(nothing_is_taken_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
