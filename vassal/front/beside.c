/*
 * beside - see beside.h.
 */
#include "vassal/front/beside.h"

#include "vassal/front/front.h"
#include "vassal/front/lifecycle.h"
#include "vassal/front/link.h"
#include "vassal/front/loop.h"
#include "vassal/front/state.h"
#include "vassal/tasks/tasks.h"

static void on_output(void *arg, const char *p, size_t n)
{
	struct front *f = arg;

	logbook_output(&f->log, p, n);
}

static void on_event(void *arg, const char *text)
{
	struct front *f = arg;

	board_event(f->board, f->wall_ns, f->generation, EVENT_TASK, 0, "%s", text);
	logbook_say_lines(&f->log, f->wall_ns, text);
}

/* An emperor starts the next generation and then ends us; alone, whoever started us sees the exit. */
static void on_control_ended(void *arg, const char *text)
{
	struct front *f = arg;

	if (f->alone)
		lifecycle_failed(f, FAIL_RUNTIME, text);
	else
		link_say(f, MSG_FAILED, FAIL_RUNTIME, 0, text);
}

static void on_over(void *arg)
{
	lifecycle_tasks_over(arg);
}

static const struct tasks_events events = {
	.output = on_output,
	.event = on_event,
	.control_ended = on_control_ended,
	.over = on_over,
};

int beside_init(struct front *f, const struct front_setup *setup, struct err *err)
{
	const struct tasks_setup tasks = {
		.config = f->config,
		.board = f->board,
		.bank = f->bank,
		.generation = f->generation,
		.name = f->name,
		.engine_dir = setup->engine_dir,
	};

	return tasks_new(&f->tasks, f->loop, &tasks, &events, f, err);
}
