/*
 * rig - see rig.h.
 */
#include "tests/engine/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "shared/clock.h"
#include "shared/config_items.h"
#include "shared/err.h"
#include "shared/fd.h"
#include "shared/handoff.h"
#include "shared/scoreboard.h"
#include "shared/vars.h"

#define PATIENCE_NS (20 * NS_PER_S)
#define LOG_MAX     (1024 * 1024)

static int make_config(struct rig *r, const char *const *items)
{
	struct config_items list = {0};
	struct handoff h = {
		.magic = HANDOFF_MAGIC, .size = sizeof(h), .generation = 7, .name = "rig"};
	char *bytes = NULL;
	char *whole;
	size_t n = 0;
	int result = 0;

	for (; *items && result == 0; items++) {
		const char *eq = strchr(*items, '=');
		_cleanup_(freep) char *key = strndup(*items, (size_t)(eq - *items));

		result = config_items_add(&list, key, eq + 1, "rig", 0, true, NULL);
	}
	if (result == 0)
		result = config_items_encode(&list, &bytes, &n, NULL);
	config_items_done(&list);
	if (result < 0)
		return result;
	h.config_n = (uint32_t)n;
	whole = malloc(sizeof(h) + n);
	memcpy(whole, &h, sizeof(h));
	memcpy(whole + sizeof(h), bytes, n);
	result = fd_sealed_memfd(&r->config_fd, "config", whole, sizeof(h) + n);
	free(whole);
	free(bytes);
	return result;
}

static _Noreturn void exec_engine(const struct rig *r, int mold_fd)
{
	const int from[] = {mold_fd, r->config_fd, exchange_memory_fd(r->x),
			    exchange_event_fd(r->x), r->board_fd};
	int high[ARRAY_SIZE(from)];
	static char name[] = "rig mold";
	char *argv[] = {name, NULL};

	(void)dup2(r->log_fd, 1);
	(void)dup2(r->log_fd, 2);
	for (size_t i = 0; i < ARRAY_SIZE(from); i++)
		high[i] = fcntl(from[i], F_DUPFD, 100);
	for (size_t i = 0; i < ARRAY_SIZE(from); i++)
		(void)dup2(high[i], CREW_MOLD_FD + (int)i);
	(void)dup2(open("/dev/null", O_RDWR), 0);
	(void)close_range(CREW_BOARD_FD + 1, ~0U, 0);
	(void)execv(RIG_ENGINE, argv);
	_exit(127);
}

static void on_mold(struct rig *r, const struct crew_msg *m)
{
	if (m->kind == CREW_MOLD_READY || m->kind == CREW_MOLD_FAILED) {
		r->mold_ready = m->kind == CREW_MOLD_READY;
		r->mold_failed = !r->mold_ready;
		r->fail_phase = m->a;
		memcpy(r->text, m->text, sizeof(r->text));
	}
	if (m->kind == CREW_FORKED && m->worker < RIG_WORKERS) {
		r->workers[m->worker].pid = (pid_t)m->a;
		r->forked++;
	}
}

static void on_worker(struct rig *r, struct rig_worker *w, const struct crew_msg *m)
{
	struct crew_msg body = {.kind = CREW_BODY, .a = m->a, .b = m->b};
	struct crew_msg late = {.kind = CREW_BODY, .a = m->a, .b = m->b - 1};

	/* first what somebody before has asked for and not waited for */
	if (m->kind == CREW_WANT_BODY && r->stale_fd >= 0)
		(void)crew_send(w->fd, &late, NULL, r->stale_fd);
	if (m->kind == CREW_WANT_BODY)
		(void)crew_send(w->fd, &body, NULL, r->body_fd);
	if (m->kind == CREW_WORKER_READY)
		w->ready = true;
	if (m->kind == CREW_WORKER_LEAVES || m->kind == CREW_WORKER_FAILED) {
		w->left = true;
		memcpy(w->why, m->text, sizeof(w->why));
	}
}

