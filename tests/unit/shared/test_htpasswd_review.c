/*
 * test_htpasswd_review - what people hear of a file of passwords before anybody is asked for one.
 */
#include "shared/htpasswd_review.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/fd.h"
#include "shared/limits.h"
#include "shared/span.h"

static char heard[4096];

static void hear(_unused_ void *arg, const char *text)
{
	size_t n = strlen(heard);

	(void)snprintf(heard + n, sizeof(heard) - n, "%s\n", text);
}

static const char *reviewed(const char *bytes, size_t n)
{
	_cleanup_(fd_closep) int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	heard[0] = '\0';
	htpasswd_review("/f", fd, hear, NULL);
	return heard;
}

static void each_kind_is_told_once_with_its_first_user(_unused_ void **state)
{
	static const struct {
		const char *file, *begins, *says; /* begins NULL: nothing is told */
	} rows[] = {
		{"", NULL, NULL},
		{"joe:$2y$05$abcdefghijklmnopqrstuu\nann:$6$a$b\nbob:$5$a$b\n", NULL, NULL},
		{"joe:sj.xn7.g48Jyw\n", "basicauth: /f: \"joe\": a DES hash", "taken all the same"},
		{"joe:$1$a$b\nann:$1$a$c\nbob:$1$a$d\n",
		 "basicauth: /f: \"joe\" and 2 more: an old kind", "taken all the same"},
		{"joe:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n", "basicauth: /f: \"joe\": a {SHA} hash",
		 "not taken (503)"},
		{"joe:$apr1$x$y\n", "basicauth: /f: \"joe\": an $apr1$ hash", "not taken (503)"},
		{"joe:secret\n", "basicauth: /f: \"joe\": a hash of a kind", "not taken (503)"},
		{"j\033[2J:\n", "basicauth: /f: \"j?[2J\": ", "not taken (503)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *text = reviewed(rows[i].file, strlen(rows[i].file));

		if (!rows[i].begins)
			assert_string_equal(text, "");
		else if (strncmp(text, rows[i].begins, strlen(rows[i].begins)) != 0 ||
			 !strstr(text, rows[i].says) || strchr(text, '\n')[1])
			fail_msg("%zu: %s", i, text);
	}
	assert_non_null(strstr(reviewed("a:$1$a$b\nb:{SHA}x\n", 19), "\nbasicauth: /f: \"b\": "));
}

static void what_cannot_be_read_is_told(_unused_ void **state)
{
	static char large[LIMIT_HTPASSWD_BYTES + 1];
	_cleanup_(fd_closep) int dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(large, '\n', sizeof(large));
	assert_string_equal(reviewed(large, LIMIT_HTPASSWD_BYTES), "");
	assert_string_equal(reviewed(large, sizeof(large)),
			    "basicauth: /f: File too large: whoever is asked for a password gets "
			    "503\n");
	heard[0] = '\0';
	htpasswd_review("/f", -ENOENT, hear, NULL);
	assert_string_equal(heard, "basicauth: /f: No such file or directory: whoever is asked for "
				   "a password gets 503\n");
	heard[0] = '\0';
	htpasswd_review("/f", dir, hear, NULL);
	assert_non_null(strstr(heard, "/f: Invalid argument: "));
}

int main(void)
{
	const struct CMUnitTest cases[] = {
		cmocka_unit_test(each_kind_is_told_once_with_its_first_user),
		cmocka_unit_test(what_cannot_be_read_is_told),
	};

	return cmocka_run_group_tests(cases, NULL, NULL);
}
