/*
 * check_world - see check.h. Paths are looked at with the eyes of the app's user where we may take them (root, and a
 * uid in the ini); where we may not look at all, that is a note, for the emperor may be somebody else.
 */
#include "emperor/ctl/check_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "shared/err.h"
#include "shared/owner.h"
#include "shared/privs.h"

void check_say(struct check *k, struct inifile_notes *to, const char *key, const char *fmt, ...)
{
	const struct config_item *item = vassal_config_item(&k->items, key);
	char text[INIFILE_NOTE_TEXT];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	inifile_notes_add(to, item ? item->file : k->file, item ? item->line : 0, "%s", text);
}

/* -- users ---------------------------------------------------------------------------------------------- */

/* What only root may do is no error of the ini: the emperor may be root where we are not. */
static int judge(struct check *k, const char *key, const char *prefix, int r, const struct err *err)
{
	if (r == -EPERM)
		check_say(k, &k->notes, key, "%s: only an emperor that is root can do this", key);
	else if (r < 0)
		check_say(k, &k->errors, key, "%s%s", prefix, err->text);
	return r;
}

/* As whom a root emperor runs an app that names nobody, if it was told nothing else. */
static void guess_user(struct world *w)
{
	static const char *const users[] = {"www-data", "nobody"};

	for (size_t i = 0; i < ARRAY_SIZE(users) && !w->guess; i++)
		if (privs_lookup(users[i], w->k->config.gid, NULL, 0, &w->privs, NULL) == 0)
			w->guess = users[i];
	if (!w->guess)
		w->privs = (struct privs){.uid = (uid_t)-1, .gid = (gid_t)-1};
}

static void check_users(struct world *w)
{
	const struct vassal_config *c = &w->k->config;
	struct err err = {0};
	struct privs p;
	int r = 0, group = 0;

	if (c->uid)
		r = judge(w->k, "uid", "", privs_lookup(c->uid, NULL, NULL, 0, &p, &err), &err);
	if (c->uid && r == 0)
		check_role_users(w->k, p.uid);
	if (c->uid && r == 0 && p.uid == 0)
		check_say(w->k, &w->k->notes, "uid",
			  "uid = %s: whoever breaks into the app is root on this machine", c->uid);
	if (c->gid)
		group = judge(w->k, "gid", "", privs_lookup(NULL, c->gid, NULL, 0, &p, &err), &err);
	for (size_t i = 0; i < c->add_gid.n; i++)
		(void)judge(w->k, "add-gid", "",
			    privs_lookup(NULL, NULL, &c->add_gid.v[i], 1, &p, &err), &err);
	if (geteuid() == 0 && !c->uid && group == 0)
		guess_user(w);
	else if (geteuid() == 0 && r == 0 && group == 0)
		(void)privs_lookup(c->uid, c->gid, NULL, 0, &w->privs, &err);
}

/* "user:group", "user", ":group". */
static void check_socket_owner(struct world *w)
{
	const char *text = w->k->config.chown_socket;
	const char *colon = text ? strchr(text, ':') : NULL;
	struct err err = {0};
	struct privs p;
	char user[64];
	int r = 0;

	if (!text)
		return;
	(void)snprintf(user, sizeof(user), "%.*s",
		       (int)(colon ? (size_t)(colon - text) : strlen(text)), text);
	if (*user)
		r = judge(w->k, "chown-socket",
			  "chown-socket: ", privs_lookup(user, NULL, NULL, 0, &p, &err), &err);
	if (r == 0 && colon && colon[1])
		(void)judge(w->k, "chown-socket",
			    "chown-socket: ", privs_lookup(NULL, colon + 1, NULL, 0, &p, &err),
			    &err);
}

/* -- files ---------------------------------------------------------------------------------------------- */

/* As the app. The descriptor, or why not. */
static int open_as(const struct world *w, const char *path, int flags)
{
	struct privs_fs was = {0};
	int r = privs_fs_enter(w->privs.uid, w->privs.gid, w->privs.groups, w->privs.groups_n,
			       &was);
	int fd;

	if (r < 0)
		return r;
	fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	r = fd < 0 ? -errno : fd;
	privs_fs_leave(&was);
	return r;
}

bool check_resolve(const struct world *w, const char *path, const char *rest, char ret[PATH_MAX])
{
	bool absolute = path[0] == '/';
	int n = snprintf(ret, PATH_MAX, "%s%s%s%s", absolute ? "" : w->base, absolute ? "" : "/",
			 path, rest);

	return n > 0 && n < PATH_MAX;
}

static int try_path(const struct world *w, const char *path, const char *rest, int flags)
{
	char full[PATH_MAX];
	int r = check_resolve(w, path, rest, full) ? open_as(w, full, flags) : -ENAMETOOLONG;

	if (r < 0)
		return r;
	(void)close(r);
	return 0;
}

int check_open(const struct world *w, const char *path, int flags)
{
	char full[PATH_MAX];

	if (path[0] != '/' && !w->base[0])
		return -ESTALE;
	return check_resolve(w, path, "", full) ? open_as(w, full, flags) : -ENAMETOOLONG;
}

