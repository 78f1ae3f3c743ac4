/*
 * board_json - rows of a scoreboard as JSON, for all who show them. What stands there is judged by board_read_*.
 */
#pragma once
#include "shared/json.h"
#include "shared/scoreboard.h"

/*
 * Of the whole app: "memory" (bytes that it holds), which is the sum of "front_memory", "mold_memory" and "workers_memory";
 * "rss", "pss", and of them "front_rss", "front_pss", "mold_rss", "mold_pss", "workers_rss", "workers_pss".
 */
void board_json_memory(json_t *obj, const struct board_app_memory *m);

/* The programs beside an app: name, kind, state, pid, running, starts, failures, since, next, last_exit, ended. */
json_t *board_json_tasks(const struct board_bank *bank);
