/*
 * test_merge - lines of generations that ran side by side.
 */
#include "emperor/ctl/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define AT(second) "2026-11-21T06:52:0" second ".000Z "
#define START(second) \
	"\x1e"        \
	"2026-11-21T06:52:0" second ".000Z\n"

/* The lines' texts behind their stamps, joined by commas. */
static const char *merged(const char *const texts[], size_t n)
{
	static char buf[1024];
	struct merge_text t[4];
	struct merge_line *lines;
	size_t count, at = 0;

	for (size_t i = 0; i < n; i++) {
		t[i].p = strdup(texts[i]);
		t[i].n = strlen(texts[i]);
	}
	assert_int_equal(merge_lines(t, n, &lines, &count), 0);
	buf[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		bool stamped = lines[i].stamp == lines[i].p;
		const char *text = lines[i].p + (stamped ? MERGE_STAMP + 1 : 0);
		size_t skip = (size_t)(text - lines[i].p);

		at += (size_t)snprintf(buf + at, sizeof(buf) - at, "%s%.*s", i ? "," : "",
				       (int)(lines[i].n - skip), text);
	}
	free(lines);
	for (size_t i = 0; i < n; i++)
		free(t[i].p);
	return buf;
}

static void lines_come_in_the_order_of_time(void **state)
{
	static const struct {
		const char *texts[3];
		const char *order;
	} cases[] = {
		{{"", "", ""}, ""},
		{{AT("1") "a\n", AT("2") "b\n", ""}, "a,b"},
		/* the older generation drains while the newer serves */
		{{AT("1") "a\n" AT("4") "d\n", AT("2") "b\n" AT("3") "c\n", AT("5") "e\n"},
		 "a,b,c,d,e"},
		/* a line without a time stays behind its predecessor */
		{{AT("1") "a\nTraceback\n  more\n" AT("4") "d\n", AT("2") "b\n", ""},
		 "a,Traceback,  more,b,d"},
		/* of equal ones the older generation's is first */
		{{AT("1") "old\n", AT("1") "new\n", ""}, "old,new"},
		/* a ring that has gone round begins with what belongs to a lost line */
		{{AT("1") "a\n", "tail\n" AT("3") "c\n", AT("2") "b\n"}, "a,b,tail,c"},
		/* nothing in it has a time: behind the generation before */
		{{AT("1") "a\n", "raw\nraw2\n", AT("2") "b\n"}, "a,raw,raw2,b"},
		/* an app that writes a false time moves no line of its own generation */
		{{AT("9") "liar\n" AT("1") "a\n", AT("2") "b\n", ""}, "b,liar,a"},
		/* the last line need not be whole; a stamp must be */
		{{AT("2") "b", "2026-11-21T06:52:01.000 no stamp\n" AT("1") "a\n", ""},
		 "2026-11-21T06:52:01.000 no stamp,a,b"},
		{{"\n\n", AT("1") "\n", ""}, ",,"},
		/* what a start prints stands behind what an earlier one has written to the same place */
		{{START("2") "trace2\n" AT("3") "fail2\n",
		  START("1") "trace1\n" AT("1") "fail1\n" START("4") "trace4\n", ""},
		 "trace1,fail1,trace2,fail2,trace4"},
		{{AT("1") "a\n", START("2") "b\n" START("3"), START("4")}, "a,b"},
		/* but nearly one is a line: of an app that prints such bytes */
		{{"\x1e\n"
		  "\x1e" AT("1") "\n"
				 "\x1e"
				 "24 bytes that are no tim\n",
		  "", ""},
		 "\x1e,\x1e" AT("1") ",\x1e"
				     "24 bytes that are no tim"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(merged(cases[i].texts, 3), cases[i].order);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_in_the_order_of_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
