/*
 * test_htpasswd - who is let in by a file of htpasswd(1), what Basic credentials look like, and that no name can be told from
 * another by the clock.
 */
#include "shared/htpasswd.h"

#include <crypt.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/clock.h"

static void users_come_in_with_their_password_alone(_unused_ void **state)
{
	struct crypt_data data = {0};
	char file[2048], bcrypt[CRYPT_OUTPUT_SIZE], sha512[CRYPT_OUTPUT_SIZE],
		sha256[CRYPT_OUTPUT_SIZE];
	static const struct {
		const char *user, *password;
		enum htpasswd_verdict is;
	} rows[] = {
		{"joe", "secret", HTPASSWD_IN},     {"ann", "more", HTPASSWD_IN},
		{"joe", "more", HTPASSWD_WRONG},    {"joe", "", HTPASSWD_WRONG},
		{"jo", "secret", HTPASSWD_UNKNOWN}, {"joey", "secret", HTPASSWD_UNKNOWN},
		{"", "", HTPASSWD_UNKNOWN},         {"# ann", "x", HTPASSWD_UNKNOWN},
		{"apr", "secret", HTPASSWD_WEAK},   {"sha", "secret", HTPASSWD_WEAK},
		{"des", "secret", HTPASSWD_WEAK},   {"plain", "plain", HTPASSWD_WEAK},
		{"void", "", HTPASSWD_WEAK},        {"joe:x", "secret", HTPASSWD_UNKNOWN},
		{"old", "past", HTPASSWD_IN},       {"old", "secret", HTPASSWD_WRONG},
	};

	(void)snprintf(bcrypt, sizeof(bcrypt), "%s",
		       crypt_r("secret", "$2y$05$abcdefghijklmnopqrstuu", &data));
	(void)snprintf(sha512, sizeof(sha512), "%s", crypt_r("more", "$6$saltsalt$", &data));
	(void)snprintf(sha256, sizeof(sha256), "%s", crypt_r("past", "$5$saltsalt$", &data));
	assert_int_equal(bcrypt[0], '$');
	(void)snprintf(file, sizeof(file),
		       "# "
		       "people\n\njoe:%s\r\napr:$apr1$x$abcdefghijklmnopqrstuv\nsha:{SHA}"
		       "5en6G6MezRroT3XKqkdPOmY/BfQ=\n"
		       "des:abJnggxhB/yWI\nplain:plain\nvoid:\nann:%s\nold:%s",
		       bcrypt, sha512, sha256);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum htpasswd_verdict is =
			htpasswd_check(span_str(file), span_str(rows[i].user), rows[i].password);

		if (is != rows[i].is)
			fail_msg("%s: %d", rows[i].user, (int)is);
	}
	assert_int_equal(htpasswd_check(SPAN(""), SPAN("joe"), "x"), HTPASSWD_UNKNOWN);
}

static void each_line_is_told_with_what_can_be_done_with_it(_unused_ void **state)
{
	struct span file = SPAN("# a: b\n\njoe:$2y$05$abcdefghijklmnopqrstuu\r\n no colon\n"
				"apr:$apr1$x$y\nlast:");
	static const struct {
		struct span user;
		bool taken;
	} lines[] = {{SPAN("joe"), true}, {SPAN("apr"), false}, {SPAN("last"), false}};
	struct span user, hash;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_true(htpasswd_next(&file, &user, &hash));
		assert_true(span_eq(user, lines[i].user));
		assert_int_equal(htpasswd_takes(hash), lines[i].taken);
	}
	assert_false(htpasswd_next(&file, &user, &hash));
}

static void a_name_that_is_not_there_costs_a_hash_too(_unused_ void **state)
{
	uint64_t from = clock_now_ns();

	assert_int_equal(htpasswd_check(SPAN("a:b"), SPAN("nobody"), "x"), HTPASSWD_UNKNOWN);
	assert_true(clock_now_ns() - from > 5 * NS_PER_MS);
}

static void credentials_are_base64_of_name_and_password(_unused_ void **state)
{
	static const struct {
		const char *header, *user, *password; /* NULL: they are none */
	} rows[] = {
		{"Basic am9lOnNlY3JldA==", "joe", "secret"},
		{"basic  am9lOnNlY3JldA", "joe", "secret"},
		{"Basic am9lOg==", "joe", ""},
		{"Basic OnNlY3JldA==", "", "secret"},
		{"Basic am9lOnNlOmNyZXQ=", "joe", "se:cret"},
		{"Basic asOpOsOp", "j\xc3\xa9", "\xc3\xa9"},
		{"Basic", NULL, NULL},
		{"Basic ", NULL, NULL},
		{"Basic am9l", NULL, NULL},
		{"Basic am9lOnNlY3Jl!A==", NULL, NULL},
		{"Basic am9lO", NULL, NULL},
		{"Basic am9lOmEAYg==", NULL, NULL}, /* a NUL */
		{"Bearer am9lOnNlY3JldA==", NULL, NULL},
		{"Basic YWJjZGVmZ2hpamtsbW5vcDphYmNkZWZnaGlqa2xtbm9wcXJzdHV2", NULL,
		 NULL}, /* too long */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char buf[32];
		struct span user;
		const char *password;
		int r = htpasswd_credentials(span_str(rows[i].header), buf, sizeof(buf), &user,
					     &password);

		if ((r == 0) != (rows[i].user != NULL))
			fail_msg("%s: %d", rows[i].header, r);
		if (r < 0)
			continue;
		assert_true(span_eq(user, span_str(rows[i].user)));
		assert_string_equal(password, rows[i].password);
	}
}

static void texts_are_the_same_or_not(_unused_ void **state)
{
	assert_true(htpasswd_same("", ""));
	assert_true(htpasswd_same("abc", "abc"));
	assert_false(htpasswd_same("abc", "abd"));
	assert_false(htpasswd_same("abc", "ab"));
	assert_false(htpasswd_same("ab", "abc"));
	assert_false(htpasswd_same("", "a"));
	assert_false(htpasswd_same("a", ""));
	assert_false(htpasswd_same("aa", "a"));
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(users_come_in_with_their_password_alone),
		cmocka_unit_test(each_line_is_told_with_what_can_be_done_with_it),
		cmocka_unit_test(a_name_that_is_not_there_costs_a_hash_too),
		cmocka_unit_test(credentials_are_base64_of_name_and_password),
		cmocka_unit_test(texts_are_the_same_or_not),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
