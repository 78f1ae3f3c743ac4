/*
 * main - the engine program: takes over what the front hands it (crew.h) and becomes the mold.
 */
#include "vassal/engine/main.h"
#include "vassal/engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/handoff.h"
#include "shared/log.h"
#include "shared/proctitle.h"
#include "shared/scoreboard.h"
#include "vassal/engine/mold.h"
#include "vassal/exchange/exchange.h"

#define RELAUNCH_ENV "EMPEROR_ENGINE_RELAUNCH"

void engine_note(struct engine *e, const char *fmt, ...)
{
	size_t n = strlen(e->note);
	va_list ap;

	if (n > 0 && n + 2 < sizeof(e->note)) {
		memcpy(e->note + n, "; ", 3);
		n += 2;
	}
	va_start(ap, fmt);
	(void)vsnprintf(e->note + n, sizeof(e->note) - n, fmt, ap);
	va_end(ap);
}

const char *engine_title(const struct engine *e)
{
	return e->config.procname ? e->config.procname : e->name;
}

static void keep_descriptors(bool cloexec)
{
	for (int fd = CREW_MOLD_FD; fd <= CREW_BOARD_FD; fd++)
		(void)fd_set_cloexec(fd, cloexec);
}

void main_relaunch(struct engine *e, const char *note)
{
	int saved;

	if (setenv(RELAUNCH_ENV, note, 1) < 0)
		return;
	keep_descriptors(false);
	(void)execv("/proc/self/exe", e->argv);
	saved = errno;
	keep_descriptors(true);
	(void)unsetenv(RELAUNCH_ENV);
	errno = saved;
}

/* The front made the pair, so the kernel knows its pid; as our parent it must be the same. */
static int find_front(struct engine *e, struct err *err)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (getsockopt(CREW_MOLD_FD, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return err_set(
			err, -errno,
			"started by hand? descriptor %d is no socket: only a vassal starts this",
			CREW_MOLD_FD);
	e->front_pid = peer.pid;
	/* A mold has nothing that could not be killed: it holds no request. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != e->front_pid)
		_exit(CREW_EXIT_ORPHAN);
	return 0;
}

static int check_handoff(const struct handoff *h, size_t n, struct err *err)
{
	if (n < sizeof(*h) || h->magic != HANDOFF_MAGIC || h->size != sizeof(*h))
		return err_set(err, -EPROTO,
			       "the configuration was made by another build of vassal");
	if (h->config_n > n - sizeof(*h) || h->bank >= LIMIT_BANKS ||
	    !memchr(h->name, '\0', sizeof(h->name)))
		return err_set(err, -EBADMSG, "the configuration is damaged");
	return 0;
}

static int build_config(struct engine *e, const char *bytes, size_t n, struct err *err)
{
	struct inifile_notes notes = {0}; /* the front has said them already */
	int r = config_items_decode(bytes, n, &e->items, err);

	if (r == 0)
		r = vassal_config_build(&e->items, &e->config, &notes, err);
	inifile_notes_done(&notes);
	return r;
}

static int read_config(struct engine *e, struct err *err)
{
	const struct handoff *h;
	const void *data;
	size_t n;
	int r = fd_map_sealed(CREW_CONFIG_FD, sizeof(*h) + LIMIT_CONFIG_BLOB, &data, &n, err);

	if (r < 0)
		return r;
	h = data;
	r = check_handoff(h, n, err);
	if (r < 0)
		return r;
	memcpy(e->name, h->name, sizeof(e->name));
	e->generation = h->generation;
	r = build_config(e, (const char *)(h + 1), h->config_n, err);
	if (r == 0)
		r = board_map(CREW_BOARD_FD, &e->board, err);
	if (r == 0)
		e->bank = &e->board->bank[h->bank];
	return r;
}

static void take_relaunch_note(struct engine *e)
{
	const char *note = getenv(RELAUNCH_ENV);

	if (note)
		e->relaunch_note = strdup(note);
	(void)unsetenv(RELAUNCH_ENV);
}

/* What a new mold is started with: argv itself is the process title's by now. */
static int keep_argv(struct engine *e, const char *argv0)
{
	e->argv = calloc(2, sizeof(*e->argv));
	if (e->argv)
		e->argv[0] = strdup(argv0);
	return e->argv && e->argv[0] ? 0 : -ENOMEM;
}

int main(int argc, char **argv)
{
	static struct engine e; /* large, and alive as long as the process: not for the stack */
	struct err err = {0};

	if (keep_argv(&e, argc > 0 ? argv[0] : "engine") < 0)
		return CREW_EXIT_FAILED;
	proctitle_init(argc, argv);
	take_relaunch_note(&e);
	if (find_front(&e, &err) < 0) {
		(void)fprintf(stderr, "%s: %s\n", e.argv[0], err.text);
		return CREW_EXIT_FAILED;
	}
	keep_descriptors(true);
	if (read_config(&e, &err) < 0 ||
	    exchange_attach(&e.exchange, CREW_EXCHANGE_FD, CREW_EVENT_FD, &err) < 0)
		mold_fail(FAIL_ENGINE, err.text);
	log_set_subject(e.name);
	proctitle_set("%s mold", engine_title(&e));
	mold_run(&e);
}
