/*
 * environment - see environment.h.
 */
#include "emperor/vassals/environment.h"

#include <pwd.h>
#include <stdio.h>

#include "shared/base.h"
#include "shared/handoff.h"

/* The emperor's alone: whoever inherited these would speak to systemd in our name, or take our users for its own. */
static const char *const private_names[] = {
	"NOTIFY_SOCKET",  "WATCHDOG_USEC",   "WATCHDOG_PID",  "LISTEN_FDS",     "LISTEN_PID",
	"LISTEN_FDNAMES", "EMPEROR_HANDOFF", "INVOCATION_ID", "JOURNAL_STREAM", HANDOFF_INI_ENV,
};
static const char *const user_names[] = {"HOME", "USER", "LOGNAME", "MAIL", "XDG_RUNTIME_DIR"};

static bool is_named(const char *item, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(item, names[i], len) == 0 && item[len] == '=')
			return true;
	}
	return false;
}

/* HOME, USER, LOGNAME of uid; how many. A uid without an entry has none. */
static size_t user_items(uid_t uid, char items[3][512])
{
	char buf[4096];
	struct passwd pw;
	struct passwd *found = NULL;

	if (uid == (uid_t)-1 || getpwuid_r(uid, &pw, buf, sizeof(buf), &found) != 0 || !found)
		return 0;
	(void)snprintf(items[0], 512, "HOME=%s", pw.pw_dir);
	(void)snprintf(items[1], 512, "USER=%s", pw.pw_name);
	(void)snprintf(items[2], 512, "LOGNAME=%s", pw.pw_name);
	return 3;
}

static bool is_kept(const char *item, uid_t uid)
{
	if (is_named(item, private_names, ARRAY_SIZE(private_names)))
		return false;
	return uid == (uid_t)-1 || !is_named(item, user_names, ARRAY_SIZE(user_names));
}

char **environment_make(char *const *environ_now, uid_t uid, const char *const *extra)
{
	char user[3][512];
	size_t user_n = user_items(uid, user);
	size_t n = user_n;
	size_t bytes = 0;
	size_t at = 0;
	char **env;
	char *p;

	for (const char *const *item = extra; item && *item; item++) {
		n++;
		bytes += strlen(*item) + 1;
	}
	for (size_t i = 0; i < user_n; i++)
		bytes += strlen(user[i]) + 1;
	for (size_t i = 0; environ_now && environ_now[i]; i++) {
		if (!is_kept(environ_now[i], uid))
			continue;
		n++;
		bytes += strlen(environ_now[i]) + 1;
	}
	env = malloc((n + 1) * sizeof(*env) + bytes);
	if (!env)
		return NULL;
	p = (char *)(env + n + 1);
	for (size_t i = 0; environ_now && environ_now[i]; i++)
		if (is_kept(environ_now[i], uid)) {
			env[at++] = p;
			p = stpcpy(p, environ_now[i]) + 1;
		}
	for (size_t i = 0; i < user_n; i++) {
		env[at++] = p;
		p = stpcpy(p, user[i]) + 1;
	}
	for (const char *const *item = extra; item && *item; item++) {
		env[at++] = p;
		p = stpcpy(p, *item) + 1;
	}
	env[at] = NULL;
	return env;
}
