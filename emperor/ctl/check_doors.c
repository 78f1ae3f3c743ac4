/*
 * check_doors - see check_inner.h. Can the app's own addresses be had, and the file with its pid be written? Addresses are
 * tried for a moment and given back; of UNIX sockets with a name in a folder that is tried, as whom they would be bound, and
 * whether somebody accepts there. Who has an address the emperor that runs knows.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "emperor/ctl/check_inner.h"

_printf_(4, 5) static void say(struct check *k, struct inifile_notes *to, const char *value,
			       const char *fmt, ...)
{
	const struct config_item *item = config_items_find_text(&k->items, NULL, value);
	char text[INIFILE_NOTE_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	inifile_notes_add(to, item ? item->file : k->file, item ? item->line : 0, "%s: %s: %s",
			  item ? item->key : "address", value, text);
}

/* 0, or why it cannot be bound. */
static int try_bind(const struct address *a)
{
	_cleanup_(fd_closep) int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1, off = 0;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->sa.sa_family == AF_INET6 && a->any)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	return bind(fd, &a->sa, a->len) < 0 ? -errno : 0;
}

static void check_bind(struct check *k, const struct address *a, const char *value)
{
	int r = try_bind(a);

	if (r == -EADDRINUSE)
		say(k, &k->errors, value, "is in use by another process");
	else if (r == -EACCES && geteuid() != 0)
		say(k, &k->notes, value, "only an emperor that is root may use this port");
	else if (r < 0 && r != -EAFNOSUPPORT)
		say(k, &k->errors, value, "%s", strerror(-r));
}

/* key NULL: the line that says value tells it. */
static void judge_folder(const struct world *w, struct inifile_notes *to, const char *value, int r)
{
	struct check *k = w->k;

	if (r == -EACCES || r == -EPERM) {
		if (w->privs.uid == (uid_t)-1)
			say(k, &k->notes, value, "this user may not write the folder");
		else if (w->guess)
			say(k, &k->notes, value,
			    "%s may not write the folder, as whom an app without uid runs if the "
			    "emperor's own uid option names no other",
			    w->guess);
		else
			say(k, to, value, "may not be made in this folder (as uid = %s)",
			    k->config.uid ? k->config.uid : "root");
	} else if (r == -ENOENT || r == -ENOTDIR) {
		say(k, to, value, "there is no such folder");
	} else if (r < 0) {
		say(k, to, value, "%s", strerror(-r));
	}
}

/* What nobody accepts on was left behind, and is replaced. Who may not ask does not know. */
static bool is_alive(const struct address *a)
{
	_cleanup_(fd_closep) int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && (connect(fd, &a->sa, a->len) == 0 || errno == EAGAIN);
}

/* ours: the app that is looked at has it already. */
static void check_name_of_socket(const struct world *w, const struct address *a, const char *value,
				 bool ours)
{
	const char *path = a->un.sun_path;
	struct stat st;
	bool there = lstat(path, &st) == 0;

	if (path[0] != '/')
		return; /* beside a process that is not here */
	if (there && !S_ISSOCK(st.st_mode))
		say(w->k, &w->k->errors, value, "is there and is no socket: it is not removed");
	else if (there && !ours && is_alive(a))
		say(w->k, &w->k->errors, value, "is in use by another process");
	else
		judge_folder(w, &w->k->errors, value, check_try_folder(&w->privs, path));
}

static void check_address(const struct world *w, const struct address *a, const char *value)
{
	struct check *k = w->k;
	char who[CHECK_WHO];

	bool ours = check_holder(k, a, who) && !*who;

	if (*who)
		say(k, &k->errors, value, "%s has this address", who);
	else if (a->sa.sa_family == AF_UNIX && a->un.sun_path[0] != '\0')
		check_name_of_socket(w, a, value, ours);
	else if (!ours)
		check_bind(k, a, value);
}

static void check_pidfile(const struct world *w)
{
	const char *path = w->k->config.pidfile;
	int r;

	if (!path || path[0] != '/')
		return;
	r = check_try_write(&w->privs, path);
	if (r == -EACCES || r == -EPERM)
		r = check_try_as_root(w->k, path);
	/* What cannot be written keeps no app from serving. */
	if (r == -ELOOP)
		say(w->k, &w->k->notes, path,
		    "may not be made in this folder by the app, and root follows no symbolic link "
		    "to it: name the real path");
	else
		judge_folder(w, &w->k->notes, path, r);
}

void check_doors(const struct world *w)
{
	struct check *k = w->k;
	struct address stats;

	for (size_t i = 0; i < k->config.listeners_n; i++) {
		const struct listener_config *l = &k->config.listeners[i];

		check_address(w, &l->address, l->text);
	}
	if (k->config.stats && address_parse(k->config.stats, &stats, NULL) == 0)
		check_address(w, &stats, k->config.stats);
	check_pidfile(w);
}
