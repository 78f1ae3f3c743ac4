/*
 * test_fingerprint - the digest is the known one, and each thing a deploy can change is told apart.
 */
#include "emperor/watch/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void the_digest_is_fnv_1a(void **state)
{
	/* Published test vectors of FNV-1a, 64 bits. */
	static const struct {
		const char *text;
		uint64_t digest;
	} vectors[] = {
		{"", 0xcbf29ce484222325ULL},
		{"a", 0xaf63dc4c8601ec8cULL},
		{"foobar", 0x85944171f73967e8ULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++)
		assert_true(fingerprint_digest(vectors[i].text, strlen(vectors[i].text)) ==
			    vectors[i].digest);
}

static struct fingerprint make(const struct stat *st, const char *bytes, const char *target)
{
	struct fingerprint f;

	fingerprint_make(&f, st, fingerprint_digest(bytes, strlen(bytes)), target);
	return f;
}

static void the_most_telling_change_is_named(void **state)
{
	const struct stat base = {
		.st_dev = 1, .st_ino = 2, .st_size = 3, .st_mtim = {100, 5}, .st_ctim = {100, 6}};
	struct stat older = base, same_second = base, other_inode = base, grown = base;
	struct fingerprint was = make(&base, "abc", "/r/1/x.ini");

	older.st_mtim.tv_sec = 50;
	same_second.st_mtim.tv_nsec = 6;
	other_inode.st_ino = 9;
	grown.st_size = 4;
	const struct {
		struct fingerprint now;
		enum fingerprint_change change;
	} rows[] = {
		{make(&base, "abc", "/r/1/x.ini"), FINGERPRINT_SAME},
		{make(&older, "abc", "/r/1/x.ini"), FINGERPRINT_TOUCHED},
		{make(&same_second, "abc", "/r/1/x.ini"), FINGERPRINT_TOUCHED},
		{make(&other_inode, "abc", "/r/1/x.ini"), FINGERPRINT_TOUCHED},
		{make(&base, "abc", "/r/2/x.ini"), FINGERPRINT_MOVED},
		{make(&other_inode, "abc", "/r/2/x.ini"), FINGERPRINT_MOVED},
		{make(&base, "abd", "/r/1/x.ini"), FINGERPRINT_CONTENT},
		{make(&base, "abd", "/r/2/x.ini"), FINGERPRINT_CONTENT},
		{make(&grown, "abc", "/r/1/x.ini"), FINGERPRINT_CONTENT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (fingerprint_compare(&was, &rows[i].now) != rows[i].change)
			fail_msg("row %zu: %u", i, fingerprint_compare(&was, &rows[i].now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_digest_is_fnv_1a),
		cmocka_unit_test(the_most_telling_change_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