/* One turn: messages and wake-ups, at most 50 ms. */
static void turn(struct rig *r)
{
	struct pollfd p[2 + RIG_WORKERS] = {{.fd = r->mold_fd, .events = POLLIN},
					    {.fd = exchange_event_fd(r->x), .events = POLLIN}};
	struct crew_msg m;
	int fd;

	for (unsigned i = 0; i < RIG_WORKERS; i++)
		p[2 + i] = (struct pollfd){.fd = r->workers[i].fd, .events = POLLIN};
	if (!exchange_front_sleep(r->x))
		(void)poll(p, ARRAY_SIZE(p), 50);
	exchange_front_woken(r->x);
	while (r->mold_fd >= 0) {
		int n = crew_recv(r->mold_fd, &m, &fd, NULL);

		if (n == 0) {
			fd_closep(&r->mold_fd);
			r->mold_fd = -1;
		}
		if (n <= 0)
			break;
		on_mold(r, &m);
	}
	for (unsigned i = 0; i < RIG_WORKERS; i++)
		while (r->workers[i].fd >= 0 && crew_recv(r->workers[i].fd, &m, &fd, NULL) > 0)
			on_worker(r, &r->workers[i], &m);
}

bool rig_fork(struct rig *r, unsigned worker)
{
	struct crew_msg m = {.kind = CREW_FORK, .worker = worker};
	struct rig_worker *w = &r->workers[worker];
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	int pair[2];

	fd_closep(&w->fd);
	*w = (struct rig_worker){.fd = -1};
	if (fd_seqpacket_pair(pair, true) < 0)
		return false;
	exchange_worker_begin(r->x, worker);
	w->fd = pair[0];
	if (crew_send(r->mold_fd, &m, NULL, pair[1]) < 0)
		return false;
	(void)close(pair[1]);
	/* The two tell it on different ways: either message may be first. */
	while ((!w->ready || w->pid == 0) && !w->left && clock_now_ns() < until)
		turn(r);
	return w->ready && w->pid > 0;
}

bool rig_start(struct rig *r, const char *const *items, unsigned workers, unsigned threads)
{
	const struct exchange_shape shape = {
		.slots = 64, .workers = RIG_WORKERS, .threads = threads};
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	struct err err = {0};
	int pair[2];

	*r = (struct rig){
		.board_fd = -1, .config_fd = -1, .mold_fd = -1, .body_fd = -1, .stale_fd = -1};
	for (unsigned i = 0; i < RIG_WORKERS; i++)
		r->workers[i].fd = -1;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	r->log_fd = memfd_create("log", MFD_CLOEXEC);
	if (exchange_create(&r->x, &shape, &err) < 0 ||
	    board_create(&r->board_fd, &r->board, "rig", &err) < 0 || make_config(r, items) < 0 ||
	    fd_seqpacket_pair(pair, true) < 0) {
		(void)snprintf(r->text, sizeof(r->text), "rig: %s", err.text);
		return false;
	}
	r->mold = fork();
	if (r->mold == 0)
		exec_engine(r, pair[1]);
	(void)close(pair[1]);
	r->mold_fd = pair[0];
	while (!r->mold_ready && !r->mold_failed && r->mold_fd >= 0 && clock_now_ns() < until)
		turn(r);
	for (unsigned i = 0; r->mold_ready && i < workers; i++)
		if (!rig_fork(r, i))
			return false;
	return r->mold_ready;
}

static int wait_pid(pid_t pid)
{
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	int status;

	while (clock_now_ns() < until) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return status;
		(void)usleep(2000);
	}
	return -1;
}

int rig_wait_exit(struct rig *r, unsigned worker)
{
	uint64_t until = clock_now_ns() + 100 * NS_PER_MS;
	int status;

	while (!r->workers[worker].left && clock_now_ns() < until)
		turn(r);
	status = wait_pid(r->workers[worker].pid);
	turn(r);
	r->workers[worker].pid = 0;
	return status;
}

void rig_stop(struct rig *r)
{
	struct crew_msg quit = {.kind = CREW_QUIT};

	for (unsigned i = 0; i < RIG_WORKERS; i++) {
		if (r->workers[i].pid > 0) {
			exchange_worker_retire(r->x, i);
			if (wait_pid(r->workers[i].pid) < 0)
				(void)kill(r->workers[i].pid, SIGKILL);
		}
		fd_closep(&r->workers[i].fd);
	}
	if (r->mold_fd >= 0)
		(void)crew_send(r->mold_fd, &quit, NULL, -1);
	if (r->mold > 0)
		(void)wait_pid(r->mold);
	fd_closep(&r->mold_fd);
	fd_closep(&r->config_fd);
	fd_closep(&r->board_fd);
	fd_closep(&r->log_fd);
	fd_closep(&r->body_fd);
	fd_closep(&r->stale_fd);
	if (r->board)
		board_unmap(r->board);
	exchange_free(r->x);
}

