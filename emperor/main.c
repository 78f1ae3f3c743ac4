/*
 * main - the emperor: reads its options, opens what must be opened first, and wires the parts to one loop. What happens to
 * apps is vassals/; when to look for them is watch/; what people ask is control/. Called as --role=... it is one of the
 * two unprivileged roles instead, and none of this.
 *
 * Stopping goes in the order in which a request travels, so that none is lost: first the gate takes no more, then the apps
 * drain, then the stats role stores the rest. A second signal ends all that.
 */
#include "emperor/emperor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "emperor/briefing.h"
#include "emperor/control/control.h"
#include "emperor/gate/gate.h"
#include "emperor/help.h"
#include "emperor/keeper/keeper.h"
#include "emperor/setup.h"
#include "emperor/stats/stats.h"
#include "emperor/takeover.h"
#include "emperor/vassals/legacy.h"
#include "emperor/vassals/roles.h"
#include "emperor/vassals/vassals.h"
#include "emperor/watch/scan.h"
#include "emperor/watch/watch.h"
#include "shared/clock.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/listen.h"
#include "shared/log.h"
#include "shared/proctitle.h"

#define DUMP_OPTIONS "--dump-options="

/* -- stopping ------------------------------------------------------------------------------------------- */

/* Where a start failed after something was fetched, the sockets are still in use: their names stay. */
static void close_socket(const struct emperor *e, int fd)
{
	if (fd < 0)
		return;
	if (!e->legacy) {
		listen_unlink(fd);
		/* the keeper has it too: who comes now is to be refused, not to wait for nobody */
		(void)shutdown(fd, SHUT_RDWR);
	}
	(void)close(fd);
}

static void close_ports(struct emperor *e)
{
	for (size_t i = 0; i < e->ports_n; i++)
		close_socket(e, e->port_fds[i]);
	e->ports_n = 0;
}

static void end_if_all_gone(struct emperor *e)
{
	if (e->apps_gone && !roles_alive(e->roles))
		ev_break(e->loop, EVBREAK_ALL);
}

static void on_apps_gone(void *arg)
{
	struct emperor *e = arg;

	e->apps_gone = true;
	if (e->phase == EMPEROR_STOPPING_NOW) {
		end_if_all_gone(e);
		return;
	}
	e->phase = EMPEROR_STOPPING_STATS;
	roles_stop(e->roles, ROLE_ID_STATS);
}

static void on_role_gone(void *arg, enum role_id id)
{
	struct emperor *e = arg;

	briefing_note_pid(e, id, 0);
	if (id == ROLE_ID_GATE && e->phase == EMPEROR_STOPPING_GATE) {
		e->phase = EMPEROR_STOPPING_APPS;
		close_ports(e);
		vassals_shut_down(e->vassals, on_apps_gone, e);
	} else if (id == ROLE_ID_STATS && e->phase == EMPEROR_STOPPING_STATS) {
		roles_stop(e->roles, ROLE_ID_KEEPER);
	} else if (id == ROLE_ID_KEEPER && e->phase == EMPEROR_STOPPING_STATS) {
		ev_break(e->loop, EVBREAK_ALL);
	} else if (e->phase == EMPEROR_STOPPING_NOW) {
		end_if_all_gone(e);
	}
}

static void on_reap_over(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)w;
	(void)revents;
	log_error("what was killed is still there: left to itself");
	ev_break(loop, EVBREAK_ALL);
}

/* Molds and workers end with their front; what we do ourselves is kill fronts and roles, and see them gone. */
static void stop_now(struct emperor *e)
{
	enum emperor_phase was = e->phase;

	e->phase = EMPEROR_STOPPING_NOW;
	close_ports(e);
	if (was == EMPEROR_STOPPING_GATE)
		vassals_shut_down(e->vassals, on_apps_gone, e);
	vassals_kill_all(e->vassals);
	roles_kill_all(e->roles);
	ev_timer_start(e->loop, &e->reap);
	end_if_all_gone(e);
}

