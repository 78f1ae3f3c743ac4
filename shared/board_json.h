/*
 * board_json - rows of a scoreboard as JSON, for all who show them. What stands there is judged by board_read_*.
 */
#pragma once
#include "shared/json.h"
#include "shared/scoreboard.h"

/* The programs beside an app: name, kind, state, pid, running, starts, failures, since, next, last_exit, ended. */
json_t *board_json_tasks(const struct board_bank *bank);