static void fill_vars(struct vars *v, const struct rig_request *q)
{
	const char *mark = strchr(q->target, '?');
	struct span path =
		mark ? span_of(q->target, (size_t)(mark - q->target)) : span_str(q->target);
	char length[24];

	vars_add(v, SPAN("REQUEST_METHOD"), span_str(q->method));
	vars_add(v, SPAN("REQUEST_URI"), span_str(q->target));
	vars_add(v, SPAN("PATH_INFO"), path);
	vars_add(v, SPAN("SCRIPT_NAME"), SPAN(""));
	vars_add(v, SPAN("QUERY_STRING"), mark ? span_str(mark + 1) : SPAN(""));
	vars_add(v, SPAN("SERVER_NAME"), SPAN("rig.example"));
	vars_add(v, SPAN("SERVER_PORT"), SPAN("80"));
	vars_add(v, SPAN("SERVER_PROTOCOL"), SPAN("HTTP/1.1"));
	vars_add(v, SPAN("REMOTE_ADDR"), SPAN("192.0.2.7"));
	vars_add(v, SPAN("REMOTE_PORT"), SPAN("4711"));
	vars_add(v, SPAN("HTTP_HOST"), SPAN("rig.example"));
	if (q->body.n > 0) {
		(void)snprintf(length, sizeof(length), "%zu", q->body.n);
		vars_add(v, SPAN("CONTENT_LENGTH"), span_str(length));
	}
	for (const char *const *p = q->vars; p && *p; p++) {
		const char *eq = strchr(*p, '=');

		vars_add(v, span_of(*p, (size_t)(eq - *p)), span_str(eq + 1));
	}
}

static void put_body(struct rig *r, struct exchange_request *e, uint8_t *data,
		     const struct rig_request *q)
{
	e->body = EXCHANGE_BODY_NONE;
	e->body_n = q->body.n;
	if (q->body.n == 0)
		return;
	if (!q->as_file) {
		e->body = EXCHANGE_BODY_MEMORY;
		memcpy(data + e->vars_n, q->body.p, q->body.n);
		return;
	}
	e->body = EXCHANGE_BODY_FILE;
	fd_closep(&r->body_fd);
	r->body_fd = memfd_create("body", MFD_CLOEXEC);
	(void)fd_write_all(r->body_fd, q->body.p, q->body.n);
}

unsigned rig_send(struct rig *r, const struct rig_request *q)
{
	static unsigned number;
	int slot = exchange_slot_get(r->x);
	struct exchange_request *e;
	struct vars v;

	if (slot < 0)
		abort();
	e = exchange_request(r->x, (unsigned)slot);
	*e = (struct exchange_request){.queued_ns = clock_now_ns(),
				       .flags = q->is_old ? 0 : EXCHANGE_HTTP11};
	if (str_eq(q->method, "HEAD"))
		e->flags |= EXCHANGE_HEAD;
	(void)snprintf(e->line, sizeof(e->line), "%s %s", q->method, q->target);
	(void)snprintf(e->id, sizeof(e->id), "id-%u", ++number);
	vars_init(&v, exchange_data(r->x, (unsigned)slot), EXCHANGE_SLOT_BYTES);
	fill_vars(&v, q);
	e->vars_n = (uint32_t)v.n;
	put_body(r, e, exchange_data(r->x, (unsigned)slot), q);
	exchange_submit(r->x, (unsigned)slot);
	exchange_wake(r->x);
	return (unsigned)slot;
}

static void take_head(struct answer *a, const struct frame *f)
{
	struct frame_head h;

	memcpy(&h, f->p, sizeof(h));
	a->status = h.status;
	a->length = h.length;
	memcpy(a->reason, f->p + sizeof(h), MIN((size_t)h.reason_n, sizeof(a->reason) - 1));
	memcpy(a->fields, f->p + sizeof(h) + h.reason_n,
	       MIN((size_t)h.fields_n, sizeof(a->fields) - 1));
}

