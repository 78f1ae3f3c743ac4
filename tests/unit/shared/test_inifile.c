/* inifile: the dialect, line by line. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/shared/reading.h"

/* "key=value;key" of all items, in order. */
static const char *joined(const struct config_items *items)
{
	static char out[65536];
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < items->n; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%s%s%s", i ? "|" : "",
				      items->v[i].key, items->v[i].has_value ? "=" : "",
				      items->v[i].has_value ? items->v[i].value : "");
	return out;
}

struct reading {
	const char *text, *items;
};

static void expect(const struct reading *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct read x = read_text(cases[i].text);

		if (x.r < 0)
			fail_msg("%s\n-> %s", cases[i].text, x.err.text);
		if (!str_eq(joined(&x.items), cases[i].items))
			fail_msg("%s\n-> %s\nnot %s", cases[i].text, joined(&x.items),
				 cases[i].items);
		done(&x);
	}
}

static void lines_are_read_as_uwsgi_reads_them(void **state)
{
	static const struct reading cases[] = {
		{"[uwsgi]\nhttp=:80\n", "http=:80"},
		{"[vassal]\nhttp = :80", "http=:80"},
		{"[uwsgi]\na=1\n[vassal]\nb=2\n[uwsgi]\nc=3", "a=1|b=2|c=3"},
		{"\xef\xbb\xbf[uwsgi]\na=1", "a=1"},
		{"[uwsgi]\r\na = 1 \r\nmaster\r\n", "a=1|master"},
		{"[uwsgi]\n  virtualenv = /x\n\tindented=2", "virtualenv=/x|indented=2"},
		{"[uwsgi]\nmaster\ndie-on-term\nempty =", "master|die-on-term|empty="},
		{"[uwsgi]\ncolon : v\ncol:eq = v", "colon : v|col:eq=v"},
		{"[uwsgi]\n; c\n# d\n  ; e\n\na=1", "a=1"},
		{"[uwsgi]\na = x ; y\nb = app:app # z", "a=x ; y|b=app:app # z"},
		{"[uwsgi]\nq = \"quoted\"\nback = a\\\nb=2", "q=\"quoted\"|back=a\\|b=2"},
		{"[uwsgi]\na=1\na=2", "a=1|a=2"},
		{"[uwsgi]\nenv = A=B=C", "env=A=B=C"},
		{"ignored=1\n[other]\nb=2\n[uwsgi]\na=1\n[x]\nc=3", "a=1"},
		{"[uwsgi] ; comment\na=1", "a=1"},
		{"[uWSGI]\na=1", "a=1"},
		{"[ uwsgi ]\na=1", "a=1"},
		{"[uwsgi]", ""},
	};

	(void)state;
	expect(cases, ARRAY_SIZE(cases));
}

static void a_line_longer_than_inih_can_is_whole(void **state)
{
	static char text[60000];
	struct read x;

	(void)state;
	(void)strcpy(text, "[uwsgi]\nlog-format = ");
	memset(text + strlen(text), 'x', 50000);
	(void)strcat(text, "\nb = 2\n");
	x = read_text(text);
	assert_int_equal(x.r, 0);
	assert_int_equal(strlen(config_items_get(&x.items, "log-format")), 50000);
	assert_string_equal(config_items_get(&x.items, "b"), "2");
	done(&x);
}

static void every_item_knows_its_line(void **state)
{
	struct read x =
		read_text("; one\n\n[uwsgi]\na=1\n\n# six\nb=2\nif-env = HOME\nc=3\nendif\n");

	(void)state;
	assert_int_equal(x.r, 0);
	assert_int_equal(x.items.n, 3);
	assert_int_equal(x.items.v[0].line, 4);
	assert_int_equal(x.items.v[1].line, 7);
	assert_int_equal(x.items.v[2].line, 9);
	assert_string_equal(x.items.v[2].file, "blog.ini");
	done(&x);
}

