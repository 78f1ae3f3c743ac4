/*
 * test_check - what `emperorctl check` says of an ini, and of the machine it is to run on.
 */
#include "emperor/ctl/ctl.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static const char *in_folder(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void put_file(const char *name, const char *text)
{
	FILE *f = fopen(in_folder(name), "w");

	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/test-check-XXXXXX");
	if (!mkdtemp(folder) || chmod(folder, 0755) < 0)
		return -1;
	(void)mkdir(in_folder("mine"), 0700);
	(void)mkdir(in_folder("app"), 0755);
	(void)mkdir(in_folder("venv"), 0755);
	(void)mkdir(in_folder("venv/bin"), 0755);
	(void)mkdir(in_folder("venv/lib"), 0755);
	(void)mkdir(in_folder("venv/lib/python3.11"), 0755);
	(void)mkdir(in_folder("engines"), 0755);
	(void)mkdir(in_folder("app/static"), 0755);
	put_file("app/app.py", "");
	put_file("beside.py", "");
	put_file("venv/pyvenv.cfg", "version = 3.11\n");
	put_file("venv/bin/python", "");
	put_file("mine/python", "");
	put_file("engines/engine-python3.11", "");
	return chmod(in_folder("engines/engine-python3.11"), 0755);
}

static int tear_down(void **state)
{
	static const char *const files[] = {"app/app.py",
					    "beside.py",
					    "venv/pyvenv.cfg",
					    "venv/bin/python",
					    "venv/bin/python3",
					    "mine/python",
					    "x.ini",
					    "y.ini",
					    "z.ini",
					    "e.conf",
					    "engines/engine-python3.11"};
	static const char *const dirs[] = {
		"app/static", "app",  "venv/bin", "venv/lib/python3.11", "venv/lib", "venv",
		"engines",    "mine", ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		(void)unlink(in_folder(files[i]));
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		(void)rmdir(in_folder(dirs[i]));
	return 0;
}

static const char *checked_by(const char *config, const char *lines, bool json, int code)
{
	static char buf[16384];
	static char path[128], engines[128];
	FILE *out = fmemopen(buf, sizeof(buf), "w");
	char text[2048];
	struct ctl c = {.out = out,
			.json = json,
			.args = (char *const[]){path},
			.args_n = 1,
			.engines = engines,
			.config = config,
			.run_dir = "/none/where/an/emperor/runs"};

	assert_non_null(out);
	(void)snprintf(text, sizeof(text), "[vassal]\n%s", lines);
	put_file("x.ini", text);
	(void)snprintf(engines, sizeof(engines), "%s", in_folder("engines"));
	(void)snprintf(path, sizeof(path), "%s", in_folder("x.ini"));
	assert_int_equal(ctl_check(&c), code);
	(void)fclose(out);
	return buf;
}

static const char *checked(const char *lines, bool json, int code)
{
	return checked_by(NULL, lines, json, code);
}

static void what_the_emperor_would_refuse_is_an_error_at_its_line(void **state)
{
	static const struct {
		const char *lines, *says;
		int code;
	} cases[] = {
		{"module = m\ndomain = a\nuid = nobody-like-this\n",
		 "x.ini:4: uid = nobody-like-this: no such user\n", CTL_FAILED},
		{"module = m\ndomain = a\ngid = none-like-this\n",
		 "x.ini:4: gid = none-like-this: no such group\n", CTL_FAILED},
		{"module = m\nchown-socket = a-b-c:root\nsocket = @x\n",
		 "x.ini:3: chown-socket: uid = a-b-c: no such user\n", CTL_FAILED},
		{"chdir = /no/such/dir\nmodule = m\ndefault = true\n",
		 "x.ini:2: chdir: /no/such/dir: No such file or directory\n", CTL_FAILED},
		{"chdir = beside.py\nmodule = m\ndefault = true\n",
		 "x.ini:2: chdir: beside.py: Not a directory\n", CTL_FAILED},
		{"chdir = app\nwsgi-file = other.py\ndefault = true\n",
		 "x.ini:3: wsgi-file: other.py: No such file or directory\n", CTL_FAILED},
		{"wsgi-file = app.py\ndefault = true\n",
		 "x.ini:2: wsgi-file: app.py: No such file or directory\n", CTL_FAILED},
		{"chdir = app\nwsgi-file = app.py\ndefault = true\n", "x.ini: good", CTL_OK},
		{"wsgi-file = beside.py\ndefault = true\n", "x.ini: good", CTL_OK},
		{"module = m\nvirtualenv = app\ndefault = true\n",
		 "x.ini:3: home: app: is not a virtual environment: pyvenv.cfg: No such file",
		 CTL_FAILED},
		{"module = m\nhome = venv\ndefault = true\n", "x.ini: good", CTL_OK},
		{"module = m\ndefault = true\nstatic-map = /a=app/static\nstatic-map = /b=none\n",
		 "x.ini:5: note: static-map: none: No such file or directory\n", CTL_OK},
		{"module = m\n",
		 "x.ini: note: neither domain nor default nor an address of its own: nobody",
		 CTL_OK},
		{"harakiri = 5x\nmodule = m\nprocesses = many\ndefault = 1\n",
		 "x.ini:2: harakiri: \"5x\" is not a number of seconds\n"
		 "x.ini:4: processes: \"many\" is not a number\n",
		 CTL_FAILED},
		{"harakiri = 5x\nprocesses = many\nmodule = m\ndefault = 1\n", "x.ini: 2 errors\n",
		 CTL_FAILED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text = checked(cases[i].lines, false, cases[i].code);

		if (!strstr(text, cases[i].says))
			fail_msg("\"%s\" is not in: %s", cases[i].says, text);
	}
}

static void a_line_that_is_good_gets_no_word(void **state)
{
	(void)state;
	assert_null(
		strstr(checked("module = m\nhttp = :9001\n", false, CTL_OK), "nobody can reach"));
	assert_null(strstr(checked("module = m\ndomain = a b:80\n", false, CTL_FAILED),
			   "nobody can reach"));
	assert_null(strstr(
		checked("module = m\ndomain = a\nstatic-map = /s=app/static\n", false, CTL_OK),
		"static-map"));
}

static void an_ini_that_others_may_write_is_not_roots(void **state)
{
	(void)state;
	(void)checked("module = m\ndefault = 1\n", false, CTL_OK);
	assert_int_equal(chmod(in_folder("x.ini"), 0666), 0);
	assert_non_null(strstr(checked("module = m\ndefault = 1\n", false, CTL_OK),
			       "x.ini: note: an emperor that is root will refuse it: others than "
			       "root may write it"));
	(void)unlink(in_folder("x.ini"));
	assert_int_equal(chmod(folder, 0777), 0);
	assert_non_null(strstr(checked("module = m\ndefault = 1\n", false, CTL_OK),
			       "an emperor that is root will refuse it"));
	assert_int_equal(chmod(folder, 0755), 0);
	if (geteuid() == 0)
		assert_null(strstr(checked("module = m\ndefault = 1\n", false, CTL_OK), "refuse"));
}

static void what_the_apps_user_may_not_enter_is_found(void **state)
{
	const char *text;

	(void)state;
	if (geteuid() != 0)
		return; /* only root can look with another's eyes */
	text = checked("module = m\ndefault = 1\nchdir = mine\nuid = nobody\n", false, CTL_FAILED);
	assert_non_null(
		strstr(text, "x.ini:4: chdir: mine: Permission denied (as uid = nobody)\n"));
	text = checked("module = m\ndefault = 1\nchdir = mine\n", false, CTL_OK);
	assert_non_null(strstr(text, "x.ini:4: note: chdir: mine: may not be opened by "));
	text = checked("module = m\ndefault = 1\nchdir = mine\nuid = root\n", false, CTL_OK);
	assert_null(strstr(text, "chdir"));
	text = checked("default = 1\nchdir = mine\nwsgi-file = none.py\n", false, CTL_FAILED);
	assert_non_null(strstr(text, "x.ini:4: wsgi-file: none.py: No such file or directory\n"));
}

static void the_python_that_would_run_it_is_looked_for(void **state)
{
	static const struct {
		const char *lines, *says;
		int code;
	} cases[] = {
		{"python = 3.12\nmodule = m\n",
		 "x.ini:2: python = 3.12: this machine has engines for 3.11\n", CTL_FAILED},
		{"python = python3.11\nmodule = m\n", "x.ini: good", CTL_OK},
		{"python = 3.12\nstatic-map = /a=app\n", "x.ini: good", CTL_OK},
		{"module = m\nvirtualenv = venv\n",
		 "x.ini:3: virtualenv VENV is for Python 3.12, this machine has engines for 3.11\n",
		 CTL_FAILED},
		{"plugins = http, python27\nmodule = m\n",
		 "x.ini:2: note: plugins: python27: the app runs on Python 3.11; ", CTL_OK},
		{"plugin = python39\nmodule = m\n",
		 "x.ini:2: note: plugin: python39: the app runs on Python 3.11; ", CTL_OK},
		{"plugin = /usr/lib/uwsgi/python39_plugin.so\nmodule = m\n",
		 "python39_plugin.so: the app runs on Python 3.11; ", CTL_OK},
		{"plugin = python311,python3,python,/x/python3_plugin.so,python3.11\nmodule = m\n",
		 "!plugin", CTL_OK},
		{"pp = /nonexistent\npp = app\nmodule = m\n",
		 "x.ini:2: note: pythonpath: /nonexistent: No such file or directory: nothing is "
		 "imported from there\n",
		 CTL_OK},
		{"pythonpath = app\npythonpath = none/*\nmodule = m\n", "!pythonpath", CTL_OK},
	};
	char lines[512], says[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *venv = strstr(cases[i].says, "VENV");
		const char *text;

		put_file("venv/pyvenv.cfg", venv ? "version = 3.12.1\n" : "version = 3.11.2\n");
		(void)snprintf(lines, sizeof(lines), "%sdefault = 1\n", cases[i].lines);
		if (venv)
			(void)snprintf(says, sizeof(says), "%.*s%s%s", (int)(venv - cases[i].says),
				       cases[i].says, in_folder("venv"), venv + 4);
		else
			(void)snprintf(says, sizeof(says), "%s", cases[i].says);
		text = checked(lines, false, cases[i].code);
		if (says[0] == '!' ? strstr(text, says + 1) != NULL : !strstr(text, says))
			fail_msg("\"%s\": %s", says, text);
	}
}

static void a_virtualenv_s_python_must_be_there_and_in_reach(void **state)
{
	static const char home[] = "module = m\ndefault = 1\nhome = venv\n";
	char python[128], lines[256];

	(void)state;
	(void)snprintf(python, sizeof(python), "%s", in_folder("venv/bin/python"));
	(void)unlink(python);
	assert_non_null(strstr(checked(home, false, CTL_FAILED),
			       "x.ini:4: home: venv: its bin/python, or the Python that it points "
			       "to: No such file or directory\n"));
	put_file("venv/bin/python3", "");
	(void)checked(home, false, CTL_OK);
	(void)unlink(in_folder("venv/bin/python3"));
	assert_int_equal(symlink("../../mine/python", python), 0);
	(void)checked("module = m\ndefault = 1\nhome = venv\nuid = root\n", false, CTL_OK);
	(void)snprintf(lines, sizeof(lines), "%suid = nobody\n", home);
	if (geteuid() == 0)
		assert_non_null(
			strstr(checked(home, false, CTL_OK),
			       "x.ini:4: note: home: venv/bin/python: may not be opened by "));
	if (geteuid() == 0)
		assert_non_null(strstr(checked(lines, false, CTL_FAILED),
				       "x.ini:4: home: venv: its bin/python, or the Python that it "
				       "points to: Permission denied (as uid = nobody)\n"));
	(void)unlink(python);
	put_file("venv/bin/python", "");
	(void)rmdir(in_folder("venv/lib/python3.11"));
	assert_non_null(strstr(checked(home, false, CTL_FAILED),
			       "x.ini:4: home: venv: its lib/python3.11: No such file"));
	(void)mkdir(in_folder("venv/lib/python3.11"), 0755);
}

static void a_role_s_user_is_refused_at_its_line(void **state)
{
	const char *text;

	(void)state;
	if (geteuid() != 0)
		return;                             /* another's uid is only for root to give */
	(void)setenv("EMPEROR_RUN_DIR", folder, 1); /* where none runs */
	text = checked("module = m\ndefault = 1\nuid = uucp\n", false, CTL_FAILED);
	assert_non_null(strstr(text,
			       "x.ini:4: uid = uucp: no app may run as \"uucp\", the emperor's "
			       "gate-user: it could reach the connections of every app\n"));
	text = checked("module = m\nuid = sys\ndefault = 1\n", false, CTL_FAILED);
	assert_non_null(strstr(text, "x.ini:3: uid = sys: no app may run as \"sys\", the emperor's "
				     "stats-user"));
	(void)checked("module = m\nuid = nobody\ndefault = 1\n", false, CTL_OK);
}

static void a_log_that_cannot_be_written_is_refused_at_its_line(void **state)
{
	static const struct {
		const char *uid, *log, *says;
		int code;
	} cases[] = {
		{"nobody", "none/x.log", ": No such file or directory\n", CTL_FAILED},
		{"nobody", "mine/x.log", "", CTL_OK}, /* root's alone: root opens it */
		{"nobody", "link/x.log", ": a symbolic link on the way, which is not followed\n",
		 CTL_FAILED},
		{"nobody", "shared/x.log",
		 ": may not be written (as uid = nobody), and is not in a directory of root's "
		 "alone\n",
		 CTL_FAILED},
		{"root", "shared/x.log", "", CTL_OK},
		{"nobody", "app", ": Is a directory\n", CTL_FAILED},
		{"nobody", "fifo", ": No such device or address\n", CTL_FAILED},
	};
	char lines[512], says[512];

	(void)state;
	if (geteuid() != 0)
		return; /* only root can look with another's eyes */
	assert_int_equal(symlink("mine", in_folder("link")), 0);
	assert_int_equal(mkdir(in_folder("shared"), 0775), 0);
	assert_int_equal(chown(in_folder("shared"), 0, 1) | chmod(in_folder("shared"), 0775), 0);
	assert_int_equal(mkfifo(in_folder("fifo"), 0666), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *path = in_folder(cases[i].log);
		const char *text;

		(void)snprintf(lines, sizeof(lines),
			       "module = m\ndefault = 1\nuid = %s\ndaemonize = %s\n", cases[i].uid,
			       path);
		(void)snprintf(says, sizeof(says), "x.ini:5: logto: %s%s", path, cases[i].says);
		text = checked(lines, false, cases[i].code);
		if (cases[i].says[0] ? !strstr(text, says) : strstr(text, "logto") != NULL)
			fail_msg("%s: %s", cases[i].log, text);
	}
	assert_int_equal(access(in_folder("mine/x.log"), F_OK), -1); /* nothing was made */
	assert_non_null(strstr(checked("module = m\ndefault = 1\nlogto = x.log\n", false, CTL_OK),
			       "x.ini:4: note: logto: x.log: a relative path without"));
	(void)unlink(in_folder("link"));
	(void)unlink(in_folder("fifo"));
	(void)rmdir(in_folder("shared"));
}

/* "LISTENED": a port that somebody has. */
static void addresses_that_cannot_be_had_are_found(void **state)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char lines[256], says[256];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	(void)snprintf(lines, sizeof(lines), "module = m\nhttp = 127.0.0.1:%u\n",
		       ntohs(sa.sin_port));
	(void)snprintf(says, sizeof(says),
		       "x.ini:3: http: 127.0.0.1:%u: is in use by another process\n",
		       ntohs(sa.sin_port));
	assert_non_null(strstr(checked(lines, false, CTL_FAILED), says));
	(void)close(fd);
	assert_null(strstr(checked(lines, false, CTL_OK), "in use"));
	assert_non_null(strstr(checked("module = m\nhttp = 203.0.113.9:80\n", false, CTL_FAILED),
			       "x.ini:3: http: 203.0.113.9:80: Cannot assign requested address\n"));
}

static void folders_that_a_socket_or_pidfile_cannot_be_made_in_are_found(void **state)
{
	static const struct {
		const char *more, *key, *path, *says;
		int code;
	} cases[] = {
		{"", "socket", "none/a.sock", ": there is no such folder\n", CTL_FAILED},
		{"", "http-socket", "beside.py/a.sock", ": there is no such folder\n", CTL_FAILED},
		{"", "socket", "beside.py", ": is there and is no socket: it is not removed\n",
		 CTL_FAILED},
		{"uid = nobody\n", "socket", "mine/a.sock",
		 ": may not be made in this folder (as uid = nobody)\n", CTL_FAILED},
		{"uid = root\n", "socket", "mine/a.sock", "", CTL_OK},
		{"domain = a\n", "socket", "mine/a.sock",
		 " may not write the folder, as whom an app without uid", CTL_OK},
		{"domain = a\n", "pidfile", "none/a.pid", ": there is no such folder\n", CTL_OK},
		{"domain = a\nuid = nobody\n", "pidfile", "mine/a.pid",
		 ": may not be made in this folder (as uid = nobody)\n", CTL_OK},
		{"domain = a\nuid = root\n", "pidfile", "mine/a.pid", "", CTL_OK},
	};
	char lines[512], says[512], path[128];

	(void)state;
	if (geteuid() != 0)
		return; /* only root can look with another's eyes */
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *text;

		(void)snprintf(path, sizeof(path), "%s", in_folder(cases[i].path));
		(void)snprintf(lines, sizeof(lines), "module = m\n%s = %s\n%s", cases[i].key, path,
			       cases[i].more);
		text = checked(lines, false, cases[i].code);
		(void)snprintf(says, sizeof(says), "x.ini:3: %s%s: %s",
			       cases[i].code == CTL_OK ? "note: " : "", cases[i].key, path);
		if (cases[i].says[0] ? !strstr(text, says) || !strstr(text, cases[i].says)
				     : strstr(text, path) != NULL)
			fail_msg("%s = %s: %s", cases[i].key, cases[i].path, text);
	}
	assert_int_equal(access(in_folder("mine/a.sock"), F_OK), -1); /* nothing was made */
	assert_int_equal(access(in_folder("mine/a.pid"), F_OK), -1);
}

