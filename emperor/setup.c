/*
 * setup - what is read and opened before anything runs: options, directories, the run directory, sockets, the shared
 * ports. In the order of struct emperor; close_emperor() in main.c goes the other way.
 */
#include "emperor/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "emperor/briefing.h"
#include "emperor/emperor.h"
#include "emperor/takeover.h"
#include "shared/err.h"
#include "shared/inifile.h"
#include "shared/listen.h"
#include "shared/log.h"
#include "shared/privs.h"

#define OPEN_FILES \
	65536 /* 8 for each of LIMIT_APPS and room; far more only slows children that close them one by one */

static void say_notes(const struct inifile_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		log_warning("%s:%u: %s", notes->v[i].file, notes->v[i].line, notes->v[i].text);
}

static int read_config(const char *path, struct config_items *items, struct inifile_notes *notes,
		       struct err *err)
{
	_cleanup_(freep) char *bytes = NULL;
	size_t n;
	int r = inifile_read(path, &bytes, &n, err);

	return r < 0 ? r : emperor_options_parse(path, bytes, n, environ, items, notes, err);
}

/* --config is no option of the ini: it says where that is. Taken out of argv; NULL if there is none. */
static const char *take_config_arg(int *argc, char **argv)
{
	const char *path = NULL;
	int kept = 1;

	for (int i = 1; i < *argc; i++) {
		if (str_eq(argv[i], "--config") && i + 1 < *argc)
			path = argv[++i];
		else if (strncmp(argv[i], "--config=", 9) == 0)
			path = argv[i] + 9;
		else
			argv[kept++] = argv[i];
	}
	*argc = kept;
	argv[kept] = NULL;
	return path;
}

/* Roles run elsewhere ("/"), and a path in a message should be one that can be pasted. Takes *path. */
static int make_absolute(char **path, const char *cwd, struct err *err)
{
	char *full;

	if (!*path || **path == '\0' || **path == '/')
		return 0;
	if (asprintf(&full, "%s/%s", cwd, *path) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	free(*path);
	*path = full;
	return 0;
}

static int make_paths_absolute(struct emperor_options *o, struct err *err)
{
	char cwd[PATH_MAX];
	int r;

	if (!getcwd(cwd, sizeof(cwd)))
		return err_set(err, -errno, "working directory: %s", strerror(errno));
	r = make_absolute(&o->run_dir, cwd, err);
	if (r == 0)
		r = make_absolute(&o->db, cwd, err);
	if (r == 0)
		r = make_absolute(&o->logto, cwd, err);
	for (size_t i = 0; i < o->vassals.n && r == 0; i++)
		r = make_absolute(&o->vassals.v[i], cwd, err);
	return r;
}

int setup_read_options(struct emperor *e, int argc, char **argv, struct err *err)
{
	const char *config = take_config_arg(&argc, argv);
	_cleanup_(freep) char **rest = calloc((size_t)argc + 1, sizeof(*rest));
	struct config_items items = {0};
	struct inifile_notes notes = {0};
	int rest_n = 0;
	int r = rest ? 0 : err_set(err, -ENOMEM, "out of memory");

	if (r == 0 && config)
		r = read_config(config, &items, &notes, err);
	if (r == 0)
		r = option_parse_argv(emperor_options_table, emperor_options_table_n, argc, argv,
				      &items, rest, &rest_n, err);
	if (r == 0 && rest && rest_n > 0)
		r = err_set(err, -EINVAL, "%s: not an option (see emperor --help)", rest[0]);
	if (r == 0)
		r = emperor_options_build(&items, &e->options, &notes, err);
	if (r == 0)
		r = make_paths_absolute(&e->options, err);
	say_notes(&notes);
	inifile_notes_done(&notes);
	config_items_done(&items);
	return r;
}

/* Absolute without following links: a link that is switched to another release must stay one. */
static int make_dirs_absolute(struct emperor *e, struct err *err)
{
	e->dirs = calloc(e->options.vassals.n + 1, sizeof(*e->dirs));
	if (!e->dirs)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < e->options.vassals.n; i++) {
		char *full = strdup(e->options.vassals.v[i]);

		if (!full)
			return err_set(err, -ENOMEM, "out of memory");
		for (size_t n = strlen(full); n > 1 && full[n - 1] == '/'; n--)
			full[n - 1] = '\0';
		e->dirs[i] = full;
	}
	return 0;
}

