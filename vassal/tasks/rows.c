/*
 * rows - a task as the scoreboard shows it, and what the rows of other generations say. See inner.h.
 *
 * The other banks belong to fronts of the same app. A pid in them may be stale: its process must be a minder to count.
 */
#include "vassal/tasks/inner.h"

#include <stdio.h>

#include "shared/clock.h"
#include "vassal/tasks/minder.h"

#define MINUTE_S ((time_t)60)
/* Another generation's last look counts for so long: a swap is over by then. */
#define LOOKED_MAX_S (3 * MINUTE_S)

static void put(board_u32 *field, unsigned n)
{
	atomic_store_explicit(field, n, memory_order_relaxed);
}

void row_init(struct task *t)
{
	struct board_task *row = t->row;

	put(&row->state, TASK_NONE);
	memcpy(row->name, t->config->name, sizeof(row->name));
	put(&row->kind, t->config->kind == TASK_CRON ? BOARD_TASK_CRON : BOARD_TASK_DAEMON);
	put(&row->pid, 0);
	put(&row->running, 0);
	put(&row->has_ended, 0);
	put(&row->last_status, 0);
	board_set(&row->starts, 0);
	board_set(&row->failures, 0);
	board_set(&row->started_wall_ns, 0);
	board_set(&row->ended_wall_ns, 0);
	board_set(&row->next_wall_ns, 0);
	board_set(&row->looked_wall_s, 0);
	for (unsigned i = 0; i < LIMIT_TASK_RUNS; i++)
		put(&row->minder[i], 0);
	put(&row->state, TASK_WAITING);
}

static uint64_t next_wall_ns(const struct task *t, uint64_t wall_ns)
{
	const struct plan *p = &t->plan;
	uint64_t now_ns = clock_now_ns();

	if (p->phase != PLAN_SERVING)
		return 0;
	if (p->config.cron)
		return (uint64_t)cron_next(p->config.when, (time_t)(wall_ns / NS_PER_S)) * NS_PER_S;
	return p->wanted && p->backoff.next_ns > now_ns ? wall_ns + (p->backoff.next_ns - now_ns)
							: 0;
}

void row_show(struct task *t)
{
	struct board_task *row = t->row;
	unsigned running = plan_running(&t->plan);

	for (unsigned i = 0; i < LIMIT_TASK_RUNS; i++)
		put(&row->minder[i], t->run[i] ? (unsigned)t->run[i]->minder : 0);
	board_set(&row->next_wall_ns, next_wall_ns(t, clock_wall_ns()));
	board_set(&row->looked_wall_s, (uint64_t)t->plan.looked_s);
	put(&row->running, running);
	if (running == 0)
		put(&row->pid, 0);
	put(&row->state, plan_state(&t->plan));
}

void row_ended(struct task *t, int status, bool failed)
{
	put(&t->row->last_status, (unsigned)status);
	put(&t->row->has_ended, 1);
	board_set(&t->row->ended_wall_ns, clock_wall_ns());
	if (failed)
		board_add(&t->row->failures, 1);
}

/* One that has ended and that nobody has reaped yet is none. */
static bool is_minder(pid_t pid)
{
	char path[64], name[32], state = 'Z';
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%*d (%31[^)]) %c", name, &state) != 2)
		state = 'Z';
	(void)fclose(f);
	return state != 'Z' && state != 'X' && str_eq(name, MINDER_PROGRAM);
}

/* The row of the same task in another bank, or NULL. */
static struct board_task *namesake(const struct task *t, unsigned bank)
{
	struct board_bank *b = &t->tasks->setup.board->bank[bank];
	unsigned n = atomic_load_explicit(&b->tasks, memory_order_acquire);

	if (b == t->tasks->setup.bank)
		return NULL;
	for (unsigned i = 0; i < MIN(n, (unsigned)LIMIT_TASKS); i++)
		if (strncmp(b->task[i].name, t->config->name, LIMIT_TASK_NAME) == 0)
			return &b->task[i];
	return NULL;
}

bool row_predecessor(const struct task *t)
{
	for (unsigned b = 0; b < LIMIT_BANKS; b++) {
		struct board_task *row = namesake(t, b);

		for (unsigned i = 0; row && i < LIMIT_TASK_RUNS; i++) {
			pid_t pid =
				(pid_t)atomic_load_explicit(&row->minder[i], memory_order_relaxed);

			if (pid > 1 && is_minder(pid))
				return true;
		}
	}
	return false;
}

time_t row_looked(const struct task *t, time_t now_s)
{
	time_t latest = 0;

	for (unsigned b = 0; b < LIMIT_BANKS; b++) {
		const struct board_task *row = namesake(t, b);
		time_t looked = row ? (time_t)board_get(&row->looked_wall_s) : 0;

		if (looked <= now_s && now_s - looked < LOOKED_MAX_S)
			latest = MAX(latest, looked);
	}
	return latest ? latest : now_s;
}
