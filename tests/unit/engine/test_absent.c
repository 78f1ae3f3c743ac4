/* absent: which failures of an app get a sentence, and which one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vassal/engine/absent.h"

static const struct {
	const char *reason, *says; /* "": nothing */
} rows[] = {
	{"ImportError: cannot import name 'timer' from 'uwsgidecorators' (unknown location)",
	 "uwsgidecorators.timer is not offered: timed jobs stand in the ini here: cron ="},
	{"AttributeError: module 'uwsgi' has no attribute 'cache_set'",
	 "uwsgi.cache_set is not offered: caches of uWSGI do not exist here"},
	{"AttributeError: module 'uwsgi' has no attribute 'mule_msg'. Did you mean: 'mule_id'?",
	 "uwsgi.mule_msg is not offered: work beside requests is a program of its own here: "
	 "attach-daemon ="},
	{"ImportError: cannot import name 'websocket_recv' from 'uwsgi' (unknown location)",
	 "uwsgi.websocket_recv is not offered: there is no such name here"},
	{"ImportError: cannot import name 'timer' from 'uwsgitools' (/x.py)", ""},
	{"ImportError: cannot import name 'timer", ""},
	{"AttributeError: module 'uwsgi", ""},
	{"AttributeError: module 'uwsgi' has no attribute ''", ""},
	{"AttributeError: module 'django' has no attribute 'cache_set'", ""},
	{"ModuleNotFoundError: No module named 'uwsgi.cache'", ""},
	{"", ""},
};

static void a_name_that_is_not_offered_gets_what_stands_in_its_place(void **state)
{
	char buf[ABSENT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		absent_explain(span_str(rows[i].reason), buf);
		if (rows[i].says[0] ? !strstr(buf, rows[i].says) : buf[0] != '\0')
			fail_msg("%s\n-> %s", rows[i].reason, buf);
	}
}

static void a_sentence_fits_whatever_the_name_is(void **state)
{
	char reason[4096] = "AttributeError: module 'uwsgi' has no attribute 'spool",
	     buf[ABSENT_MAX];
	size_t n = strlen(reason);

	(void)state;
	memset(reason + n, 'x', sizeof(reason) - n);
	reason[sizeof(reason) - 1] = '\'';
	absent_explain(span_of(reason, sizeof(reason)), buf);
	assert_non_null(strstr(buf, "(vassal.ini(5), The uwsgi module)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_that_is_not_offered_gets_what_stands_in_its_place),
		cmocka_unit_test(a_sentence_fits_whatever_the_name_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
