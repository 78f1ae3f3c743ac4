/*
 * ini_mask: no secret is left, and what is none is.
 */
#include "shared/ini_mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "shared/buf.h"
#include "shared/limits.h"

static char text[4096];

static const char *masked(const char *ini, size_t limit)
{
	struct buf out = {0};

	assert_int_equal(ini_mask(span_of(ini, strlen(ini)), limit, &out), 0);
	assert_true(out.n <= limit && out.n < sizeof(text));
	(void)snprintf(text, sizeof(text), "%.*s", (int)out.n, out.n ? buf_span(&out).p : "");
	buf_done(&out);
	return text;
}

static void secrets_are_masked_and_nothing_else(void **state)
{
	static const struct {
		const char *ini, *shown;
	} rows[] = {
		/* what is shown as it is */
		{"", ""},
		{"[vassal]\nprocesses = 4", "[vassal]\nprocesses = 4"},
		{"[vassal]\r\nmodule=a.b:app\r\n\r\n", "[vassal]\nmodule=a.b:app\n\n"},
		{"  http = :9001 \n", "  http = :9001\n"},
		{"lazy-apps\n; a comment\n# harakiri = 9\n",
		 "lazy-apps\n; a comment\n# harakiri = 9\n"},
		{"static-map = /a=/b\nkeepalive = 3\n", "static-map = /a=/b\nkeepalive = 3\n"},
		{"attach-daemon = celery -A site worker --loglevel=info\n",
		 "attach-daemon = celery -A site worker --loglevel=info\n"},
		{"env =\nenv = NAME\n", "env =\nenv = NAME\n"},
		{"url = http://host/path?a=b\n", "url = http://host/path?a=b\n"},
		/* env */
		{"env = DEBUG=1\n", "env = DEBUG=***\n"},
		{"ENV=A=b=c d\r\n", "ENV=A=***\n"},
		{"; env = A=b\n#env=A=b\n;;  ienv = A=b\n",
		 "; env = A=***\n#env=A=***\n;;  ienv = A=***\n"},
		{"set = env=A=b\nset-ph = x=1\n", "set = env=A=***\nset-ph = x=1\n"},
		/* keys that speak of one */
		{"db_password = x y\nSECRET_KEY=z\n", "db_password = ***\nSECRET_KEY=***\n"},
		{"apitoken = x\npgpwd = x\nprivate = x\n",
		 "apitoken = ***\npgpwd = ***\nprivate = ***\n"},
		{"set-placeholder = dbpass=x\n", "set-placeholder = dbpass=***\n"},
		{"set = set = token=x\n", "set = set = token=***\n"},
		{"; old password = x\n", "; old password = ***\n"},
		{"# the password is x\n", "# ***\n"},
		/* inside values */
		{"mule = x --password=a --db b\n", "mule = x --password=*** --db b\n"},
		{"mule = x --password a --db b\n", "mule = x --password *** --db b\n"},
		{"mule = x --password \"a b\" c\n", "mule = x --password *** c\n"},
		{"mule = x --token='a b' c\n", "mule = x --token=*** c\n"},
		{"mule = x --no-password --db b\n", "mule = x --no-password --db b\n"},
		{"touch = /a?token=x&b=c\n", "touch = /a?token=***&b=c\n"},
		{"json = {\"password\": \"x\", \"a\": 1}\n",
		 "json = {\"password\": ***, \"a\": 1}\n"},
		/* every word that a secret's name may have in it */
		{"password = x\nPASSWD = x\npgpwd = x\n",
		 "password = ***\nPASSWD = ***\npgpwd = ***\n"},
		{"auth = x\nhttp-auth = x\nauthorization = x y\n",
		 "auth = ***\nhttp-auth = ***\nauthorization = ***\n"},
		{"bearer = x\nSESSION_COOKIE = x\nsalt = x\n",
		 "bearer = ***\nSESSION_COOKIE = ***\nsalt = ***\n"},
		{"sentry-dsn = x\nDSN=x\ncredentials = x\n",
		 "sentry-dsn = ***\nDSN=***\ncredentials = ***\n"},
		{"mule = x --auth y --salt=z --dsn q\n",
		 "mule = x --auth *** --salt=*** --dsn ***\n"},
		{"touch = /a?auth=x&b=c\n", "touch = /a?auth=***&b=c\n"},
		/* headers */
		{"mule = curl -H 'Authorization: Basic x y' b\n",
		 "mule = curl -H 'Authorization: ***' b\n"},
		{"mule = curl -H \"Cookie: a=x; b=y\" c\n", "mule = curl -H \"Cookie: ***\" c\n"},
		{"add-header = Authorization: Bearer x\n", "add-header = Authorization: ***\n"},
		{"say = Bearer x y\nsay = 'bearer x'\n", "say = Bearer *** y\nsay = 'bearer ***\n"},
		{"json = {\"auth\": \"x\", \"a\": 1}\n", "json = {\"auth\": ***, \"a\": 1}\n"},
		/* short flags */
		{"mule = mysql -u root -p x db\n", "mule = mysql -u root -p *** db\n"},
		{"mule = mysql -pxyz db\n", "mule = mysql -p*** db\n"},
		{"mule = mysql -p 'a b' db\n", "mule = mysql -p *** db\n"},
		{"mule = mysql -p -h x\nmule = mysql -p\n",
		 "mule = mysql -p -h x\nmule = mysql -p\n"},
		{"mule = redis-cli -a x get y\n", "mule = redis-cli -a *** get y\n"},
		{"mule = plink -pw x host\n", "mule = plink -pw *** host\n"},
		{"mule = ldapsearch -w x -b y\n", "mule = ldapsearch -w *** -b y\n"},
		{"mule = x -w 4 -U 7\n", "mule = x -w 4 -U 7\n"},
		{"mule = curl -u me:x url\n", "mule = curl -u *** url\n"},
		{"mule = curl -ume:x url\n", "mule = curl -u*** url\n"},
		{"mule = smbclient -Ume%x share\n", "mule = smbclient -U*** share\n"},
		{"mule = smbclient -U me%x url\n", "mule = smbclient -U *** url\n"},
		{"mule = python -u w.py\nmule = a-p x\n", "mule = python -u w.py\nmule = a-p x\n"},
		/* URLs */
		{"db = postgres://me:p@ss@host/db\n", "db = postgres://***@host/db\n"},
		{"db = redis://:p/ss@host redis://x@y\n", "db = redis://***@host redis://***@y\n"},
		{"db = \"amqp://a:b@h\"\n", "db = \"amqp://***@h\"\n"},
		{"; see http://a:b@c\n", "; see http://***@c\n"},
		{"a://@b\n", "a://@b\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *shown = masked(rows[i].ini, 4096);

		if (strcmp(shown, rows[i].shown) != 0)
			fail_msg("%s became %s", rows[i].ini, shown);
	}
}

static void what_is_too_long_is_cut_at_a_line_and_says_so(void **state)
{
	char ini[4096] = "";

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		(void)strcat(ini, "module = hello\n"); /* 15 bytes */
	(void)masked(ini, 1500 + 64);
	assert_string_equal(text, ini);
	(void)masked(ini, 300);
	assert_memory_equal(text, ini, 225);
	assert_string_equal(text + 225, "; cut here: 1500 bytes in all\n");
	/* the line that does not fit leaves nothing of itself */
	assert_string_equal(masked("a = 1\npassword = 0123456789\n", 64 + 15),
			    "a = 1\n; cut here: 28 bytes in all\n");
	assert_string_equal(masked(ini, 0), "");
}

/* Whoever wrote them, the emperor reads them, and does nothing else meanwhile. */
static void long_lines_are_read_once(void **state)
{
	static const char *const pieces[] = {":",    "p:",    "://", "://@", "-key ", "a=\"",
					     "set=", "key: ", "-u ", "-u '", "-p=",   "bearer "};
	static char ini[16 * LIMIT_INI_LINE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		size_t n = strlen(pieces[i]);
		struct buf out = {0};
		clock_t began = clock();

		for (size_t at = 0; at < sizeof(ini); at++)
			ini[at] = pieces[i][at % n];
		memcpy(ini, "x = ", 4);
		assert_int_equal(ini_mask(span_of(ini, sizeof(ini)), 2 * sizeof(ini), &out), 0);
		buf_done(&out);
		/* some 50 ms, with sanitizers too */
		if (clock() - began > 5 * CLOCKS_PER_SEC)
			fail_msg("\"%s\" again and again takes too long", pieces[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_are_masked_and_nothing_else),
		cmocka_unit_test(what_is_too_long_is_cut_at_a_line_and_says_so),
		cmocka_unit_test(long_lines_are_read_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