static void stop(struct emperor *e, int signal_number)
{
	if (e->phase == EMPEROR_STOPPING_NOW) {
		ev_break(e->loop, EVBREAK_ALL);
		return;
	}
	if (e->phase >= EMPEROR_STOPPING_GATE) {
		log_warning("%s again: stopping now", strsignal(signal_number));
		stop_now(e);
		return;
	}
	log_info("%s: stopping; again to stop at once", strsignal(signal_number));
	(void)sd_notify_send(&e->notify, "STOPPING=1\nSTATUS=stopping");
	briefing_end(e, strsignal(signal_number));
	e->phase = EMPEROR_STOPPING_GATE;
	watch_free(TAKE_PTR(e->watch));
	control_looked(e->control);
	roles_stop(e->roles, ROLE_ID_GATE);
}

/* -- events --------------------------------------------------------------------------------------------- */

static const char *file_of(void *arg, const char *name)
{
	const struct emperor *e = arg;

	return vassals_file_of(e->vassals, name);
}

static void look(void *arg)
{
	struct emperor *e = arg;
	struct scan_rules rules = {
		.only_root = geteuid() == 0,
		.tyrant = e->options.tyrant,
		.known = file_of,
		.known_arg = e,
	};
	struct err err = {0};
	struct scan scan;

	if (scan_run(&scan, e->dirs, e->options.vassals.n, &rules, &err) < 0) {
		log_error("%s", err.text);
	} else {
		vassals_reconcile(e->vassals, &scan);
		scan_done(&scan);
	}
	control_looked(e->control);
}

static bool look_now(void *arg)
{
	struct emperor *e = arg;

	return !e->watch || watch_look_now(e->watch);
}