static void a_name_that_another_ini_of_the_folder_has_is_found(void **state)
{
	const char *text;

	(void)state;
	put_file("y.ini", "[uwsgi]\nharakiri = x\ndomain = b.test a.test/x\n= 1\n");
	put_file("z.ini", "[vassal]\ndefault = true\n");
	text = checked("module = m\ndomain = a.test\ndomain = B.test\n", false, CTL_FAILED);
	assert_non_null(strstr(
		text, "x.ini:4: b.test: y.ini:3 has it too: one of the two will be refused\n"));
	assert_null(strstr(text, "a.test"));
	text = checked("module = m\ndefault = true\n", false, CTL_FAILED);
	assert_non_null(strstr(text, "x.ini:3: the default site: z.ini:2 has it too"));
	(void)unlink(in_folder("y.ini"));
	(void)unlink(in_folder("z.ini"));
	(void)checked("module = m\ndomain = b.test\ndefault = true\n", false, CTL_OK);
}

static void what_is_allowed_but_unwise_is_a_note(void **state)
{
	(void)state;
	if (geteuid() == 0)
		assert_non_null(
			strstr(checked("module = m\ndomain = a\nuid = root\n", false, CTL_OK),
			       "x.ini:4: note: uid = root: whoever breaks into the app is root"));
	assert_null(strstr(checked("module = m\ndomain = a\n", false, CTL_OK), "breaks into"));
}