static void magic_variables_have_their_values(void **state)
{
	static const struct reading cases[] = {
		{"[uwsgi]\na=%p", "a=/srv/apps/blog.ini"},
		{"[uwsgi]\na=%d", "a=/srv/apps/"},
		{"[uwsgi]\na=%s %n %e %c %o", "a=blog.ini blog ini apps /srv/apps/blog.ini"},
		{"[uwsgi]\na=%P%D%S%N%E%C", "a=/srv/apps/blog.ini/srv/apps/blog.iniblogini"
					    "apps"},
		{"[uwsgi]\na=%v %k %x", "a=/etc/vassals 4"},
		{"[uwsgi]\na=%0/%1/%2.", "a=srv/apps/."},
		{"[uwsgi]\na=100%%", "a=100%"},
		{"[uwsgi]\na=100% x", "a=100x"},
		{"[uwsgi]\na=%Y-%m-%d", "a=--/srv/apps/"},
		{"[uwsgi]\na=%%Y", "a=%Y"},
		{"[uwsgi]\na=end%", "a=end"},
		{"[uwsgi]\n%n=1", "blog=1"},
	};

	(void)state;
	expect(cases, ARRAY_SIZE(cases));
}

/* The number that uWSGI 2.0.21 prints for this path. */
static void the_hash_of_a_path_is_uwsgis(void **state)
{
	struct read x = read_at("/tmp/cfg_d/sub.dir/my.app.ini", "[uwsgi]\na=%j", 12, NULL, true);

	(void)state;
	assert_int_equal(x.r, 0);
	assert_string_equal(joined(&x.items), "a=7BBDB533");
	done(&x);
}

static void values_are_expanded_as_uwsgi_does(void **state)
{
	static const struct reading cases[] = {
		{"[uwsgi]\na=$(HOME)/x", "a=/home/a/x"},
		{"[uwsgi]\na=$(NONE)", "a=$(NONE)"},
		{"[uwsgi]\na=$(NONE:-8)$(EMPTY:-9)$(PORT:-1)$(EMPTY)", "a=899000"},
		{"[uwsgi]\na=$(HOME", "a=$(HOME"},
		{"[uwsgi]\nbase=/srv\na=%(base)/x", "base=/srv|a=/srv/x"},
		{"[uwsgi]\na=%(base)/x\nbase=/srv", "a=/srv/x|base=/srv"},
		{"[uwsgi]\nb=1\nb=2\na=%(b)", "b=1|b=2|a=1"},
		{"[uwsgi]\na=%(b)\nb=%(c)\nc=$(HOME)", "a=/home/a|b=/home/a|c=/home/a"},
		{"[uwsgi]\nlog-format=%(addr) %(method)", "log-format=%(addr) %(method)"},
		{"[uwsgi]\na=%(addr time)", "a=%(addr time)"},
		{"[uwsgi]\na=17\nb=30\nc=%(a + b + 3)", "a=17|b=30|c=50"},
		{"[uwsgi]\na=17\nb=30\nc=%(a b)", "a=17|b=30|c=1730"},
		{"[uwsgi]\na=%(%k + 1)", "a=5"},
		{"[uwsgi]\na=%((%k * 2) + 1)", "a=9"},
		{"[uwsgi]\na=%(2 + 3 * 4)", "a=20"},
		{"[uwsgi]\na=%(9 / 2) %(1 - 5) %(4 ++) %(4 --)", "a=4 -4 5 3"},
		{"[uwsgi]\na=%(2*2)", "a=%(2*2)"},
		{"[uwsgi]\na=%(2 *)", "a=%(2 *)"},
		{"[uwsgi]\nx y=1\na=%(x y)", "x y=1|a=1"},
	};

	(void)state;
	expect(cases, ARRAY_SIZE(cases));
}

