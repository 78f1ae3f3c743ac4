/*
 * board_json - see board_json.h.
 */
#include "shared/board_json.h"

#include <stdio.h>
#include <sys/wait.h>

#include "shared/clock.h"

/* What a wait status says, in one word or two. */
static void put_exit(json_t *obj, const struct board_task_now *t)
{
	char text[32];

	if (!t->has_ended)
		return;
	if (WIFSIGNALED(t->last_status))
		(void)snprintf(text, sizeof(text), "signal %d", WTERMSIG(t->last_status));
	else
		(void)snprintf(text, sizeof(text), "exit %d", WEXITSTATUS(t->last_status));
	json_put_text(obj, "last_exit", text);
	json_put_u64(obj, "ended", t->ended_wall_ns / NS_PER_S);
}

void board_json_memory(json_t *obj, const struct board_app_memory *m)
{
	struct board_memory all = board_memory_of_all(m);

	json_put_u64(obj, "memory", all.held);
	json_put_u64(obj, "rss", all.rss);
	json_put_u64(obj, "pss", all.pss);
	/* What "memory" is the sum of: a part of which nothing but rss is known yet counts with that. */
	json_put_u64(obj, "front_memory", m->front.held);
	json_put_u64(obj, "mold_memory", m->mold.held);
	json_put_u64(obj, "workers_memory", m->workers.held);
	json_put_u64(obj, "front_rss", m->front.rss);
	json_put_u64(obj, "front_pss", m->front.pss);
	json_put_u64(obj, "mold_rss", m->mold.rss);
	json_put_u64(obj, "mold_pss", m->mold.pss);
	json_put_u64(obj, "workers_rss", m->workers.rss);
	json_put_u64(obj, "workers_pss", m->workers.pss);
}

json_t *board_json_tasks(const struct board_bank *bank)
{
	struct board_task_now t;
	json_t *tasks = json_array();

	for (unsigned i = 0; board_read_task(bank, i, &t); i++) {
		json_t *row = json_object();

		json_put_text(row, "name", t.name);
		json_put_text(row, "kind", board_task_kind_name(t.kind));
		json_put_text(row, "state", board_task_state_name(t.state));
		json_put_u64(row, "pid", t.pid);
		json_put_u64(row, "running", t.running);
		json_put_u64(row, "starts", t.starts);
		json_put_u64(row, "failures", t.failures);
		json_put_u64(row, "since", t.started_wall_ns / NS_PER_S);
		json_put_u64(row, "next", t.next_wall_ns / NS_PER_S);
		put_exit(row, &t);
		json_push(tasks, row);
	}
	return tasks;
}
