/*
 * static_file - see static_file.h.
 *
 * A request walks the maps in their order: what was sent a moment ago is still open (static_cache), what is not is
 * looked up, in memory or by a disk thread. Then the walk goes on where it was; the head is parsed once more for it.
 */
#include "vassal/front/static_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/fd.h"
#include "shared/http_head.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/head.h"
#include "vassal/front/intake.h"
#include "vassal/front/loop.h"
#include "vassal/front/records.h"
#include "vassal/front/routed.h"
#include "vassal/front/static_inner.h"
#include "vassal/front/static_open.h"
#include "vassal/front/static_path.h"
#include "vassal/front/static_send.h"

#define RETRY_AFTER_S 5

struct static_job {
	struct diskjob disk; /* owner = struct static_file */
	struct static_question question;
	struct static_found found; /* ours until it is taken */
	struct diskpool *far_disk;
	int root_fd;     /* ours: a duplicate; -1: to be opened */
	bool opens, far; /* root_fd was opened here, and of what kind it is */
	int error;
	char path[LIMIT_STATIC_PATH];
};

/* -- a file that takes longer --------------------------------------------------------------------------- */

struct static_file *static_file_new(struct conn *c)
{
	struct static_file *sf = calloc(1, sizeof(*sf));

	if (!sf)
		return NULL;
	sf->conn = c;
	sf->fd = -1;
	return sf;
}

void static_file_free(struct static_file *sf)
{
	if (!sf)
		return;
	if (sf->job)
		sf->job->owner = NULL;
	static_entry_leave(sf->entry, &sf->conn->front->far_disk);
	free(sf->handed);
	free(sf);
}

bool static_waits(const struct conn *c)
{
	return c->file && c->file->job;
}

/* -- the answer ----------------------------------------------------------------------------------------- */

/* A directory is asked for without its slash; relative references in its index would go astray. */
static void redirect(struct conn *c, const struct request *rq)
{
	char fields[2 * LIMIT_STATIC_PATH + 64];
	struct span path = rq->path;
	int n;

	/* variables may hold anything, a line break too */
	if (!http_span_is(path, HTTP_TARGET) ||
	    (rq->query.n > 0 && !http_span_is(rq->query, HTTP_TARGET))) {
		error_answer(c, 404, 0);
		return;
	}
	/* "//host" would be another host */
	while (path.n > 1 && path.p[1] == '/')
		path = span_skip(path, 1);
	n = snprintf(fields, sizeof(fields), "Location: %.*s/%s%.*s\r\n", (int)path.n, path.p,
		     rq->query.n > 0 ? "?" : "", (int)rq->query.n, rq->query.p);
	if (n < 0 || (size_t)n >= sizeof(fields))
		error_answer(c, 404, 0);
	else
		error_answer_fields(c, 301, span_of(fields, (size_t)n), &(struct record){0});
}

static void refuse(struct conn *c, const struct static_plan *plan, struct static_entry *e,
		   struct static_handed *handed)
{
	struct record r = handed ? handed->record : (struct record){0};

	if (!handed)
		board_add(&c->front->count->static_requests, 1);
	static_entry_leave(e, &c->front->far_disk);
	static_file_free(TAKE_PTR(c->file));
	timer_clear(&c->timer);
	error_answer_fields(c, plan->status, span_of(plan->fields, plan->fields_n), &r);
	free(handed);
}

static ssize_t make_head(struct conn *c, const struct static_plan *plan,
			 const struct static_handed *handed)
{
	struct front *f = c->front;
	struct framing_facts facts = {.status = plan->status,
				      .reason = handed && plan->status == handed->said.status
							? handed->reason
							: span_of("", 0),
				      .fields = handed ? handed->fields : span_of("", 0),
				      .more = span_of(plan->fields, plan->fields_n),
				      .added = f->added,
				      .routed = routed_fields(c),
				      .length = plan->status == 304 ? -1 : (int64_t)plan->length,
				      .minor = c->minor11,
				      .is_head = c->is_head,
				      .keep_alive = conn_may_keep(c),
				      .date = span_of(f->date, 29),
				      .request_id = span_str(c->id)};

	records_facts(c, &facts);
	c->answer = (struct answer){.begun = true, .status = plan->status};
	return framing_head(f->head_scratch, sizeof(f->head_scratch), &facts, &c->answer.body,
			    &c->answer.keep_alive);
}

