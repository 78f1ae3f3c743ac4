/* inifile: the dialect, line by line, and everything that is refused. */
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

#include "shared/err.h"
#include "shared/inifile.h"

static char home[] = "HOME=/home/a", empty[] = "EMPTY=", port[] = "PORT=9000";
static char *const environ_now[] = {home, empty, port, NULL};

struct read { /* one ini, read */
	struct config_items items;
	struct inifile_notes notes;
	struct err err;
	int r;
};

static struct read read_at(const char *path, const char *bytes, size_t n, const char *section,
			   bool allow_files)
{
	const struct inifile_facts facts = {
		.path = path,
		.section = section,
		.vassals_dir = "/etc/vassals",
		.environ = environ_now,
		.cpus = 4,
		.allow_files = allow_files,
	};
	struct read x = {0};

	x.r = inifile_parse(bytes, n, &facts, &x.items, &x.notes, &x.err);
	return x;
}

static struct read read_text(const char *text)
{
	return read_at("/srv/apps/blog.ini", text, strlen(text), NULL, true);
}

static void done(struct read *x)
{
	config_items_done(&x->items);
	inifile_notes_done(&x->notes);
}

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
		cmocka_unit_test(every_refusal_says_where_and_why),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(a_tenants_ini_reads_no_files),
		cmocka_unit_test(bombs_are_defused),
		cmocka_unit_test(all_values_together_have_an_end),
		cmocka_unit_test(a_file_and_a_line_have_an_end),
		cmocka_unit_test(included_files_count_where_they_stand),
		cmocka_unit_test(only_the_section_asked_for_is_read),
		cmocka_unit_test(oddities_are_noted_with_their_line),
		cmocka_unit_test(a_linked_ini_is_known_by_its_link),
		cmocka_unit_test(there_is_at_least_one_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
