/*
 * msg - what emperor and front say to each other on the link, a SEQPACKET pair: one struct msg per packet,
 * cut after its text. Descriptors travel beside it (SCM_RIGHTS) where the table in msg.c says so.
 *
 * Unknown kind, wrong length, stale generation: refused loudly, never guessed.
 */
#pragma once
#include "shared/base.h"
#include "shared/limits.h"

struct err;

/* Another number wherever a kind gets another place or another meaning: a front may outlive the emperor's build. */
#define MSG_VERSION 1

enum msg_kind {
	MSG_NONE,
	/* front -> emperor */
	MSG_HELLO, /* first: a = pid, b = engine's Python as 0xMMmm or 0 */
	MSG_READY, /* the app is imported and workers wait: may serve. a = import us, b = workers */
	MSG_FAILED, /* cannot serve; then exits. a = enum fail_phase, text = reason, last lines of a traceback */
	MSG_DRAINED, /* after MSG_RETIRE or MSG_STOP: no request, no connection left; exits next */
	MSG_STATE,   /* a = enum front_state, text = what a human should know ("" = nothing) */
	MSG_IDLE,    /* nothing was asked of it for a = ms: would sleep, and goes on serving */
	MSG_ASLEEP, /* after MSG_SLEEP: takes nothing from the doors any more, leaves; a = ms without a request */
	/* emperor -> front */
	MSG_SERVE, /* start to take connections from the doors. b = 1: its pidfile is the emperor's to write */
	MSG_RETIRE, /* a newer generation serves: stop pulling, hand over idle connections, drain, exit.
		       a = graceful timeout s; with one descriptor: the pair to pass idle connections into */
	MSG_ADOPT, /* with one descriptor: a pair from which an older generation's connections come */
	MSG_STOP,   /* the app ends: stop pulling, drain, exit. a = graceful timeout s; 0 = now.
		       b = 1: the gate ends too, hand nothing back to it */
	MSG_REOPEN, /* reopen the log; with one descriptor: the new log file */
	MSG_UNFUSE, /* requests that had killed workers are let through again */
	MSG_SLEEP, /* if nothing is in hand: stop pulling, say MSG_ASLEEP, leave. Else nothing: it goes on serving */
	MSG_RENEW, /* worker a (0-based) has grown: replace it as one that is due */
	MSG_CONFIG, /* take its live options over: b = serial; the descriptor: a sealed memfd of config items */
	MSG_SCALE, /* run a processes from now on: b = serial */
	/* front -> emperor */
	MSG_DONE, /* to MSG_CONFIG, MSG_SCALE: a = that kind, b = its serial, text = why not, "" = done */
	MSG_WANT_RELOAD, /* text = why */
	MSG_KIND_COUNT,
};

enum fail_phase {
	FAIL_NONE,
	FAIL_CONFIG,  /* the ini is wrong */
	FAIL_SPAWN,   /* uid, limits, directory, exec */
	FAIL_ENGINE,  /* no engine for this Python, virtualenv broken, interpreter did not start */
	FAIL_IMPORT,  /* the app raised, or has no such callable */
	FAIL_WARMUP,  /* a warm-up request failed */
	FAIL_START,   /* workers died before they were ready, or startup-timeout */
	FAIL_RUNTIME, /* served, then could not go on */
	FAIL_PHASE_COUNT,
};

struct msg {
	uint16_t kind; /* enum msg_kind */
	uint16_t text_n;
	uint32_t bank;
	uint64_t generation; /* of the front that sends or is meant; others are ghosts */
	uint64_t a, b;
	char text
		[LIMIT_MSG_TEXT]; /* text_n bytes, not terminated on the wire, terminated by msg_recv */
};

const char *msg_kind_name(enum msg_kind kind);
const char *msg_phase_name(enum fail_phase phase);

/* Sends m with its text (cut to LIMIT_MSG_TEXT - 1) and fd, or -1. 0 or -errno; -EAGAIN when the pipe is full. */
int msg_send(int link_fd, const struct msg *m, const char *text, int fd);

/*
 * Receives one. 1 = a message, *ret_fd its descriptor or -1 (the caller's to close); 0 = end of file;
 * -EAGAIN = nothing there; -EBADMSG = refused (err says why), the next may be good.
 */
int msg_recv(int link_fd, struct msg *ret_m, int *ret_fd, struct err *err);