static void conditions_and_loops_choose_lines(void **state)
{
	static const struct reading cases[] = {
		{"[uwsgi]\nif-env=HOME\na=%(_)\nendif=\nb=1", "a=/home/a|b=1"},
		{"[uwsgi]\nif-env=PORT=9000\na=1\nendif=", "a=1"},
		{"[uwsgi]\nif-env=PORT=1\na=1\nendif=", ""},
		{"[uwsgi]\nif-not-env=NONE\na=1\nendif", "a=1"},
		{"[uwsgi]\nif-env=NONE\na=1\nelse=\nb=2\nendif", "b=2"},
		{"[uwsgi]\nif-env=HOME\na=1\nelse\nb=2\nendif", "a=1"},
		{"[uwsgi]\nif-env=HOME\nif-env=NONE\na=1\nelse\nb=2\nendif\nc=3\nendif", "b=2|c=3"},
		{"[uwsgi]\nx=1\nif-opt=x=1\na=1\nendif\nif-opt=x=2\nb=1\nendif", "x=1|a=1"},
		{"[uwsgi]\nif-not-opt=x\na=1\nendif", "a=1"},
		{"[uwsgi]\nif-dir=/\na=%(_)\nendif\nif-file=/\nb=1\nendif\nif-exists=/\nc=1\nendif",
		 "a=/|c=1"},
		{"[uwsgi]\nif-not-exists=/none/such\na=1\nendif", "a=1"},
		{"[uwsgi]\nif-reload\na=1\nendif\nif-not-reload\nb=1\nendif", "b=1"},
		{"[uwsgi]\nfor = x y  z\nenv=%(_)=1\nendfor=", "env=x=1|env=y=1|env=z=1"},
		{"[uwsgi]\nfor-times=3\na=%(_)\nendfor", "a=1|a=2|a=3"},
		{"[uwsgi]\nfor=1 2\nfor=a b\nx=%(_)\nendfor\nendfor", "x=a|x=b|x=a|x=b"},
		{"[uwsgi]\nfor-glob=/etc/passw?\na=%(_)\nendfor", "a=/etc/passwd"},
		{"[uwsgi]\nset=a=1\nset-placeholder = b=2\nc=%(b)", "a=1|b=2|c=2"},
		{"[uwsgi]\nini=:base\na=1\n[base]\na=0\nb=%x", "a=0|b=|a=1"},
	};

	(void)state;
	expect(cases, ARRAY_SIZE(cases));
}

static void placeholders_are_marked_used(void **state)
{
	struct read x =
		read_text("[uwsgi]\nbase=/x\nother=1\nset-ph=p=1\nchdir=%(base)\nif-opt=o\nendif");

	(void)state;
	assert_int_equal(x.r, 0);
	assert_true(x.items.v[0].used);
	assert_false(x.items.v[1].used);
	assert_true(x.items.v[2].used);
	done(&x);
}

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void included_files_count_where_they_stand(void **state)
{
	char dir[] = "/tmp/emperor-test-XXXXXX";
	char main_path[64], sub[64], expected[1024];
	static const char main_text[] = "[uwsgi]\na=1\nini=sub/other.ini\ninherit=sub/tmpl.ini\n"
					"ini=sub/other.ini:more\nsecret=@(sub/secret)\nz=9\n"
					"for-readline=sub/secret\nl=%(_)\nendfor";
	struct read x;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(main_path, sizeof(main_path), "%s/blog.ini", dir);
	(void)snprintf(sub, sizeof(sub), "%s/sub", dir);
	assert_int_equal(mkdir(sub, 0700), 0);
	put_file(sub, "other.ini", "[uwsgi]\nb=%d %n %N\n[more]\nm=1\n");
	put_file(sub, "tmpl.ini", "[uwsgi]\nt=%n\n");
	put_file(sub, "secret", "s3cret\n");
	put_file(dir, "blog.ini", main_text);
	x = read_at(main_path, main_text, strlen(main_text), NULL, true);
	if (x.r < 0)
		fail_msg("%s", x.err.text);
	(void)snprintf(expected, sizeof(expected),
		       "a=1|b=%s/ other blog|t=blog|m=1|secret=s3cret|z=9|l=s3cret", sub);
	assert_string_equal(joined(&x.items), expected);
	assert_string_equal(x.items.v[1].file, "sub/other.ini");
	assert_int_equal(x.items.v[1].line, 2);
	done(&x);

	put_file(sub, "other.ini", "[uwsgi]\nini=other.ini\n");
	x = read_at(main_path, main_text, strlen(main_text), NULL, true);
	assert_true(x.r < 0);
	done(&x);

	(void)snprintf(expected, sizeof(expected), "rm -r %s", dir);
	assert_int_equal(system(expected), 0);
}