void static_serve(struct conn *c, struct static_entry *e, const struct static_ask *ask,
		  const struct request *rq, struct static_handed *handed)
{
	struct front *f = c->front;
	struct statics *s = f->statics;
	char boundary[REQUEST_ID_N + 1];
	struct static_plan plan;
	struct static_facts facts = {.found = &e->found,
				     .target = s->roots[e->root].target,
				     .ask = ask,
				     .rules = &s->rules,
				     .types = &s->types,
				     .is_head = c->is_head,
				     .now_s = (int64_t)(f->wall_ns / NS_PER_S)};
	ssize_t n;

	request_id_make(&f->ids, boundary);
	facts.boundary = span_of(boundary, REQUEST_ID_N);
	if (rq) {
		facts.path = rq->path;
		facts.uri = rq->target;
	}
	if (handed)
		facts.said = handed->said;
	static_plan_make(&facts, &plan);
	if (plan.status == 406 || plan.status == 412 || plan.status == 416) {
		refuse(c, &plan, e, handed);
		return;
	}
	n = make_head(c, &plan, handed);
	if (n < 0) {
		plan.status = 500;
		plan.fields_n = 0;
		c->answer = (struct answer){0};
		refuse(c, &plan, e, handed);
		return;
	}
	static_send(c, (size_t)n, &plan, e, handed);
}

/* -- looking for it ------------------------------------------------------------------------------------- */

static void work_look(struct diskjob *disk)
{
	struct static_job *job = container_of(disk, struct static_job, disk);

	if (job->opens) {
		job->root_fd = static_open_root(job->question.target, false);
		job->far = job->root_fd >= 0 && fd_is_far(job->root_fd);
	}
	job->question.root_fd = job->root_fd;
	if (job->root_fd >= 0)
		job->error = static_look(&job->question, false, &job->found);
}

static void work_drop(struct diskjob *disk)
{
	static_found_done(&container_of(disk, struct static_job, disk)->found);
}

static void on_dropped(struct diskjob *disk);

static void job_free(struct static_job *job)
{
	if (job->found.far && job->found.verdict != STATIC_NONE) {
		/* it was found for nobody: to close it may take its time too */
		job->disk.work = work_drop;
		job->disk.done = on_dropped;
		if (diskpool_submit(job->far_disk, &job->disk))
			return;
	}
	static_found_done(&job->found);
	if (job->root_fd >= 0)
		(void)close(job->root_fd);
	free(job);
}

static void on_dropped(struct diskjob *disk)
{
	job_free(container_of(disk, struct static_job, disk));
}

static enum static_outcome answer_found(struct conn *c, unsigned root, const char *path,
					bool directory, struct static_found *found,
					const struct static_ask *ask, const struct request *rq,
					struct static_handed *handed)
{
	struct front *f = c->front;
	struct static_entry *e;

	switch (found->verdict) {
	case STATIC_NONE:
		return STATIC_NOT_HERE;
	case STATIC_MOVED:
		static_file_free(TAKE_PTR(c->file));
		board_add(&f->count->static_requests, 1);
		redirect(c, rq);
		return STATIC_ANSWERED;
	case STATIC_FILE:
		break;
	}
	e = static_cache_add(&f->statics->cache, root, path, directory, found, f->now_ns);
	if (!e)
		return STATIC_NO_ROOM;
	static_serve(c, e, ask, rq, handed);
	return STATIC_ANSWERED;
}

static void on_looked(struct diskjob *disk);

/* A disk thread is to look. */
static bool ask_disk(struct conn *c, unsigned root, const struct static_question *q,
		     struct static_handed *handed)
{
	struct front *f = c->front;
	struct static_file *sf = c->file ? c->file : static_file_new(c);
	struct static_job *job = sf ? calloc(1, sizeof(*job)) : NULL;
	struct diskpool *pool;

