/*
 * test_check_machine - what `emperorctl check` says of the machine that an ini is to run on: users, Python, logs, addresses.
 */
#include "tests/unit/ctl/check.h"

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
		{"domain = a\nuid = nobody\n", "pidfile", "mine/a.pid", "", CTL_OK}, /* by root */
		{"domain = a\nuid = nobody\n", "pidfile", "link/a.pid",
		 ": may not be made in this folder by the app, and root follows no symbolic link",
		 CTL_OK},
		{"domain = a\nuid = nobody\n", "pidfile", "shared/a.pid",
		 ": may not be made in this folder (as uid = nobody)\n", CTL_OK},
		{"domain = a\nuid = root\n", "pidfile", "mine/a.pid", "", CTL_OK},
	};
	char lines[512], says[512], path[128];

	(void)state;
	if (geteuid() != 0)
		return; /* only root can look with another's eyes */
	assert_int_equal(symlink("mine", in_folder("link")), 0);
	assert_int_equal(mkdir(in_folder("shared"), 0755), 0);
	assert_int_equal(chown(in_folder("shared"), 0, 1) | chmod(in_folder("shared"), 0775), 0);
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
	(void)unlink(in_folder("link"));
	(void)rmdir(in_folder("shared"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_apps_user_may_not_enter_is_found),
		cmocka_unit_test(the_python_that_would_run_it_is_looked_for),
		cmocka_unit_test(a_virtualenv_s_python_must_be_there_and_in_reach),
		cmocka_unit_test(a_role_s_user_is_refused_at_its_line),
		cmocka_unit_test(a_log_that_cannot_be_written_is_refused_at_its_line),
		cmocka_unit_test(addresses_that_cannot_be_had_are_found),
		cmocka_unit_test(folders_that_a_socket_or_pidfile_cannot_be_made_in_are_found),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
