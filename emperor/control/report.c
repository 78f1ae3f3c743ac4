/*
 * report - see report.h. The scoreboard is mapped for the moment only, so that the emperor stays small however many
 * apps it has. What stands in it is the app's own claim: numbers are clamped to what there can be.
 */
#include "emperor/control/report.h"

#include "emperor/vassals/vassals.h"
#include "shared/address.h"
#include "shared/board_json.h"
#include "shared/clock.h"
#include "shared/json.h"
#include "shared/scoreboard.h"

static void put_workers(json_t *obj, const struct board_bank *bank)
{
	unsigned workers = atomic_load_explicit(&bank->workers, memory_order_relaxed);
	unsigned busy = 0, alive = 0;
	struct board_app_memory memory = {0};
	char pool[BOARD_LINE];

	workers = MIN(workers, (unsigned)LIMIT_WORKERS);
	for (unsigned i = 0; i < LIMIT_WORKERS; i++) {
		const struct board_worker *w = &bank->worker[i];
		unsigned state = atomic_load_explicit(&w->state, memory_order_relaxed);

		busy += state == WORKER_BUSY;
		alive += state == WORKER_IDLE || state == WORKER_BUSY || state == WORKER_RETIRING;
	}
	busy = MAX(busy, MIN(atomic_load_explicit(&bank->busy, memory_order_relaxed), alive));
	json_put_u64(obj, "workers", workers);
	json_put_u64(obj, "alive", alive);
	json_put_u64(obj, "busy", busy);
	board_add_memory(bank, &memory);
	board_json_memory(obj, &memory);
	/* it may change under us, and its last byte too */
	(void)snprintf(pool, sizeof(pool), "%.*s", BOARD_LINE - 1, bank->pool);
	json_put_text(obj, "pool", pool);
	json_put_u64(obj, "queue", atomic_load_explicit(&bank->queue, memory_order_relaxed));
	json_put_u64(obj, "connections",
		     atomic_load_explicit(&bank->connections, memory_order_relaxed));
}

static void put_board(json_t *obj, const struct app_info *info)
{
	const struct scoreboard *board;
	const struct board_bank *bank;
	struct board_totals totals;

	if (info->board_fd < 0 || board_map_readonly(info->board_fd, &board, NULL) < 0)
		return;
	board_read_totals(board, &totals);
	json_put_u64(obj, "requests", totals.requests);
	json_put_u64(obj, "exceptions", totals.exceptions);
	json_put_u64(obj, "errors_5xx", totals.responses[5]);
	bank = board_find_bank(board, info->generation);
	if (bank) {
		put_workers(obj, bank);
		json_put(obj, "tasks", board_json_tasks(bank));
	}
	board_unmap(board);
}

static void put_release(json_t *obj, const struct app_release *r)
{
	json_put_text(obj, "release", r->path);
	json_put_u64(obj, "release_since", r->since_wall_ns / NS_PER_S);
	json_put(obj, "held", json_boolean(r->held));
	json_put_text(obj, "held_release", r->held_back);
	json_put_u64(obj, "held_generation", r->held_number);
}

/* For programs: "addresses" is what the ini says, be it open or not. */
static json_t *list_listens(const struct app_info *info)
{
	json_t *list = json_array();
	char text[ADDRESS_TEXT];

	for (size_t i = 0; vassals_listens(info, i, text); i++)
		json_push(list, json_text(text, strlen(text)));
	return list;
}

json_t *report_app(const struct app_info *info, const char *notes,
		   const struct app_release *release)
{
	json_t *obj = json_object();

	if (!obj)
		return NULL;
	json_put_text(obj, "name", info->name);
	json_put_text(obj, "state", app_state_name(info->state));
	json_put_text(obj, "reason", info->reason);
	json_put_u64(obj, "since", info->since_wall_ns / NS_PER_S);
	json_put_u64(obj, "next_try", info->next_try_wall_ns / NS_PER_S);
	json_put_u64(obj, "generation", info->generation);
	json_put_u64(obj, "pid", (uint64_t)info->pid);
	json_put_u64(obj, "uid", info->uid);
	json_put_u64(obj, "gid", info->gid);
	json_put_u64(obj, "restarts", info->restarts);
	json_put_u64(obj, "failures", info->failures);
	json_put_u64(obj, "scaled", info->scaled);
	json_put_text(obj, "file", info->file);
	json_put_text(obj, "domains", info->domains);
	json_put_text(obj, "addresses", info->addresses);
	json_put(obj, "listens", list_listens(info));
	json_put_text(obj, "last_error", info->last_error);
	json_put_u64(obj, "warnings", info->warnings);
	if (notes)
		json_put_text(obj, "notes", notes);
	if (release)
		put_release(obj, release);
	put_board(obj, info);
	return obj;
}

static void add_role(void *arg, const struct role_info *info)
{
	json_t *obj = json_object();

	if (!obj)
		return;
	json_put_text(obj, "name", info->name);
	json_put_u64(obj, "pid", (uint64_t)info->pid);
	json_put_u64(obj, "deaths", info->deaths);
	json_put_u64(obj, "last_death", info->died_wall_ns / NS_PER_S);
	json_put_text(obj, "last_death_how", info->how);
	(void)json_array_append_new(arg, obj);
}

json_t *report_roles(const struct vassals *vassals)
{
	json_t *all = json_array();

	if (all)
		vassals_visit_roles(vassals, add_role, all);
	return all;
}
