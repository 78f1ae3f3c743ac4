/*
 * doors_inner - what the files of the doors share. Private to them.
 *
 *   doors.c       the table of apps
 *   door_queue.c  into a door: passed, queued, refused
 *   door_back.c   out of a door: what fronts hand back, what nobody takes
 */
#pragma once
#include "emperor/gate/doors.h"
#include "shared/limits.h"
#include "shared/pass.h"
#include <sys/queue.h>

#define APP_SLOTS \
	((size_t)2 * LIMIT_APPS) /* a power of two; ids are consecutive, so chains stay short */
#define RETRY_DEFAULT_S 5
#define RETRY_CROWDED_S 1

struct queued {
	TAILQ_ENTRY(queued) link;
	struct client client;
	uint64_t since_ns;
	struct doors_pass pass; /* spans into data */
	char data[];
};

struct app {
	struct app *next; /* in its slot */
	struct doors *doors;
	uint32_t id;
	uint64_t uid;
	char name[LIMIT_NAME];
	int gate_fd, front_fd; /* owned */
	ev_io hand_backs, writable;
	bool named;        /* since doors_begin() */
	bool down, broken; /* broken: its front shut it down; the emperor makes a new one */
	unsigned retry_after_s;
	uint64_t refused; /* hand-backs */
	size_t queued_n;
	TAILQ_HEAD(queued_list, queued) queue;
};

struct doors {
	struct ev_loop *loop;
	const struct ports *ports; /* borrowed */
	struct doors_handler handler;
	size_t apps_n, queued_n;
	size_t queued_bytes;
	bool one_uid; /* all apps are one user's: none of them learns anything from another's requests */
	struct app *slots[APP_SLOTS];
	char buf[PASS_BUF_SIZE];
};

/* doors.c */
struct app *doors_app(const struct doors *d, uint32_t id);
void doors_each(struct doors *d, void (*fn)(struct app *app, void *arg), void *arg);

/* door_queue.c */
/* The door is there: what waits for it may go. */
void door_queue_open(struct app *app);
void door_flush(struct app *app);
void door_refuse(const struct app *app, const struct client *c, struct span bytes,
		 unsigned retry_after_s);
/* for_others: as door_drain(). */
void door_refuse_queue(struct app *app, unsigned retry_after_s, bool for_others);

/* door_back.c */
void door_back_open(struct app *app);
/* We hold the other end too, so it is no end of file: its front called shutdown(2) on it, which holds for all copies. */
bool door_is_shut(int fd);
/* What the app gave back before it ended must not end with its door. At most what a door holds: it may go on sending. */
void door_take_all_back(struct app *app);
/* Everything that the app has not taken yet is refused; for_others: but its name may be another's by now, which then gets it. */
void door_drain(struct app *app, unsigned retry_after_s, bool for_others);
