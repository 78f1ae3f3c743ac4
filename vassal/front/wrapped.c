/*
 * wrapped - see wrapped.h.
 *
 * The descriptor comes over the worker's channel, the head through shared memory and later. Neither is believed: a slot
 * gets a file only from who holds it, one, and a regular one; where the file ends before the head says, there is no head.
 */
#include "vassal/front/wrapped.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "vassal/front/conn.h"
#include "vassal/front/errors.h"
#include "vassal/front/queue.h"
#include "vassal/front/static_inner.h"
#include "vassal/front/static_send.h"

bool wrapped_is_welcome(const struct conn *c)
{
	const struct front *f = c->front;

	return (c->protocol == PROTO_HTTP || c->protocol == PROTO_UWSGI) && !c->is_head &&
	       f->conns_n < f->conns_carefree;
}

bool wrapped_take(struct front *f, unsigned worker, unsigned slot, int fd, uint64_t at)
{
	struct job *job = &f->jobs[slot];
	int lane = exchange_holder(f->exchange, slot);
	struct stat st;
	int own;

	if (!job->used || job->has_file || lane < 0 || (unsigned)lane / f->shape.threads != worker)
		return false;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || at > (uint64_t)INT64_MAX)
		return false;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return false;
	job->has_file = true;
	job->file_fd = own;
	job->file_at = at;
	return true;
}

void wrapped_drop(struct job *job)
{
	if (job->has_file)
		(void)close(job->file_fd);
	job->has_file = false;
}

/* For nobody but its sender. Takes fd. NULL: out of memory. */
static struct static_entry *make_entry(int fd, uint64_t end)
{
	struct static_cache none = {0};
	struct static_found found = {.verdict = STATIC_FILE};
	struct static_entry *e;

	for (unsigned i = 0; i < HTTP_CODING_COUNT; i++)
		found.forms[i].fd = -1;
	found.forms[HTTP_CODING_IDENTITY] = (struct static_form){.fd = fd, .size = end};
	e = static_cache_add(&none, 0, "", false, &found, 0);
	if (!e)
		static_found_done(&found);
	return e;
}

static bool reaches(int fd, uint64_t end)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (uint64_t)st.st_size >= end;
}

void wrapped_send(struct conn *c, size_t n, uint64_t length, const struct record *known)
{
	struct front *f = c->front;
	struct job *job = &f->jobs[c->slot];
	const uint64_t at = job->file_at;
	struct static_handed *handed = calloc(1, sizeof(*handed));
	struct static_entry *e = NULL;
	struct static_plan plan;
	struct record r = {0};
	uint64_t end;

	queue_detach(c, &r);
	if (handed && !__builtin_add_overflow(at, length, &end) && reaches(job->file_fd, end)) {
		job->has_file = false;
		e = make_entry(job->file_fd, end);
	}
	if (!e) {
		free(handed);
		logbook_say(&f->log, f->wall_ns, "%s [%s]: the app's file is not there any more",
			    c->line, c->id);
		c->answer = (struct answer){0};
		error_answer_after(c, 500, 0, known ? known : &r);
		return;
	}
	handed->record = r;
	static_handed_know(handed, known);
	(void)snprintf(handed->shown, sizeof(handed->shown), "of the app");
	plan = (struct static_plan){.status = c->answer.status,
				    .form = &e->found.forms[HTTP_CODING_IDENTITY],
				    .ranges = {.n = 1, .v = {{.first = at, .n = length}}},
				    .length = length,
				    .type = SPAN(""),
				    .boundary = SPAN("")};
	c->answer.begun = true;
	static_send(c, n, &plan, e, handed);
}