static void take_interim(struct answer *a, const struct frame *f)
{
	size_t n = strlen(a->hints);
	struct frame_head h;

	memcpy(&h, f->p, sizeof(h));
	if (h.status != 103 || h.reason_n != 0)
		abort();
	memcpy(a->hints + n, f->p + sizeof(h), MIN((size_t)h.fields_n, sizeof(a->hints) - 1 - n));
	a->hints_n++;
}

static void take_frame(struct answer *a, const struct frame *f)
{
	struct frame_end end;

	switch (f->kind) {
	case FRAME_HEAD:
		a->disordered |= a->status != 0;
		take_head(a, f);
		break;
	case FRAME_DATA:
		a->disordered |= a->status == 0;
		a->body = realloc(a->body, a->body_n + f->n + 1);
		memcpy(a->body + a->body_n, f->p, f->n);
		a->body_n += f->n;
		a->body[a->body_n] = '\0';
		a->data_frames++;
		break;
	case FRAME_END:
		memcpy(&end, f->p, sizeof(end));
		a->end = end.flags;
		a->ended = true;
		break;
	case FRAME_INTERIM:
		a->disordered |= a->status != 0;
		take_interim(a, f);
		break;
	case FRAME_DONE:
	case FRAME_BROKEN:
		abort();
	}
}

/* Whatever lanes hold for this slot; other slots' frames wait for their own call. */
static void drain(struct rig *r, unsigned slot, struct answer *a)
{
	const struct exchange_shape *s = exchange_get_shape(r->x);

	for (unsigned lane = 0; lane < s->workers * s->threads && !a->ended; lane++) {
		struct frame f;

		for (;;) {
			size_t at = 0;

			if (!exchange_peek(r->x, lane, &at, &f) || f.slot != slot)
				break;
			take_frame(a, &f);
			exchange_consume(r->x, lane, &f);
			if (a->ended)
				break;
		}
	}
}

void rig_collect(struct rig *r, unsigned slot, struct answer *ret)
{
	uint64_t until = clock_now_ns() + PATIENCE_NS / 2;

	*ret = (struct answer){.length = -1};
	for (;;) {
		drain(r, slot, ret);
		if (ret->ended || clock_now_ns() > until)
			break;
		if (exchange_holder(r->x, slot) >= 0) {
			pid_t pid = r->workers[(unsigned)exchange_holder(r->x, slot) /
					       exchange_get_shape(r->x)->threads]
					    .pid;
			siginfo_t info = {0};

			if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
			    info.si_pid) {
				drain(r, slot, ret);
				return; /* died with it: the caller buries it */
			}
		}
		turn(r);
	}
	if (ret->ended)
		exchange_slot_put(r->x, slot, EXCHANGE_SLOT_BYTES);
	if (!ret->body)
		ret->body = strdup("");
}

void rig_ask(struct rig *r, const struct rig_request *q, struct answer *ret)
{
	rig_collect(r, rig_send(r, q), ret);
}

void rig_get(struct rig *r, const char *target, struct answer *ret)
{
	rig_ask(r, &(struct rig_request){.method = "GET", .target = target}, ret);
}

void answer_done(struct answer *a)
{
	free(a->body);
	a->body = NULL;
}

char *rig_log(struct rig *r)
{
	char *text = calloc(1, LOG_MAX + 1);

	if (text && pread(r->log_fd, text, LOG_MAX, 0) < 0)
		text[0] = '\0';
	return text;
}

int rig_setup(void **state, const char *module)
{
	static struct rig r;
	const char *const items[] = {module, "pythonpath=" RIG_APPS, "early-hints=true", NULL};

	*state = &r;
	if (rig_start(&r, items, 1, 1))
		return 0;
	(void)fprintf(stderr, "engine: %s\n", r.text);
	return -1;
}

int rig_teardown(void **state)
{
	struct rig *r = *state;
	int status;
	char *log;

	exchange_worker_retire(r->x, 0);
	status = rig_wait_exit(r, 0);
	log = rig_log(r);
	if (status != 0)
		(void)fprintf(stderr, "worker ended with %x:\n%s\n", status, log);
	free(log);
	rig_stop(r);
	return status;
}
