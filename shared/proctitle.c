/*
 * proctitle - see proctitle.h.
 *
 * The kernel shows the bytes between argv[0] and the end of the environment. environ is copied away once, so that
 * getenv() goes on working while its old room carries the title.
 */
#include "shared/proctitle.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "shared/base.h"

/* The room belongs to the process as a whole, as errno does; there is no second one to hand down. */
static struct {
	char *p;
	size_t n;
	/* The copies, which live as long as the process: libc may put another array in environ's place. */
	char **env, **args;
} room;

/* argv and environ lie one string after the other; stop at the first that does not follow. */
static char *end_of_strings(char **v, char *end)
{
	for (size_t i = 0; v[i]; i++)
		if (v[i] == end)
			end = v[i] + strlen(v[i]) + 1;
	return end;
}

/* One block for array and strings: unsetenv() takes a pointer out of the array, and the string must not be lost then. */
static char **copy_strings(char **v)
{
	size_t n = 0;
	size_t bytes = 0;
	char **copy;
	char *to;

	for (; v[n]; n++)
		bytes += strlen(v[n]) + 1;
	copy = calloc(1, (n + 1) * sizeof(*copy) + bytes);
	if (!copy)
		return NULL;
	to = (char *)(copy + n + 1);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(v[i]) + 1;

		memcpy(to, v[i], len);
		copy[i] = to;
		to += len;
	}
	return copy;
}

void proctitle_init(int argc, char **argv)
{
	char *end;
	char **env;
	char **args;

	if (argc < 1 || !argv[0] || room.p)
		return;
	env = copy_strings(environ);
	args = copy_strings(argv);
	if (!env || !args) { /* no memory: no titles, nothing else is lost */
		free(env);
		free(args);
		return;
	}
	end = end_of_strings(argv, argv[0]);
	end = end_of_strings(environ, end);
	room.p = argv[0];
	room.n = (size_t)(end - argv[0]);
	environ = env;
	room.env = env;
	room.args = args;
	/* Whoever still reads argv must find the words, not the title. */
	for (int i = 0; i < argc; i++)
		argv[i] = args[i];
}

void proctitle_set(const char *fmt, ...)
{
	char title[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(title, sizeof(title), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	(void)prctl(PR_SET_NAME, title);
	if (room.n < 2)
		return;
	/* NULs to the end: ps would show what is left of the environment otherwise. */
	memset(room.p, 0, room.n);
	(void)snprintf(room.p, room.n, "%s", title);
}