static void the_defaults_of_an_emperor_ini_count(void **state)
{
	char config[128];

	(void)state;
	(void)snprintf(config, sizeof(config), "%s", in_folder("e.conf"));
	put_file("e.conf", "[emperor]\nvassals-set = threads=3\nvassals-set = harakiri=7\n");
	assert_non_null(
		strstr(checked_by(config, "module = m\ndomain = a\nharakiri = 9\nshow-config = 1\n",
				  false, CTL_OK),
		       "\nthreads = 3\n"));
	assert_non_null(
		strstr(checked_by(config, "module = m\ndomain = a\nharakiri = 9\nshow-config = 1\n",
				  false, CTL_OK),
		       "\nharakiri = 9\n"));
	put_file("e.conf", "[emperor]\nvassals-set = threads=many\n");
	assert_non_null(strstr(checked_by(config, "module = m\ndomain = a\n", false, CTL_FAILED),
			       "e.conf"));
	assert_non_null(
		strstr(checked_by("/none/e.conf", "module = m\ndomain = a\n", false, CTL_FAILED),
		       "/none/e.conf: cannot open"));
}

static void every_line_is_read_whatever_stands_before_it(void **state)
{
	const char *text =
		checked("= 1\n<<<<<<< HEAD\ndomain = a\nini = none.ini\nenv = A=@(none)\n"
			"module = m\nharakiri = 5x\nif-exists = /\nprocesses = many\n",
			false, CTL_FAILED);
	static const char *const says[] = {
		"x.ini:2: there is no key before =\n",
		"x.ini:3: an unresolved merge conflict\n",
		"x.ini:5: ini: ",
		"x.ini:6: env: ",
		"x.ini:8: harakiri: \"5x\"",
		"x.ini:9: if-exists: is never ended by endif\n",
		"x.ini:10: processes: \"many\"",
		"x.ini: 7 errors\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(says); i++)
		if (!strstr(text, says[i]))
			fail_msg("\"%s\" is not in: %s", says[i], text);
	/* what cannot be gone on after names its file once */
	text = checked("", false, CTL_FAILED);
	assert_null(strstr(text, "x.ini: x.ini"));
}

static void json_says_it_all_and_parses(void **state)
{
	const char *text = checked("harakiri = 5x\nprocesses = many\nzzzz = 1\n", true, CTL_FAILED);
	json_t *root = json_loads(text, 0, NULL);
	const json_t *errors = json_object_get(root, "errors");
	const json_t *second = json_array_get(errors, 1);

	(void)state;
	assert_non_null(root);
	assert_true(json_is_false(json_object_get(root, "ok")));
	assert_int_equal(json_array_size(errors), 3);
	assert_int_equal(json_integer_value(json_object_get(second, "line")), 3);
	assert_string_equal(json_string_value(json_object_get(root, "error")),
			    "x.ini:2: harakiri: \"5x\" is not a number of seconds");
	json_decref(root);
	root = json_loads(checked("module = m\ndefault = 1\n", true, CTL_OK), 0, NULL);
	assert_true(json_is_true(json_object_get(root, "ok")));
	assert_null(json_object_get(root, "config"));
	json_decref(root);
}

static const char *checked_all(char *const *args, size_t n, bool json, int code)
{
	static char buf[16384];
	FILE *out = fmemopen(buf, sizeof(buf), "w");
	char engines[128];
	struct ctl c = {.out = out,
			.json = json,
			.args = args,
			.args_n = n,
			.engines = engines,
			.run_dir = "/none/where/an/emperor/runs"};

	assert_non_null(out);
	(void)snprintf(engines, sizeof(engines), "%s", in_folder("engines"));
	assert_int_equal(ctl_check(&c), code);
	(void)fclose(out);
	return buf;
}

static void several_files_and_the_inis_of_folders_are_looked_at(void **state)
{
	char x[128], y[128], empty[128];
	char *const both[] = {y, x}, *const all[] = {folder}, *const none[] = {x, empty};
	const char *text;
	json_t *root;

	(void)state;
	(void)snprintf(x, sizeof(x), "%s", in_folder("x.ini"));
	(void)snprintf(y, sizeof(y), "%s", in_folder("y.ini"));
	(void)snprintf(empty, sizeof(empty), "%s", in_folder("app"));
	put_file("x.ini", "[vassal]\nmodule = m\ndomain = a\n");
	put_file("y.ini", "[vassal]\nmodule = m\ndomain = b\n");
	put_file("e.conf", "[emperor]\n");
	text = checked_all(both, 2, false, CTL_OK);
	assert_true(strstr(text, "y.ini: good") < strstr(text, "x.ini: good"));
	assert_non_null(strstr(text, "\n2 inis, 0 with errors\n"));
	put_file("x.ini", "[vassal]\nmodule = m\ndomain = a\nharakiri = x\n");
	/* a good one that comes last does not hide it; what is no ini is not read */
	text = checked_all(all, 1, false, CTL_FAILED);
	assert_non_null(strstr(text, "x.ini:4: harakiri: "));
	assert_non_null(strstr(text, "y.ini: good"));
	assert_non_null(strstr(text, "\n2 inis, 1 with errors\n"));
	assert_null(strstr(text, "e.conf"));
	root = json_loads(checked_all(all, 1, true, CTL_FAILED), 0, NULL);
	assert_int_equal(json_array_size(root), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(root, 0), "path")), x);
	assert_true(json_is_false(json_object_get(json_array_get(root, 0), "ok")));
	assert_true(json_is_true(json_object_get(json_array_get(root, 1), "ok")));
	json_decref(root);
	put_file("x.ini", "[vassal]\nmodule = m\ndomain = a\n");
	(void)unlink(y);
	(void)checked_all(none, 2, false, CTL_FAILED); /* a folder without any: a slip */
}