static void only_the_section_asked_for_is_read(void **state)
{
	static const char text[] = "[uwsgi]\na=1\n[staging]\nb=%x\n[emperor]\nc=3\n";
	struct read x = read_at("blog.ini", text, strlen(text), "staging", true);

	(void)state;
	assert_int_equal(x.r, 0);
	assert_string_equal(joined(&x.items), "b=staging");
	done(&x);
	x = read_at("blog.ini", text, strlen(text), "production", true);
	assert_string_equal(x.err.text, "blog.ini: there is no section [production]");
	done(&x);
}

static void oddities_are_noted_with_their_line(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *says;
	} cases[] = {
		{"[uwsgi]\na = %Y", 2, "\"%Y\" is no magic variable"},
		{"[uwsgi] ; c\na=1", 1, "what follows ]"},
		{"\n[uWSGI]\na=1", 2, "small letters"},
		{"[uwsgi]\nif-env=HOME\nelse\nendif", 3, "else: uWSGI 2.0"},
		{"[uwsgi]\n\nendif", 3, "endif: nothing was opened"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct read x = read_text(cases[i].text);

		assert_int_equal(x.r, 0);
		assert_true(x.notes.n > 0);
		assert_string_equal(x.notes.v[0].file, "blog.ini");
		assert_int_equal(x.notes.v[0].line, cases[i].line);
		if (!strstr(x.notes.v[0].text, cases[i].says))
			fail_msg("%s\n-> %s", cases[i].text, x.notes.v[0].text);
		done(&x);
	}
}

static void a_linked_ini_is_known_by_its_link(void **state)
{
	char dir[] = "/tmp/emperor-test-XXXXXX";
	char path[64], target[64];
	struct read x;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(target, sizeof(target), "%s/real.ini", dir);
	(void)snprintf(path, sizeof(path), "%s/link.ini", dir);
	put_file(dir, "real.ini", "");
	assert_int_equal(symlink(target, path), 0);
	x = read_at(path, "[uwsgi]\na=%n", 12, NULL, true);
	assert_string_equal(joined(&x.items), "a=link");
	done(&x);
	(void)unlink(path);
	(void)unlink(target);
	(void)rmdir(dir);
}

static void there_is_at_least_one_cpu(void **state)
{
	(void)state;
	assert_true(inifile_count_cpus() >= 1);
	assert_true(inifile_count_cpus() <= (unsigned)sysconf(_SC_NPROCESSORS_CONF));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_as_uwsgi_reads_them),
		cmocka_unit_test(a_line_longer_than_inih_can_is_whole),
		cmocka_unit_test(every_item_knows_its_line),
		cmocka_unit_test(magic_variables_have_their_values),
		cmocka_unit_test(the_hash_of_a_path_is_uwsgis),
		cmocka_unit_test(values_are_expanded_as_uwsgi_does),
		cmocka_unit_test(conditions_and_loops_choose_lines),
		cmocka_unit_test(placeholders_are_marked_used),
		cmocka_unit_test(included_files_count_where_they_stand),
		cmocka_unit_test(only_the_section_asked_for_is_read),
		cmocka_unit_test(oddities_are_noted_with_their_line),
		cmocka_unit_test(a_linked_ini_is_known_by_its_link),
		cmocka_unit_test(there_is_at_least_one_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
