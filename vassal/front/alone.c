/*
 * alone - a front without an emperor does for itself what the emperor would have done: addresses, scoreboard, log,
 * directory, limits. It stays the user it was started as.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "shared/config_items.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/handoff.h"
#include "shared/listen.h"
#include "shared/log.h"
#include "shared/scoreboard.h"
#include "shared/vassal_config.h"
#include "vassal/front/handed.h"
#include "vassal/front/pidfile.h"

/* "blog" from what there is to tell: procname, the module, the file. */
static void choose_name(const struct vassal_config *g, char *name)
{
	const char *from = g->procname    ? g->procname
			   : g->module    ? g->module
			   : g->wsgi_file ? g->wsgi_file
					  : "app";
	const char *slash = strrchr(from, '/');
	size_t n;

	from = slash ? slash + 1 : from;
	n = MIN(strcspn(from, ".:"), (size_t)LIMIT_NAME - 1);
	memcpy(name, from, n);
	name[n] = '\0';
	if (n == 0)
		(void)snprintf(name, LIMIT_NAME, "app");
}

static int open_listeners(const struct vassal_config *g, struct front_setup *setup, struct err *err)
{
	for (size_t i = 0; i < g->listeners_n; i++) {
		const struct listener_config *l = &g->listeners[i];
		const struct listen_options o = {
			.backlog = (int)g->listen,
			.defer_accept = true, /* the client begins in every protocol */
			.mode = (mode_t)g->chmod_socket,
			.owner_uid = (uid_t)-1,
			.owner_gid = (gid_t)-1,
			.bind_uid = (uid_t)-1,
			.bind_gid = (gid_t)-1};
		bool clamped = false;
		int r = listen_open(&l->address, &o, &setup->listener_fds[i], &clamped, err);

		if (r < 0)
			return err_prefix(err, "%s", l->text);
		setup->listeners_n = (uint32_t)i + 1;
		if (clamped)
			log_warning("%s: listen = %u is more than net.core.somaxconn allows",
				    l->text, g->listen);
		log_info("%s on %s", listener_protocol_name(l->protocol), l->text);
	}
	if (g->listeners_n == 0)
		return err_set(err, -EINVAL,
			       "no address to serve on: give --http :8000 or --socket PATH");
	return 0;
}

static int open_log(const struct vassal_config *g, struct front_setup *setup, struct err *err)
{
	setup->log_fd = -1;
	if (!g->logto)
		return 0;
	setup->log_fd = open(g->logto, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
	if (setup->log_fd < 0)
		return err_set(err, -errno, "logto: %s: %s", g->logto, strerror(errno));
	/* reopened after chdir: the path must not change its meaning */
	setup->log_path = realpath(g->logto, NULL);
	return 0;
}

/* The engine reads its configuration as it would from an emperor. */
static int make_config_fd(const struct config_items *items, const char *name, int *ret_fd,
			  struct err *err)
{
	_cleanup_(freep) char *bytes = NULL;
	_cleanup_(freep) char *blob = NULL;
	struct handoff h = {.magic = HANDOFF_MAGIC,
			    .size = sizeof(h),
			    .generation = 1,
			    .link_fd = -1,
			    .scoreboard_fd = -1,
			    .gate_fd = -1,
			    .routes_epoch_fd = -1,
			    .log_fd = -1};
	size_t n;
	int r = config_items_encode(items, &bytes, &n, err);

	if (r < 0)
		return r;
	(void)snprintf(h.name, sizeof(h.name), "%s", name);
	h.config_n = (uint32_t)n;
	blob = malloc(sizeof(h) + n);
	if (!blob)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(blob, &h, sizeof(h));
	memcpy(blob + sizeof(h), bytes, n);
	r = fd_sealed_memfd(ret_fd, "vassal-config", blob, sizeof(h) + n);
	return r < 0 ? err_set(err, r, "cannot make a memory file: %s", strerror(-r)) : 0;
}

static int limit(int resource, const char *what, uint64_t value, struct err *err)
{
	struct rlimit rl = {value, value};

	if (value == 0 || setrlimit((__rlimit_resource_t)resource, &rl) == 0)
		return 0;
	return err_set(err, -errno, "%s = %llu: %s", what, (unsigned long long)value,
		       strerror(errno));
}

static int settle(const struct vassal_config *g, struct err *err)
{
	int r;

	if (g->uid || g->gid)
		log_warning("uid and gid need the emperor: a vassal alone stays the user it was "
			    "started as");
	if (g->chdir && chdir(g->chdir) < 0)
		return err_set(err, -errno, "chdir: %s: %s", g->chdir, strerror(errno));
	if (g->umask != (mode_t)-1)
		(void)umask(g->umask);
	r = limit(RLIMIT_NOFILE, "max-fd", g->max_fd, err);
	if (r == 0)
		r = limit(RLIMIT_AS, "limit-as", g->limit_as_bytes, err);
	if (r == 0)
		r = limit(RLIMIT_NPROC, "limit-nproc", g->limit_nproc, err);
	if (r == 0 && g->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = err_set(err, -errno, "no_new_privs: %s", strerror(errno));
	return r;
}

int alone_open(const struct config_items *items, struct vassal_config *config,
	       struct front_setup *setup, char *name, struct err *err)
{
	int r;

	choose_name(config, name);
	*setup = (struct front_setup){.name = name,
				      .config = config,
				      .generation = 1,
				      .config_fd = -1,
				      .link_fd = -1,
				      .gate_fd = -1,
				      .routes_epoch_fd = -1,
				      .log_fd = -1};
	r = open_listeners(config, setup, err);
	if (r == 0)
		r = open_log(config, setup, err);
	if (r == 0)
		r = pidfile_write(config->pidfile, err);
	if (r == 0)
		r = settle(config, err);
	if (r == 0)
		r = board_create(&setup->board_fd, &setup->board, name, err);
	if (r == 0)
		r = make_config_fd(items, name, &setup->config_fd, err);
	return r;
}

void alone_close(const struct vassal_config *config, const struct front_setup *setup)
{
	for (uint32_t i = 0; i < setup->listeners_n; i++)
		if (setup->listener_fds[i] >= 0)
			listen_unlink(setup->listener_fds[i]);
	pidfile_remove(config->pidfile);
}
