/*
 * run - one minder and its program. See inner.h.
 *
 * A run is over when its minder has been reaped: all that the program started has gone by then. What the minder said last
 * may still be in its socket, what the program printed last in its pipe; both are read first. A minder that was itself killed
 * takes the program with it (PDEATHSIG), and the rest is swept.
 */
#include "vassal/tasks/inner.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "vassal/tasks/minder.h"
#include "vassal/tasks/start.h"
#include "vassal/tasks/sweep.h"

static bool on_output(void *arg, const char *p, size_t n)
{
	struct run *r = arg;
	struct tasks *ts = r->task->tasks;
	char line[LIMIT_TASK_NAME + 2 + OUTPUT_LINE_MAX];
	int head = snprintf(line, sizeof(line), "%s: ", r->task->config->name);

	n = MIN(n, sizeof(line) - (size_t)head);
	memcpy(line + head, p, n);
	ts->events.output(ts->arg, line, (size_t)head + n);
	return true;
}

static void on_started(struct run *r, int pid)
{
	struct board_task *row = r->task->row;

	r->pid = pid > 1 ? pid : 0;
	atomic_store_explicit(&row->pid, (uint32_t)r->pid, memory_order_relaxed);
}

static void handle(struct run *r, const struct minder_msg *m)
{
	if (m->kind == MINDER_STARTED) {
		on_started(r, m->value);
	} else if (m->kind == MINDER_ENDED) {
		r->has_status = true;
		r->status = m->value;
	}
}

static void close_control(struct run *r)
{
	if (r->control < 0)
		return;
	ev_io_stop(r->task->tasks->loop, &r->io);
	(void)close(TAKE_FD(r->control));
}

static void read_control(struct run *r)
{
	struct minder_msg m;
	ssize_t n;

	while (r->control >= 0) {
		n = recv(r->control, &m, sizeof(m), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n != (ssize_t)sizeof(m)) {
			close_control(r);
			return;
		}
		handle(r, &m);
	}
}

static void on_control(struct ev_loop *loop, ev_io *w, int revents)
{
	struct run *r = container_of(w, struct run, io);

	(void)loop, (void)revents;
	read_control(r);
}

static void on_child(struct ev_loop *loop, ev_child *w, int revents)
{
	struct run *r = container_of(w, struct run, child);

	(void)revents;
	if (WIFSTOPPED(w->rstatus))
		return;
	ev_child_stop(loop, w);
	r->minder = 0;
	read_control(r);
	output_drain(&r->output);
	if (!r->has_status)
		(void)sweep_kill(r->mark);
	task_run_ended(r->task, r, w->rstatus);
}

int run_start(struct task *t, unsigned number, struct err *err)
{
	struct tasks *ts = t->tasks;
	struct run *r = calloc(1, sizeof(*r));
	int result;

	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	r->task = t;
	r->number = number;
	r->control = -1;
	(void)snprintf(r->mark, sizeof(r->mark), "%s.%d.%" PRIu64, t->config->name, (int)getpid(),
		       board_get(&t->row->starts));
	result = output_open(&r->output, ts->loop, on_output, r, err);
	if (result == 0)
		result = start_minder(&(struct start_setup){.config = ts->setup.config,
							    .task = t->config,
							    .name = ts->setup.name,
							    .generation = ts->setup.generation,
							    .minder = ts->minder,
							    .mark = r->mark,
							    .output_fd = r->output.write_fd},
				      &r->minder, &r->control, err);
	if (result < 0) {
		run_free(r);
		return result;
	}
	ev_io_init(&r->io, on_control, r->control, EV_READ);
	ev_io_start(ts->loop, &r->io);
	ev_child_init(&r->child, on_child, r->minder, 0);
	ev_child_start(ts->loop, &r->child);
	t->run[number] = r;
	return 0;
}

static void tell(struct run *r, enum minder_kind kind, int value)
{
	struct minder_msg m = {.kind = kind, .value = value};

	/* a minder that does not read (it is stopped) is no better served by waiting: see run_kill */
	if (r->control >= 0)
		(void)send(r->control, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void run_signal(struct run *r, int sig)
{
	tell(r, MINDER_SIGNAL, sig);
}

void run_kill(struct run *r, const char *why)
{
	(void)snprintf(r->why, sizeof(r->why), "%s", why);
	tell(r, MINDER_KILL, 0);
	/* somebody may have stopped it */
	if (r->minder > 0)
		(void)kill(r->minder, SIGCONT);
}

void run_free(struct run *r)
{
	if (!r)
		return;
	if (r->minder > 0) {
		ev_child_stop(r->task->tasks->loop, &r->child);
		(void)kill(r->minder, SIGKILL);
	}
	close_control(r);
	output_done(&r->output);
	free(r);
}