	if (sf && !c->file)
		c->file = sf;
	if (!job)
		return false;
	for (unsigned i = 0; i < HTTP_CODING_COUNT; i++)
		job->found.forms[i].fd = -1;
	job->disk = (struct diskjob){.work = work_look, .done = on_looked, .owner = sf};
	job->far_disk = &f->far_disk;
	job->opens = q->root_fd < 0;
	pool = job->opens || f->statics->roots[root].far ? &f->far_disk : &f->disk;
	job->root_fd = job->opens ? -1 : fcntl(q->root_fd, F_DUPFD_CLOEXEC, 3);
	job->question = *q;
	(void)snprintf(job->path, sizeof(job->path), "%s", q->path);
	job->question.path = job->path;
	if ((job->root_fd < 0 && !job->opens) || !diskpool_submit(pool, &job->disk)) {
		job_free(job);
		return false;
	}
	sf->job = &job->disk;
	sf->root = root;
	sf->directory = q->directory;
	sf->handed = handed;
	c->state = CONN_FILE;
	timer_clear(&c->timer);
	return true;
}

enum static_outcome static_try(struct conn *c, unsigned root, const char *path, bool directory,
			       const struct static_ask *ask, const struct request *rq,
			       struct static_handed *handed)
{
	struct front *f = c->front;
	struct statics *s = f->statics;
	struct static_entry *e = static_cache_find(&s->cache, root, path, directory, f->now_ns);
	struct static_question q = {.target = s->roots[root].target,
				    .path = path,
				    .directory = directory,
				    .plain = root >= s->maps_n,
				    .rules = &s->rules};
	struct static_found found;
	enum static_outcome outcome;
	int r;

	if (e && static_form_stands(&e->found.forms[HTTP_CODING_IDENTITY])) {
		static_serve(c, e, ask, rq, handed);
		return STATIC_ANSWERED;
	}
	if (e) {
		static_cache_forget(&s->cache, e);
		static_entry_leave(e, &f->far_disk);
	}
	r = static_root_of(f, root, &q.root_fd);
	if (r == -EAGAIN)
		return ask_disk(c, root, &q, handed) ? STATIC_ANSWERED : STATIC_NO_ROOM;
	if (r < 0)
		return STATIC_NOT_HERE;
	r = static_look(&q, true, &found);
	if (r == -EMFILE || r == -ENFILE) {
		/* ours to give back first */
		static_cache_sweep(&s->cache, UINT64_MAX);
		r = static_look(&q, true, &found);
	}
	if (r == -EAGAIN)
		return ask_disk(c, root, &q, handed) ? STATIC_ANSWERED : STATIC_NO_ROOM;
	if (r < 0)
		return STATIC_NO_ROOM;
	outcome = answer_found(c, root, path, directory, &found, ask, rq, handed);
	static_found_done(&found);
	return outcome;
}

static void refuse_for_want(struct conn *c)
{
	struct front *f = c->front;

	static_file_free(TAKE_PTR(c->file));
	logbook_say(&f->log, f->wall_ns, "static file %s [%s]: out of memory or descriptors",
		    c->line, c->id);
	error_answer(c, 503, RETRY_AFTER_S);
}

/* Walks the maps from one on. False: none of them has it. */
static bool walk(struct conn *c, const struct parsed_head *in, unsigned from)
{
	struct statics *s = c->front->statics;
	struct span path = in->rq.path;
	bool slash = path.n > 0 && path.p[path.n - 1] == '/';
	struct static_ask ask = {0};
	bool asked = false;

	for (unsigned i = from; i < s->maps_n; i++) {
		const struct static_root *root = &s->roots[i];
		char name[LIMIT_STATIC_PATH];
		bool directory;
		struct span rest;

		if (!static_path_match(root->mount, path, &rest) ||
		    !static_path_decode(root->whole_path ? path : rest, name, &directory))
			continue;
		if (!asked && c->protocol == PROTO_HTTP)
			static_ask_head(&ask, &in->head);
		else if (!asked)
			static_ask_vars(&ask, in->vars.p, in->vars.n);
		asked = true;
		switch (static_try(c, i, name, directory || slash, &ask, &in->rq, NULL)) {
		case STATIC_ANSWERED:
			return true;
		case STATIC_NO_ROOM:
			refuse_for_want(c);
			return true;
		case STATIC_NOT_HERE:
			break;
		}
	}
	return false;
}

