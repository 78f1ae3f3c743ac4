/*
 * check - a folder of inis, and what `emperorctl check` says of one; for test_check*.c.
 */
#pragma once
#include "emperor/ctl/ctl.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static inline const char *in_folder(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static inline void put_file(const char *name, const char *text)
{
	FILE *f = fopen(in_folder(name), "w");

	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
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

static inline const char *checked_by(const char *config, const char *lines, bool json, int code)
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

static inline const char *checked(const char *lines, bool json, int code)
{
	return checked_by(NULL, lines, json, code);
}