static int find_vassal(struct emperor *e, struct err *err)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("vassal"));
	char *slash;

	if (n < 0)
		return err_set(err, -errno, "/proc/self/exe: %s", strerror(errno));
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return err_set(err, -ENOENT, "%s: not a path", path);
	memcpy(slash + 1, "vassal", sizeof("vassal"));
	if (access(path, X_OK) < 0)
		return err_set(err, -errno, "%s: %s (it belongs beside the emperor)", path,
			       strerror(errno));
	e->vassal_path = strdup(path);
	return e->vassal_path ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static void make_rules(struct emperor *e)
{
	cpu_set_t cpus;

	e->rules = (struct load_rules){
		.default_uid = e->options.uid,
		.default_gid = e->options.gid,
		.options = &e->options,
		.environ_now = environ,
		.cpus = 1,
		.cgroup = &e->cgroup,
	};
	if (!e->rules.default_uid)
		e->rules.default_uid = getpwnam("www-data") ? "www-data" : "nobody";
	if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		e->rules.cpus = (unsigned)CPU_COUNT(&cpus);
}

void setup_raise_open_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	if (geteuid() == 0 && r.rlim_max < OPEN_FILES)
		r.rlim_max = OPEN_FILES;
	r.rlim_cur = MAX(r.rlim_cur, MIN(r.rlim_max, (rlim_t)OPEN_FILES));
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

static int open_socket(const char *text, mode_t mode, bool defer, int *ret_fd, struct err *err)
{
	struct listen_options o = {
		.mode = mode,
		.defer_accept = defer,
		.owner_uid = (uid_t)-1,
		.owner_gid = (gid_t)-1,
		.bind_uid = (uid_t)-1,
		.bind_gid = (gid_t)-1,
	};
	struct address a;
	int r = address_parse(text, &a, err);

	return r < 0 ? r : listen_open(&a, &o, ret_fd, NULL, err);
}

/* One that the emperor before has left stays as it is, with all that waits there. */
static int open_kept(struct emperor *e, const char *what, const char *text, mode_t mode, bool defer,
		     int *ret_fd, struct err *err)
{
	int fd = takeover_socket(e, what, text);

	if (fd < 0)
		return open_socket(text, mode, defer, ret_fd, err);
	*ret_fd = fd;
	return 0;
}

/* Roles and fronts outlive an emperor that was killed, with the sockets that they were given. */
static void say_holder(const struct emperor *e, struct err *err)
{
	static const char *const names[] = {"gate", "stats"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		pid_t pid = rundir_find_pid(&e->rundir, names[i]);
		struct err was = *err;

		if (pid > 0)
			(void)err_set(err, was.code,
				      "%s; held by the %s (pid %d) of an emperor that was killed: "
				      "end it first (kill %d)",
				      was.text, names[i], (int)pid, (int)pid);
	}
}

static int open_sockets(struct emperor *e, struct err *err)
{
	int r;

	rundir_file(&e->rundir, "control.sock", e->control_path, sizeof(e->control_path));
	rundir_file(&e->rundir, "stats.sock", e->stats_path, sizeof(e->stats_path));
	r = open_socket(e->control_path, e->options.control_mode, false, &e->control_fd, err);
	if (r == 0)
		r = open_kept(e, KEPT_STATS, e->stats_path, e->options.control_mode, false,
			      &e->stats_fd, err);
	if (r == 0 && e->options.stats)
		r = open_kept(e, KEPT_STATS, e->options.stats, 0, false, &e->extra_stats_fd, err);
	for (size_t i = 0; i < e->options.http_n && r == 0; i++) {
		r = open_kept(e, KEPT_PORT, e->options.http[i].text, 0, true, &e->port_fds[i], err);
		if (r == 0)
			e->ports_n++;
	}
	if (r == -EADDRINUSE)
		say_holder(e, err);
	return r;
}