/* The request itself named it: its head was kept. */
static void go_on(struct conn *c, struct static_job *job, unsigned root, bool directory)
{
	struct parsed_head in = {0};
	struct static_ask ask = {0};
	enum static_outcome outcome;

	if (root >= c->front->statics->sends_n && job->error == 0 &&
	    job->found.verdict == STATIC_NONE) {
		/* the rules that follow may protect what they do not find */
		static_file_free(TAKE_PTR(c->file));
		c->roots_missed = root + 1;
		intake_again(c);
		return;
	}
	if (head_parse(c, c->in.p + c->in.start, c->head_n, 0, &in) <= 0) {
		static_file_free(TAKE_PTR(c->file));
		error_refuse(c, 400, "head cannot be read again");
		return;
	}
	if (c->protocol == PROTO_HTTP)
		static_ask_head(&ask, &in.head);
	else
		static_ask_vars(&ask, in.vars.p, in.vars.n);
	outcome = job->error < 0 ? STATIC_NO_ROOM
				 : answer_found(c, root, job->path, directory, &job->found, &ask,
						&in.rq, NULL);
	if (outcome == STATIC_NO_ROOM)
		refuse_for_want(c);
	if (outcome != STATIC_NOT_HERE || walk(c, &in, root + 1))
		return;
	static_file_free(TAKE_PTR(c->file));
	intake_go_on(c);
}

static void on_looked(struct diskjob *disk)
{
	struct static_job *job = container_of(disk, struct static_job, disk);
	struct static_file *sf = disk->owner;
	struct static_handed *handed;
	struct front *f;
	struct conn *c;

	if (!sf) {
		job_free(job);
		return;
	}
	c = sf->conn;
	f = c->front;
	sf->job = NULL;
	if (job->opens) {
		static_root_opened(f, sf->root, job->root_fd, job->far);
		job->root_fd = -1;
	}
	handed = TAKE_PTR(sf->handed);
	if (!handed) {
		go_on(c, job, sf->root, sf->directory);
	} else {
		enum static_outcome outcome =
			job->error < 0 ? STATIC_NO_ROOM
				       : answer_found(c, sf->root, job->path, sf->directory,
						      &job->found, &handed->ask, NULL, handed);

		static_handover_end(c, handed, outcome);
	}
	job_free(job);
	/* outside a turn nobody wakes the worker that the request was queued for */
	loop_kick(f);
}

bool static_begin(struct conn *c, const struct parsed_head *in)
{
	if (!in->rq.is_head && !span_eq(in->rq.method, SPAN("GET")))
		return false;
	/* decoded once more it would be a path that no rule has seen */
	if (in->rq.path_is_decoded && memchr(in->rq.path.p, '%', in->rq.path.n))
		return false;
	return walk(c, in, 0);
}

bool static_begin_named(struct conn *c, const struct parsed_head *in, size_t rule, const char *path)
{
	unsigned root = static_root_of_route(c->front, rule);
	struct static_ask ask = {0};

	if (root < c->roots_missed || !request_has_no_body(&in->rq) ||
	    (!in->rq.is_head && !span_eq(in->rq.method, SPAN("GET"))))
		return false;
	if (c->protocol == PROTO_HTTP)
		static_ask_head(&ask, &in->head);
	else
		static_ask_vars(&ask, in->vars.p, in->vars.n);
	switch (static_try(c, root, path, false, &ask, &in->rq, NULL)) {
	case STATIC_ANSWERED:
		return true;
	case STATIC_NO_ROOM:
		refuse_for_want(c);
		return true;
	case STATIC_NOT_HERE:
		break;
	}
	return false;
}
