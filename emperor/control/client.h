/*
 * client - what the files of this folder share: a client, and what it waits for. Nobody outside includes it.
 *
 *   control.c   accepts, reads a line, writes an answer, times both
 *   client.c    one client: its end, and how an answer begins
 *   command.c   the line (pure)
 *   answers.c   commands that answer at once
 *   waits.c     commands whose answer is their outcome
 *   report.c    an app as JSON
 *   plan_run.c  what the files would change
 */
#pragma once
#include "emperor/control/command.h"
#include "emperor/control/control.h"
#include "emperor/vassals/vassals.h"
#include "shared/json.h"
#include <ev.h>
#include <sys/queue.h>

#define CONTROL_LINE_S 10.0  /* a program writes its line at once, and reads its answer */
#define CONTROL_WAIT_S 600.0 /* the slowest start that an operator will watch */

enum outcome { PENDING, DONE, FAILED };

struct wait { /* for one app */
	uint32_t id;
	enum outcome outcome;
	uint64_t generation; /* before the command */
	char name[LIMIT_NAME];
	char *text; /* owned: why it failed; NULL */
};

struct client {
	TAILQ_ENTRY(client) link;
	struct control *control;
	int fd;
	ev_io io;
	ev_timer timer;
	size_t in_n;
	char in[LIMIT_CONTROL_LINE];
	size_t held_n; /* so much of it is a line that waits for a look at the directories */
	char *out;     /* owned; NULL until the answer is known */
	size_t out_n, out_at;
	int pass_fd; /* beside the first byte of the answer; owned; -1 */
	enum command_verb verb;
	bool calling;       /* inside the call that gives the command */
	struct wait *waits; /* owned */
	size_t waits_n;
};

struct control {
	struct ev_loop *loop;
	struct vassals *vassals; /* borrowed */
	struct control_facts facts;
	int listen_fd; /* borrowed */
	ev_io accept_io;
	ev_timer pause; /* out of descriptors: not again before it rings */
	size_t clients_n;
	TAILQ_HEAD(client_list, client) clients;
};

/* client.c */
void client_free(struct client *c);
void client_rearm(struct client *c, double seconds);
void client_watch(struct client *c, int events);
/* The answer is known; the loop writes it. Takes root, which may be NULL (no memory). */
void client_reply(struct client *c, json_t *root);
void client_reply_error(struct client *c, const char *text);
json_t *client_make_reply(bool ok);

/* answers.c */
void answers_run_line(struct client *c, struct span line);
/* The line that was held. */
void answers_run_held(struct client *c);

/* plan_run.c */
void plan_run(struct client *c, const struct command *cmd);

/* waits.c */
void waits_run(struct client *c, const struct command *cmd);
/* With what is known by now. */
void waits_reply(struct client *c);
void waits_on_change(void *arg, const struct app_info *info, bool gone, unsigned event_kind,
		     const char *event_text);
