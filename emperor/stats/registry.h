/*
 * registry - the apps that the emperor has told of, sorted by name, each with its scoreboard (mapped read-only once)
 * and what was last said about it. Owned by the role; serve and collect look into it.
 */
#pragma once
#include "shared/scoreboard.h"

struct err;

struct app {
	uint32_t id;
	char name[LIMIT_NAME];
	const struct scoreboard *board; /* ours to unmap */
	bool unnamed;                   /* by an emperor that names all there are */

	/* as the emperor said */
	unsigned state; /* enum app_state, below APP_STATE_COUNT */
	uint64_t generation, since_wall_ns;
	uint32_t pid, uid, restarts;
	uint64_t first_run_wall_ns;
	char *reason, *last_error; /* owned; NULL = "" */

	/* collect's */
	uint64_t events_at;     /* number of the last event that was read */
	uint64_t events_missed; /* not yet told of */
	uint64_t stuck_at;      /* an event that was half written when last looked at; 0 */
	uint64_t blames_at, blames_missed, blame_stuck_at; /* the same for blame records */
	unsigned blames_left;
	unsigned events_left;            /* that may still be kept in this minute */
	struct board_totals minute_base; /* the board when the minute began */
	struct board_totals window_base; /* ... and when the minute before it began */
	uint64_t minute_base_s, window_base_s;
};

struct registry {
	struct app **apps; /* apps_n, sorted by name */
	size_t apps_n, room;
};

/* Maps the board (fd stays the caller's). A known id gets the new board; another app of that name leaves. */
int registry_add(struct registry *r, uint32_t id, const char *name, int board_fd,
		 struct app **ret_app, struct err *err);
void registry_remove(struct registry *r, uint32_t id);
struct app *registry_find(const struct registry *r, uint32_t id);
struct app *registry_find_name(const struct registry *r, const char *name);
void registry_done(struct registry *r);

/* Replaces an owned text; on lack of memory it becomes "". */
void app_set_text(char **text, const char *to);
static inline const char *app_text(const char *text)
{
	return text ? text : "";
}
