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
		{"des", "secret", HTPASSWD_IN},     {"des", "wrong", HTPASSWD_WRONG},
		{"md5", "secret", HTPASSWD_IN},     {"md5", "wrong", HTPASSWD_WRONG},
		{"plain", "plain", HTPASSWD_WEAK},  {"short", "secret", HTPASSWD_WEAK},
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
		       "des:sj.xn7.g48Jyw\nmd5:$1$fkb2x1CL$6QKbBTp7QcmUh6liMY6QQ/"
		       "\nshort:sj.xn7.g48Jy\nplain:plain\nvoid:\nann:%s\nold:%s",
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
	struct span file =
		SPAN("# a: b\n\njoe:$2y$05$abcdefghijklmnopqrstuu\r\n no colon\n"
		     "six:$6$a$b\nfive:$5$a$b\nyes:$y$j9T$a$b\n"
		     "des:sj.xn7.g48Jyw\nmd5:$1$a$b\nsun:$md5$a$b\nbsd:_J9..rasmBYk8r9AiWNc\n"
		     "sha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\napr:$apr1$x$y\n"
		     "plain:secret\nsign:sj.xn7.g48Jy*\nlast:");
	static const struct {
		struct span user;
		enum htpasswd_kind kind;
	} lines[] = {
		{SPAN("joe"), HTPASSWD_GOOD},   {SPAN("six"), HTPASSWD_GOOD},
		{SPAN("five"), HTPASSWD_GOOD},  {SPAN("yes"), HTPASSWD_GOOD},
		{SPAN("des"), HTPASSWD_DES},    {SPAN("md5"), HTPASSWD_OLD},
		{SPAN("sun"), HTPASSWD_OLD},    {SPAN("bsd"), HTPASSWD_OLD},
		{SPAN("sha"), HTPASSWD_SHA},    {SPAN("apr"), HTPASSWD_APR},
		{SPAN("plain"), HTPASSWD_NONE}, {SPAN("sign"), HTPASSWD_NONE},
		{SPAN("last"), HTPASSWD_NONE},
	};
	struct span user, hash;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_true(htpasswd_next(&file, &user, &hash));
		assert_true(span_eq(user, lines[i].user));
		assert_int_equal(htpasswd_kind(hash), lines[i].kind);
	}
	assert_false(htpasswd_next(&file, &user, &hash));
}

static void a_name_that_is_not_there_costs_a_hash_too(_unused_ void **state)
{
	uint64_t from = clock_now_ns();

	assert_int_equal(htpasswd_check(SPAN("a:b"), SPAN("nobody"), "x"), HTPASSWD_UNKNOWN);
	assert_true(clock_now_ns() - from > 5 * NS_PER_MS);
}

/* Else it would be told from a name that is not there, and all passwords be tried in an hour. */
static void a_wrong_password_costs_the_same_where_the_hash_is_a_cheap_one(_unused_ void **state)
{
	const struct span file = SPAN("des:sj.xn7.g48Jyw");
	uint64_t from = clock_now_ns();

	assert_int_equal(htpasswd_check(file, SPAN("des"), "wrong"), HTPASSWD_WRONG);
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
		cmocka_unit_test(a_wrong_password_costs_the_same_where_the_hash_is_a_cheap_one),
		cmocka_unit_test(credentials_are_base64_of_name_and_password),
		cmocka_unit_test(texts_are_the_same_or_not),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