/* The user is only a guess where the ini names none: what that one may not is a note, if it is there at all. */
static int try_without_guess(const struct world *w, const char *key, const char *path,
			     const char *rest, int flags)
{
	struct world ours = *w;
	int r;

	ours.privs = (struct privs){.uid = (uid_t)-1, .gid = (gid_t)-1};
	r = try_path(&ours, path, rest, flags);
	if (r == 0)
		check_say(w->k, &w->k->notes, key,
			  "%s: %s%s: may not be opened by %s, as whom an app without uid runs if "
			  "the emperor's own uid option names no other",
			  key, path, str_eq(rest, "/.") ? "" : rest, w->guess);
	return r;
}

bool check_reaches(const struct world *w, const char *path, const char *rest)
{
	return try_path(w, path, rest, O_PATH) == 0;
}

bool check_must_open(const struct world *w, const char *key, const char *path, const char *rest,
		     int flags, const char *what)
{
	struct check *k = w->k;
	int r = try_path(w, path, rest, flags);

	if (r == -EACCES && w->guess)
		r = try_without_guess(w, key, path, rest, flags);
	if (r == 0)
		return true;
	if ((r == -EACCES || r == -EPERM) && w->privs.uid == (uid_t)-1)
		check_say(k, &k->notes, key, "%s: %s: may not be looked at by this user", key,
			  path);
	else if (r == -EACCES && k->config.uid)
		check_say(k, &k->errors, key, "%s: %s: %s%s (as uid = %s)", key, path, what,
			  strerror(-r), k->config.uid);
	else
		check_say(k, &k->errors, key, "%s: %s: %s%s", key, path, what, strerror(-r));
	return false;
}

/* A front starts beside its ini, and goes to chdir from there. */
static void find_base(struct world *w)
{
	const char *path = w->k->path;
	const char *slash = strrchr(path, '/');
	const char *dir = w->k->config.chdir;
	char to[PATH_MAX];

	(void)snprintf(w->base, sizeof(w->base), "%.*s",
		       slash ? (int)MAX(slash - path, (ptrdiff_t)1) : 1, slash ? path : ".");
	if (!dir)
		return;
	/* "/.": it must not only be there, one must be able to enter it */
	if (check_must_open(w, "chdir", dir, "/.", O_PATH | O_DIRECTORY, "") &&
	    check_resolve(w, dir, "", to))
		memcpy(w->base, to, sizeof(to));
	else
		w->base[0] = '\0';
}

static void check_code(struct world *w)
{
	struct check *k = w->k;
	const struct vassal_config *c = &k->config;
	bool home = false;

	if (c->home && (w->base[0] || c->home[0] == '/'))
		home = check_must_open(w, "home", c->home, "/pyvenv.cfg", O_RDONLY,
				       "is not a virtual environment: pyvenv.cfg: ");
	check_python(w, home);
	/* Beside a module it is only tried when the module cannot be imported. */
	if (c->wsgi_file && !c->module && (w->base[0] || c->wsgi_file[0] == '/'))
		(void)check_must_open(w, "wsgi-file", c->wsgi_file, "", O_RDONLY, "");
}

/* -- the ini itself ------------------------------------------------------------------------------------- */

bool check_is_roots(const struct check *k)
{
	char real[PATH_MAX];
	struct stat st;

	return stat(k->path, &st) == 0 && owner_is_root_alone(&st) &&
	       owner_of_dir_is_root_alone(k->path) && realpath(k->path, real) &&
	       owner_of_dir_is_root_alone(real);
}

static void check_owner(struct check *k)
{
	static const char refuses[] = "an emperor that is root will refuse it";
	struct stat st;

	if (stat(k->path, &st) < 0)
		return;
	if (!owner_is_root_alone(&st))
		inifile_notes_add(&k->notes, k->file, 0,
				  "%s: others than root may write it (chown root, chmod go-w, or "
				  "use tyrant mode)",
				  refuses);
	else if (!check_is_roots(k))
		inifile_notes_add(&k->notes, k->file, 0,
				  "%s in this directory: others than root may write that (or use "
				  "tyrant mode)",
				  refuses);
}

static void check_reach(struct check *k)
{
	const struct vassal_config *c = &k->config;
	static const char *const ways[] = {"domain", "http", "socket", "uwsgi-socket"};

	if (c->domains_n > 0 || c->default_site || c->listeners_n > 0)
		return;
	/* Refused lines have been told of. */
	for (size_t i = 0; k->errors.n > 0 && i < ARRAY_SIZE(ways); i++)
		if (vassal_config_item(&k->items, ways[i]))
			return;
	inifile_notes_add(&k->notes, k->file, 0,
			  "neither domain nor default nor an address of its own: nobody can reach "
			  "the app");
}

void check_world(struct check *k)
{
	struct world w = {.k = k, .privs = {.uid = (uid_t)-1, .gid = (gid_t)-1}};

	check_users(&w);
	check_socket_owner(&w);
	find_base(&w);
	check_code(&w);
	check_files(&w);
	check_log(&w);
	check_doors(&w);
	check_machine(k);
	check_owner(k);
	check_names(k);
	check_reach(k);
}
