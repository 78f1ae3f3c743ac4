/*
 * role - what the emperor and its roles say to each other: one SEQPACKET pair each, one struct role_msg per packet,
 * descriptors beside it. The emperor execs itself as `emperor --role=gate`, `--role=stats` and `--role=keeper` with that
 * pair on descriptor ROLE_FD; the first two have role users' uid, all no_new_privs and their own session.
 *
 * Everything is a statement of how things are, not a delta to how they were, so that a role that was restarted, or that
 * gets another emperor, is simply told everything again, between ROLE_BEGIN and ROLE_END.
 */
#pragma once
#include "shared/base.h"
#include "shared/limits.h"

struct err;

#define ROLE_FD      3
#define ROLE_TEXT    1024
#define ROLE_VERSION 2

enum role_kind {
	ROLE_NONE,
	ROLE_READY, /* role -> emperor: a = ROLE_VERSION; sent once its loop runs */
	ROLE_BEGIN, /* emperor -> role: what follows, up to ROLE_END, is all there is ... */
	ROLE_END,   /* ... and what is known from before and was not named again is gone */

	/*
	 * The keeper may be of an older build than the emperor that finds it: these numbers, those above and the head of
	 * struct role_msg stay as they are, or ROLE_VERSION changes.
	 */
	KEEPER_LISTENER, /* fd: where the next emperor will knock (emperor/keeper/keeper.h) */
	KEEPER_KEEP, /* text = name; a to e: the emperor's own; fd. Replaces what had that name */
	KEEPER_DROP, /* text = name */
	KEEPER_STOP, /* the emperor ends: let everything go, exit */
	KEEPER_ITEM, /* keeper -> a new emperor: as KEEPER_KEEP said it */
	KEEPER_LAST, /* keeper -> a new emperor: a = how many items there were */
	ROLE_PING,   /* emperor -> role: are you there? */
	ROLE_PONG,   /* role -> emperor */

	/* emperor -> gate */
	GATE_PORT,  /* app = index of the shared port; text = address; fd: the listener */
	GATE_TRUST, /* text = trusted proxies, "10.0.0.0/8 ::1": replaces the list */
	GATE_APP, /* app = id (never reused), a = uid; text = name; fds: door's gate end, door's front end */
	GATE_APP_GONE, /* app = id: close its doors; what waits in them gets 503 */
	GATE_STATE, /* app = id, a = enum gate_state, b = seconds for Retry-After; text = reason for the log */
	/* While an app cannot serve, the gate stands in for it at its own listeners: accepts there and answers 503.
	   app = id, a = enum gate_protocol, b = number (never reused within the app), c = seconds for Retry-After
	   until a GATE_STATE says others; fd: the listener. One that was shut down (SHUT_RD) is closed */
	GATE_LISTENER,
	GATE_LISTENER_GONE, /* app = id, b = number: close it; what waits in its backlog is the app's */
	GATE_ROUTES, /* fd: sealed memfd, one struct routes_head then routes_n struct route: the whole table */
	/* finish: answer what is in hand, close the ports, exit; a = 1: nobody has them after it */
	GATE_STOP,

	/* emperor -> stats */
	STATS_DB, /* text = path of the database ("" = none), a = pid of the emperor: after an adoption not our parent's */
	STATS_LISTENER, /* text = app's name, "" = the emperor's own view; fd: the listener. An app has one, the
			   newest replaces the one before; the emperor's view may have several. One that was
			   shut down (SHUT_RD) is closed */
	STATS_APP,      /* app = id; text = name; fd: scoreboard, read-only */
	STATS_APP_GONE, /* app = id; history stays */
	STATS_STATE, /* app = id, a = enum app_state, b = generation, c = pid, d = wall ns since when,
			   e = (uid << 32 | restarts); text = reason */
	/* app = id, 0: the emperor's own; a = enum board_event_kind, b = generation, d = wall ns; text = what happened */
	STATS_EVENT,
	STATS_STOP, /* store what is in hand, exit */
	/* app = id, a = digest, b = generation, d = wall ns since when; fd: sealed memfd, the bytes that it runs by, secrets
	   masked, of at most LIMIT_INI_SHOWN; text = where its code lies, links resolved, "" unknown */
	STATS_INI,
	ROLE_AGAIN, /* role -> emperor: descriptors were few, and something was lost: say everything again */
	ROLE_KIND_COUNT,
};

enum gate_state {
	GATE_SERVING, /* pass connections into the door; a sleeping or starting app too: they wait there */
	GATE_DOWN, /* drain the door and answer 503 */
};

enum gate_protocol { /* of an app's own listener */
		     GATE_HTTP,
		     GATE_UWSGI,
		     GATE_FASTCGI,
		     GATE_SCGI,
		     GATE_ANY, /* by the first byte of each connection */
		     GATE_PROTOCOL_COUNT,
};

struct role_msg {
	uint16_t kind;
	uint16_t text_n;
	uint32_t app;
	uint64_t a, b, c, d, e;
	char text[ROLE_TEXT]; /* terminated by role_recv */
};

#define ROUTES_MAGIC 0x53545552u /* "RUTS" */
#define ROUTES_MAX   (LIMIT_APPS * 8)

struct routes_head {
	uint32_t magic, epoch;
	uint32_t routes_n, reserved;
};

struct route {
	uint32_t app;
	uint32_t reserved;
	char host[LIMIT_HOST + 1]; /* lower case; "*.b.example"; "" = the default site */
	char path[256];            /* "" or "/blog" */
};

int role_send(int fd, const struct role_msg *m, const char *text, const int *fds, int nfds);
/* 1 message, 0 end of file, -EAGAIN, -EBADMSG; -EMFILE: it was lost, for there was no number for its descriptors. fds: room for 2; *ret_nfds how many came (the caller's). */
int role_recv(int fd, struct role_msg *ret_m, int fds[2], int *ret_nfds, struct err *err);
/*
 * For a role, after -EMFILE: asks for everything again, and *lost until that begins. The emperor says it again a while
 * later, and only once for all that ask meanwhile.
 */
void role_lose(int fd, bool *lost);
/* For a role, before it takes a message: not the end of what was not heard whole, for it would forget what was lost. */
bool role_counts(bool *lost, const struct role_msg *m);