static void open_log(struct emperor *e)
{
	_cleanup_(fd_closep) int fd = -1;

	if (!e->options.logto)
		return;
	fd = open(e->options.logto, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
		log_error("logto = %s: %s", e->options.logto, strerror(errno));
}

static void reload_all(struct emperor *e)
{
	if (e->phase >= EMPEROR_STOPPING_GATE)
		return;
	log_info("reload of all apps");
	(void)sd_notify_send(&e->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
			     (uint64_t)(clock_now_ns() / NS_PER_US));
	e->reloading = true;
	look(e);
	(void)vassals_reload(e->vassals, NULL, NULL);
	ev_timer_start(e->loop, &e->status);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct emperor *e = w->data;

	(void)loop;
	(void)revents;
	switch (w->signum) {
	case SIGHUP:
		reload_all(e);
		break;
	case SIGUSR1:
		open_log(e);
		(void)vassals_reopen_logs(e->vassals, NULL, NULL);
		log_info("logs reopened");
		break;
	default:
		stop(e, w->signum);
	}
}

static void on_status(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct emperor *e = w->data;
	unsigned n[APP_STATE_COUNT];
	bool busy;

	(void)revents;
	ev_timer_stop(loop, w);
	if (e->phase != EMPEROR_RUNNING)
		return;
	vassals_count(e->vassals, n);
	busy = n[APP_STARTING] + n[APP_REPLACING] > 0;
	(void)sd_notify_send(
		&e->notify,
		"STATUS=%u running, %u starting, %u asleep, %u in back-off, %u stopped%s",
		n[APP_RUNNING] + n[APP_REPLACING], n[APP_STARTING], n[APP_SLEEPING], n[APP_BACKOFF],
		n[APP_STOPPED] + n[APP_STOPPING], e->reloading && !busy ? "\nREADY=1" : "");
	e->reloading = e->reloading && busy;
}

static void on_change(void *arg, const struct app_info *info, bool gone, unsigned event_kind,
		      const char *event_text)
{
	struct emperor *e = arg;

	(void)info;
	(void)gone;
	(void)event_kind;
	(void)event_text;
	if (!ev_is_active(&e->status)) {
		ev_timer_set(&e->status, EMPEROR_STATUS_S, 0);
		ev_timer_start(e->loop, &e->status);
	}
}

static void on_ready_check(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct emperor *e = w->data;

	(void)revents;
	if (!roles_ready(e->roles) && ev_now(loop) - e->began < EMPEROR_READY_S)
		return;
	ev_timer_stop(loop, w);
	if (e->phase != EMPEROR_STARTING)
		return;
	e->phase = EMPEROR_RUNNING;
	(void)sd_notify_send(&e->notify, "READY=1");
	ev_timer_start(loop, &e->status);
}

/* -- starting ------------------------------------------------------------------------------------------- */

static void watch_signals(struct emperor *e)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1};

	sigset_t none;

	_Static_assert(ARRAY_SIZE(numbers) == ARRAY_SIZE(e->signals), "one watcher each");
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		ev_signal_init(&e->signals[i], on_signal, numbers[i]);
		e->signals[i].data = e;
		ev_signal_start(e->loop, &e->signals[i]);
	}
	/* What came while we were not ready to hear it comes now. */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int wire_parts(struct emperor *e, struct err *err)
{
	const struct roles_setup roles = {
		.loop = e->loop,
		.users = {[ROLE_ID_GATE] = e->options.gate_user,
			  [ROLE_ID_STATS] = e->options.stats_user},
		.environ_now = environ,
		.ping_s = ROLES_PING_S,
		.fresh = briefing_tell,
		.gone = on_role_gone,
		.link = briefing_link,
		.arg = e,
	};
	struct vassals_setup vassals = {
		.loop = e->loop,
		.rules = &e->rules,
		.vassal_path = e->vassal_path,
		.run_dir = e->rundir.path,
		.dirs = e->dirs,
		.dirs_n = e->options.vassals.n,
		.legacy = e->legacy,
	};
	const struct control_facts facts = {
		.run_dir = e->rundir.path,
		.db = e->options.db,
		.stats_socket = e->stats_path,
		.defaults = &e->options.vassal_defaults,
		.no_cgroup = e->cgroup.dir ? NULL : e->cgroup.why,
		.gate_user = geteuid() == 0 ? e->options.gate_user : NULL,
		.stats_user = geteuid() == 0 ? e->options.stats_user : NULL,
		.dirs = e->dirs,
		.dirs_n = e->options.vassals.n,
		.ports = e->port_texts,
		.ports_n = e->options.http_n,
		.tyrant = e->options.tyrant,
		.program = e->program,
		.began_wall_ns = clock_wall_ns(),
		.keeper_version = ROLE_VERSION,
		.upgrade = takeover_upgrade,
		.upgrade_arg = e,
		.look = look_now,
		.look_arg = e,
	};
	int r = roles_new(&e->roles, &roles, err);

	for (size_t i = 0; i < e->options.http_n; i++)
		e->port_texts[i] = e->options.http[i].text;
	if (r < 0)
		return r;
	vassals.roles = e->roles;
	r = vassals_new(&e->vassals, &vassals, err);
	if (r == 0)
		r = vassals_observe(e->vassals, on_change, e);
	if (r == 0)
		r = control_start(&e->control, e->loop, e->control_fd, e->vassals, &facts, err);
	if (r == 0)
		r = watch_start(&e->watch, e->loop, e->dirs, e->options.vassals.n,
				e->options.rescan_s, look, e, err);
	return r;
}

static void start_timers(struct emperor *e)
{
	ev_timer_init(&e->status, on_status, EMPEROR_STATUS_S, 0);
	ev_timer_init(&e->ready, on_ready_check, 0.02, 0.02);
	ev_timer_init(&e->reap, on_reap_over, EMPEROR_REAP_S, 0);
	e->status.data = e;
	e->ready.data = e;
	e->began = ev_now(e->loop);
	ev_timer_start(e->loop, &e->ready);
}

static int open_emperor(struct emperor *e, struct err *err)
{
	int r = setup_open(e, err);

	if (r < 0)
		return r;
	e->loop = ev_default_loop(0);
	if (!e->loop)
		return err_set(err, -ENOSYS, "no event loop");
	watch_signals(e);
	return wire_parts(e, err);
}