/* With that user's eyes, which is all the stats role will have. */
static bool may_write(const char *dir, const struct passwd *pw)
{
	const gid_t group = pw->pw_gid;
	struct privs_fs was;
	bool may;

	if (privs_fs_enter(pw->pw_uid, pw->pw_gid, &group, 1, &was) < 0)
		return true; /* nobody knows: its own attempt will tell */
	may = faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0;
	privs_fs_leave(&was);
	return may;
}

/* The run directory must stay ours: chown there would be the end of the next start. */
static void say_unwritable(const struct emperor *e, const char *dir)
{
	const char *user = e->options.stats_user;

	if (e->rundir.path && str_eq(dir, e->rundir.path))
		log_warning("%s: the stats-user, \"%s\", may not write here: no history is kept "
			    "(db = FILE in another directory than run-dir)",
			    dir, user);
	else
		log_warning("%s: the stats-user, \"%s\", may not write here: no history is kept "
			    "(chown %s %s, or another db)",
			    dir, user, user, dir);
}

/* The stats role is not root and cannot make the directory of its database itself. */
static void make_db_dir(const struct emperor *e)
{
	const char *slash = strrchr(e->options.db, '/');
	const struct passwd *pw;
	char dir[PATH_MAX];

	if (!slash || slash == e->options.db)
		return;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - e->options.db), e->options.db);
	pw = geteuid() == 0 ? getpwnam(e->options.stats_user) : NULL;
	if (mkdir(dir, 0750) < 0) {
		if (errno != EEXIST)
			log_warning("%s: cannot be made for the history: %s", dir, strerror(errno));
		else if (pw && !may_write(dir, pw))
			say_unwritable(e, dir);
		return;
	}
	if (pw && lchown(dir, pw->pw_uid, pw->pw_gid) < 0)
		log_warning("%s: cannot be given to %s: %s", dir, e->options.stats_user,
			    strerror(errno));
}

/* A user that does not exist is said here, once: not by each app and role in turn, for ever. */
static int check_users(const struct emperor *e, struct err *err)
{
	const struct {
		const char *option, *user, *group;
	} rows[] = {
		{"uid", e->rules.default_uid, e->rules.default_gid},
		{"gate-user", e->options.gate_user, NULL},
		{"stats-user", e->options.stats_user, NULL},
	};
	struct privs ignored;

	if (geteuid() != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r = privs_lookup(rows[i].user, rows[i].group, NULL, 0, &ignored, err);

		if (r < 0) {
			(void)err_prefix(err, "%s = %s%s%s", rows[i].option, rows[i].user,
					 rows[i].group ? ", gid = " : "",
					 rows[i].group ? rows[i].group : "");
			return r;
		}
	}
	return 0;
}

int setup_open(struct emperor *e, struct err *err)
{
	int r = make_dirs_absolute(e, err);

	cgroup_find(&e->cgroup, &(struct cgroup_places){.dir = e->options.cgroup});
	make_rules(e);
	if (r == 0)
		r = check_users(e, err);

	if (r == 0)
		r = find_vassal(e, err);
	if (r == 0)
		r = rundir_open(e->options.run_dir, &e->rundir, err);
	if (r == 0)
		r = takeover_fetch(e, err);
	if (r == 0)
		r = open_sockets(e, err);
	if (r < 0)
		return r;
	/* A keeper that is there listens already. */
	if (e->keeper_fd < 0)
		takeover_listen(e);
	make_db_dir(e);
	return 0;
}