static void the_configuration_is_shown_to_an_ini_that_asks_and_means_the_same_again(void **state)
{
	const char *text = checked("base = app\nchdir = %(base)\nmodule = m\nworkers = 3\ndomain = "
				   "a\ndomain = b\nlazy-apps\nshow-config = true\n",
				   false, CTL_OK);
	const char *config = strstr(text, "[vassal]\n");
	char again[8192];

	(void)state;
	assert_non_null(config);
	assert_non_null(strstr(config, "\nchdir = app\n"));
	assert_non_null(strstr(config, "\nprocesses = 3\n"));
	assert_non_null(strstr(config, "domain = a\ndomain = b\n"));
	assert_non_null(strstr(config, "\nlazy-apps = true\n"));
	assert_non_null(strstr(config, "\n; threads = 1\n"));
	(void)snprintf(again, sizeof(again), "%s", config);
	(void)snprintf(again + strlen(again), sizeof(again) - strlen(again),
		       "show-config = true\n");
	assert_true(strlen(again) < 2048);
	(void)memmove(again, again + 9, strlen(again + 9) + 1);
	text = checked(again, false, CTL_OK);
	again[strlen(again) - strlen("show-config = true\n")] = '\0';
	assert_string_equal(strstr(text, "[vassal]\n") + 9, again);
	assert_null(
		strstr(checked("module = m\nshow-config = false\n", false, CTL_OK), "[vassal]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_emperor_would_refuse_is_an_error_at_its_line),
		cmocka_unit_test(a_line_that_is_good_gets_no_word),
		cmocka_unit_test(an_ini_that_others_may_write_is_not_roots),
		cmocka_unit_test(what_the_apps_user_may_not_enter_is_found),
		cmocka_unit_test(the_python_that_would_run_it_is_looked_for),
		cmocka_unit_test(a_virtualenv_s_python_must_be_there_and_in_reach),
		cmocka_unit_test(a_role_s_user_is_refused_at_its_line),
		cmocka_unit_test(a_log_that_cannot_be_written_is_refused_at_its_line),
		cmocka_unit_test(addresses_that_cannot_be_had_are_found),
		cmocka_unit_test(folders_that_a_socket_or_pidfile_cannot_be_made_in_are_found),
		cmocka_unit_test(a_name_that_another_ini_of_the_folder_has_is_found),
		cmocka_unit_test(what_is_allowed_but_unwise_is_a_note),
		cmocka_unit_test(the_defaults_of_an_emperor_ini_count),
		cmocka_unit_test(every_line_is_read_whatever_stands_before_it),
		cmocka_unit_test(json_says_it_all_and_parses),
		cmocka_unit_test(several_files_and_the_inis_of_folders_are_looked_at),
		cmocka_unit_test(
			the_configuration_is_shown_to_an_ini_that_asks_and_means_the_same_again),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