static void close_emperor(struct emperor *e)
{
	control_free(e->control);
	watch_free(e->watch);
	vassals_free(e->vassals);
	roles_free(e->roles);
	close_ports(e);
	close_socket(e, e->control_fd);
	close_socket(e, e->stats_fd);
	close_socket(e, e->extra_stats_fd);
	takeover_close(e);
	rundir_close(&e->rundir);
	cgroup_done(&e->cgroup);
	free(e->vassal_path);
	for (size_t i = 0; e->dirs && e->dirs[i]; i++)
		free((char *)(uintptr_t)e->dirs[i]);
	free(e->dirs);
	emperor_options_done(&e->options);
}

static void greet(const struct emperor *e)
{
	log_info("emperor %s (pid %d, uid %u), run directory %s", EMPEROR_VERSION, (int)getpid(),
		 (unsigned)geteuid(), e->rundir.path);
	for (size_t i = 0; i < e->options.vassals.n; i++)
		log_info("apps: %s/*.ini", e->dirs[i]);
	for (size_t i = 0; i < e->options.http_n; i++)
		log_info("shared port: %s", e->options.http[i].text);
}

static int run(int argc, char **argv)
{
	struct emperor e = {
		.control_fd = -1,
		.stats_fd = -1,
		.extra_stats_fd = -1,
		.keeper_fd = -1,
		.rundir.lock_fd = -1,
	};
	struct err err = {0};
	bool asked_wrongly;
	sigset_t all;
	int r;

	/* Half a takeover is worse than one that is stopped after it: watch_signals() hears them again. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	sd_notify_init(&e.notify);
	if (takeover_note_args(&e, argv) < 0)
		return 1;
	r = setup_read_options(&e, argc, argv, &err);
	asked_wrongly = r < 0;
	if (r == 0) {
		log_set_level((enum log_level)e.options.log_level);
		setup_raise_open_files();
		open_log(&e);
		r = open_emperor(&e, &err);
	}
	if (r < 0) {
		log_error("%s", err.text);
	} else {
		greet(&e);
		takeover_adopt(&e);
		start_timers(&e);
		roles_start(e.roles);
		look(&e);
		vassals_resume(e.vassals);
		(void)ev_run(e.loop, 0);
		log_info("stopped");
	}
	close_emperor(&e);
	log_flush(1000);
	if (asked_wrongly)
		return EXIT_USAGE;
	return r < 0 ? 1 : 0;
}

static const struct {
	const char *arg, *subject;
	int (*run)(int link_fd);
} roles_table[] = {
	{"--role=gate", "gate", gate_run},
	{"--role=stats", "stats", stats_run},
	{"--role=keeper", "keeper", keeper_run},
};

int main(int argc, char **argv)
{
	proctitle_init(argc, argv);
	for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(roles_table); i++)
		if (str_eq(argv[1], roles_table[i].arg)) {
			log_set_subject(roles_table[i].subject);
			proctitle_set("emperor: %s", roles_table[i].subject);
			return roles_table[i].run(ROLE_FD);
		}
	log_set_subject("emperor");
	for (int i = 1; i < argc; i++) {
		if (str_eq(argv[i], "--help") || str_eq(argv[i], "-h"))
			return help_print();
		if (strncmp(argv[i], DUMP_OPTIONS, sizeof(DUMP_OPTIONS) - 1) == 0)
			return help_dump(argv[i] + sizeof(DUMP_OPTIONS) - 1);
		if (str_eq(argv[i], "--version"))
			return printf("emperor %s\n", EMPEROR_VERSION) > 0 ? 0 : 1;
		/* for emperorctl upgrade */
		if (str_eq(argv[i], "--speaks"))
			return printf("keeper %d\n", ROLE_VERSION) > 0 ? 0 : 1;
	}
	return run(argc, argv);
}
