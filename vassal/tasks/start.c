/*
 * start - see start.h.
 *
 * posix_spawn: the front has threads, and what is to be done between fork and exec is exactly what it offers. It waits for
 * the exec, which is a local file that other runs have mapped.
 */
#include "vassal/tasks/start.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/handoff.h"
#include "shared/vassal_config.h"
#include "vassal/tasks/minder.h"
#include "vassal/tasks/sweep.h"

#define ABOVE_FD  32 /* where a source cannot be another's target */
#define ENV_EXTRA 6  /* app, generation, mark, virtual environment, PATH, the end */

/* -- environment ------------------------------------------------------------------------------------------ */

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && b[n] == '=';
}

/* Takes item over; NULL is a failed allocation. */
static bool env_put(char **env, char *item)
{
	size_t i = 0;

	if (!item)
		return false;
	while (env[i] && !same_name(item, env[i]))
		i++;
	free(env[i]);
	env[i] = item;
	return true;
}

static _printf_(2, 3) bool env_printf(char **env, const char *fmt, ...)
{
	char *item;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&item, fmt, ap);
	va_end(ap);
	return n >= 0 && env_put(env, item);
}

static const char *env_get(char **env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

static bool env_fill(char **env, const struct start_setup *s)
{
	const struct vassal_config *c = s->config;
	bool ok = true;
	char *path;

	for (size_t i = 0; environ[i] && ok; i++)
		if (strncmp(environ[i], HANDOFF_ENV "=", sizeof(HANDOFF_ENV)) != 0)
			ok = env_put(env, strdup(environ[i]));
	for (size_t i = 0; i < c->env.n && ok; i++)
		ok = env_put(env, strdup(c->env.v[i]));
	ok = ok && env_printf(env, "EMPEROR_APP=%s", s->name) &&
	     env_printf(env, "EMPEROR_GENERATION=%" PRIu64, s->generation) &&
	     env_printf(env, SWEEP_MARK "=%s", s->mark);
	if (!ok || !c->home)
		return ok;
	/* as its activate script does it, so that "celery" is the app's own */
	path = strdup(env_get(env, "PATH") ? env_get(env, "PATH") : "/usr/local/bin:/usr/bin:/bin");
	ok = path && env_printf(env, "VIRTUAL_ENV=%s", c->home) &&
	     env_printf(env, "PATH=%s/bin:%s", c->home, path);
	free(path);
	return ok;
}

void start_environ_free(char **env)
{
	for (size_t i = 0; env && env[i]; i++)
		free(env[i]);
	free(env);
}

char **start_environ(const struct start_setup *s)
{
	size_t n = s->config->env.n + ENV_EXTRA;
	char **env;

	for (size_t i = 0; environ[i]; i++)
		n++;
	env = calloc(n, sizeof(*env));
	if (!env || env_fill(env, s))
		return env;
	start_environ_free(env);
	return NULL;
}

/* -- the spawn -------------------------------------------------------------------------------------------- */

static int add_actions(posix_spawn_file_actions_t *fa, const struct start_setup *s, int control,
		       int output)
{
	const char *dir = s->task->chdir ? s->task->chdir : s->config->chdir;
	int r = posix_spawn_file_actions_addopen(fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(fa, output, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(fa, output, STDERR_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(fa, control, MINDER_CONTROL_FD);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(fa, MINDER_CONTROL_FD + 1);
	if (r == 0 && dir)
		r = posix_spawn_file_actions_addchdir_np(fa, dir);
	return r;
}

static int set_signals(posix_spawnattr_t *attr)
{
	sigset_t set;
	int r;

	(void)sigfillset(&set);
	r = posix_spawnattr_setsigdefault(attr, &set);
	(void)sigemptyset(&set);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attr, &set);
	return r ? r
		 : posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

static int spawn(const struct start_setup *s, int control, int output, char **env, pid_t *ret_pid)
{
	char title[LIMIT_NAME + LIMIT_TASK_NAME + 16], limit[32], detaches[2];
	char *argv[MINDER_ARGS + 1] = {
		title,
		[MINDER_ARG_DETACHES] = detaches,
		[MINDER_ARG_LIMIT_AS] = limit,
		[MINDER_ARG_COMMAND] = s->task->command,
	};
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int r;

	(void)snprintf(title, sizeof(title), "%s minder of %s", s->name, s->task->name);
	(void)snprintf(detaches, sizeof(detaches), "%d", s->task->detaches);
	(void)snprintf(limit, sizeof(limit), "%" PRIu64, s->config->limit_as_bytes);
	if (posix_spawn_file_actions_init(&fa) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		(void)posix_spawn_file_actions_destroy(&fa);
		return -ENOMEM;
	}
	r = add_actions(&fa, s, control, output);
	if (r == 0)
		r = set_signals(&attr);
	if (r == 0)
		r = posix_spawn(ret_pid, s->minder, &fa, &attr, argv, env);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&fa);
	return -r;
}

int start_minder(const struct start_setup *s, pid_t *ret_pid, int *ret_control, struct err *err)
{
	char **env;
	int pair[2];
	int r = fd_seqpacket_pair(pair, true);

	if (r < 0)
		return err_set(err, r, "cannot make a socket pair: %s", strerror(-r));

	_cleanup_(fd_closep) int ours = pair[0];
	_cleanup_(fd_closep) int theirs = pair[1];
	_cleanup_(fd_closep) int control = fcntl(theirs, F_DUPFD_CLOEXEC, ABOVE_FD);
	_cleanup_(fd_closep) int output = fcntl(s->output_fd, F_DUPFD_CLOEXEC, ABOVE_FD);

	if (control < 0 || output < 0)
		return err_set(err, -errno, "cannot copy a descriptor: %s", strerror(errno));
	env = start_environ(s);
	if (!env)
		return err_set(err, -ENOMEM, "out of memory");
	r = spawn(s, control, output, env, ret_pid);
	start_environ_free(env);
	if (r < 0)
		return err_set(err, r, "cannot start its minder: %s", strerror(-r));
	*ret_control = TAKE_FD(ours);
	return 0;
}
