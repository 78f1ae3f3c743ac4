/* inifile: everything that is refused, and what has an end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/shared/reading.h"

static const struct {
	const char *text, *says;
} refused[] = {
	{"", "neither a section [vassal] nor [uwsgi]"},
	{"http = :80\n", "options stand below one"},
	{"[other]\na=1", "neither a section"},
	{"[uwsgi]\na=1\n<<<<<<< HEAD\nb=1\n", "blog.ini:3: an unresolved merge conflict"},
	{"[uwsgi]\n=======\n", "blog.ini:2: an unresolved merge"},
	{"[uwsgi]\n>>>>>>> topic\n", "blog.ini:2: an unresolved merge"},
	{"[uwsgi]\na=\x01", "blog.ini:2: not a text file"},
	{"[uwsgi\na=1", "blog.ini:1: a section's name ends with ]"},
	{"[uwsgi]\n= 1", "blog.ini:2: there is no key"},
	{"[uwsgi]\nif-env = HOME\na=1", "blog.ini:2: if-env: is never ended by endif"},
	{"[uwsgi]\nfor = 1 2\na=1", "blog.ini:2: for: is never ended by endfor"},
	{"[uwsgi]\nfor-times = x\nendfor", "blog.ini:2: for-times: \"x\" is not a number"},
	{"[uwsgi]\nini = :uwsgi", "includes itself"},
	{"[uwsgi]\nini = :a\n[a]\nini = :b\n[b]\nini = :a", "includes itself"},
	{"[uwsgi]\nini = :none", "there is no section [none]"},
	{"[uwsgi]\nini = /none/such.ini", "blog.ini:2: ini: /none/such.ini: cannot open"},
	{"[uwsgi]\nini = http://x/y.ini", "blog.ini:2: ini: only files"},
	{"[uwsgi]\na = %(a)", "blog.ini:2: a: %(a) refers to itself"},
	{"[uwsgi]\na = %(b)\nb = %(a)", "refers to itself"},
	{"[uwsgi]\na = %(1 / 0)", "blog.ini:2: a: division by zero"},
	{"[uwsgi]\na = %(9223372036854775807 + 1)", "too large"},
	{"[uwsgi]\na = @(/none/such)", "blog.ini:2: a: /none/such: cannot open"},
	{"[uwsgi]\na = @(exec://date)", "only files are read"},
	{"[uwsgi]\na = @(/dev/zero)", "not a regular file"},
	{"[uwsgi]\nif-hostname-match = .*\nendif", "not matched by patterns"},
};

static void every_refusal_says_where_and_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct read x = read_text(refused[i].text);

		assert_true(x.r < 0);
		if (!strstr(x.err.text, refused[i].says) ||
		    strncmp(x.err.text, "blog.ini:", 9) != 0)
			fail_msg("%s\n-> %s", refused[i].text, x.err.text);
		assert_int_equal(x.items.n, 0);
		done(&x);
	}
}

static void a_nul_byte_is_refused(void **state)
{
	static const char text[] = "[uwsgi]\nmodule = a\0b\n";
	struct read x = read_at("blog.ini", text, sizeof(text) - 1, NULL, true);

	(void)state;
	assert_int_equal(x.r, -EINVAL);
	assert_string_equal(x.err.text, "blog.ini:2: not a text file");
	done(&x);
}

static void a_tenants_ini_reads_no_files(void **state)
{
	static const char *const lines[] = {
		"a = @(/etc/passwd)", "ini = /etc/passwd", "if-exists = /etc/shadow\nendif",
		"for-glob = /etc/*\nendfor", "for-readline = /etc/passwd\nendfor"};
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct read x;

		(void)snprintf(text, sizeof(text), "[uwsgi]\n%s\n", lines[i]);
		x = read_at("blog.ini", text, strlen(text), NULL, false);
		assert_int_equal(x.r, -EPERM);
		done(&x);
	}
}

/* Each of them costs little to write and would cost much to read. */
static void bombs_are_defused(void **state)
{
	static const char *const bombs[] = {
		"[uwsgi]\nfor-times=99999\na=1\nendfor",
		"[uwsgi]\nfor-times=4000\nfor-times=4000\nendfor\nendfor",
		"[uwsgi]\nfor-times=200\nini=:b\nendfor\n[b]\nfor-times=200\nini=:c\nendfor\n[c]"
		"\nx=1",
		"[uwsgi]\na=%(b)%(b)%(b)\nb=%(c)%(c)%(c)\nc=%(d)%(d)%(d)\nd=%(e)%(e)%(e)\n"
		"e=%(f)%(f)%(f)\nf=%(g)%(g)%(g)\ng=%(h)%(h)%(h)\nh=%(i)%(i)%(i)\ni=%(j)%(j)%(j)\n"
		"j=1234567890",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bombs); i++) {
		struct read x = read_text(bombs[i]);

		if (x.r != -E2BIG)
			fail_msg("%s\n-> %d %s", bombs[i], x.r, x.err.text);
		done(&x);
	}
}

/* 4,000 uses of a long placeholder in 170 KB of text, or of a long line in a loop: gigabytes, if nobody counted. */
static void all_values_together_have_an_end(void **state)
{
	size_t room = LIMIT_INI_BYTES;
	char *text = malloc(room);
	size_t n;
	struct read x;

	(void)state;
	assert_non_null(text);
	n = (size_t)snprintf(text, room, "[uwsgi]\np=");
	memset(text + n, 'x', 65000);
	n += 65000;
	for (unsigned k = 0; k < 4000; k++)
		n += (size_t)snprintf(text + n, room - n, "\na%u=%%(p)", k);
	x = read_at("blog.ini", text, n, NULL, true);
	assert_int_equal(x.r, -E2BIG);
	assert_non_null(strstr(x.err.text, "blog.ini:"));
	assert_non_null(strstr(x.err.text, "together"));
	done(&x);

	n = (size_t)snprintf(text, room, "[uwsgi]\nfor-times=4000\na=");
	memset(text + n, 'x', 60000);
	n += 60000;
	n += (size_t)snprintf(text + n, room - n, "\nendfor\n");
	x = read_at("blog.ini", text, n, NULL, true);
	assert_int_equal(x.r, -E2BIG);
	assert_non_null(strstr(x.err.text, "together"));
	done(&x);
	free(text);
}

static void a_file_and_a_line_have_an_end(void **state)
{
	size_t n = LIMIT_INI_BYTES + 1;
	char *text = malloc(n);
	struct read x;

	(void)state;
	assert_non_null(text);
	memset(text, '\n', n);
	memcpy(text, "[uwsgi]\n", 8);
	x = read_at("blog.ini", text, n, NULL, true);
	assert_int_equal(x.r, -E2BIG);
	done(&x);
	x = read_at("blog.ini", text, n - 1, NULL, true);
	assert_int_equal(x.r, 0);
	done(&x);
	memset(text + 8, 'x', LIMIT_INI_LINE + 1);
	x = read_at("blog.ini", text, n - 1, NULL, true);
	assert_int_equal(x.r, -E2BIG);
	assert_string_equal(x.err.text, "blog.ini:2: a line of more than 65536 bytes");
	done(&x);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_refusal_says_where_and_why),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(a_tenants_ini_reads_no_files),
		cmocka_unit_test(bombs_are_defused),
		cmocka_unit_test(all_values_together_have_an_end),
		cmocka_unit_test(a_file_and_a_line_have_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
