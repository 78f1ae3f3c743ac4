/*
 * errors - see errors.h.
 */
#include "vassal/front/errors.h"

#include <stdio.h>
#include <sys/uio.h>

#include "shared/request_id.h"
#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/error_pages.h"
#include "vassal/front/record.h"
#include "vassal/front/records.h"
#include "vassal/front/routed.h"
#include "vassal/front/state.h"

/* The page that says so: the operator's, or a line of ours, in buf. */
static struct span page_of(const struct front *f, const struct conn *c, unsigned status, char *buf,
			   size_t size, struct span *ret_type)
{
	const struct error_page *page = error_pages_find(f->pages, status);
	const char *end;
	ssize_t n;

	if (page) {
		*ret_type = page->type;
		return span_of(page->text, page->n);
	}
	*ret_type = SPAN("text/plain; charset=utf-8");
	n = framing_error(buf, size, status, 0, false, false, span_of("", 0), span_str(c->id));
	end = n > 0 ? memmem(buf, (size_t)n, "\r\n\r\n", 4) : NULL;
	return end ? span_of(end + 4, (size_t)(buf + n - end - 4)) : span_of("", 0);
}

static void answer(struct conn *c, unsigned status, unsigned retry_after_s, struct span more,
		   const struct record *base)
{
	struct front *f = c->front;
	struct record r = *base;
	char text[1024], fields[512];
	struct span type;
	struct span body = page_of(f, c, status, text, sizeof(text), &type);
	struct framing_facts facts = {.status = status,
				      .more = more,
				      .added = f->added,
				      .routed = routed_fields(c),
				      .length = (int64_t)body.n,
				      .minor = c->minor11,
				      .is_head = c->is_head,
				      .keep_alive = conn_may_keep(c),
				      .date = span_str(f->date),
				      .server = SPAN("emperor"),
				      .request_id = span_str(c->id)};
	struct iovec iov[2];
	ssize_t n;
	int k;

	k = snprintf(fields, sizeof(fields), "Content-Type: %.*s\r\n", (int)type.n, type.p);
	if (retry_after_s > 0)
		k += snprintf(fields + k, sizeof(fields) - (size_t)k, "Retry-After: %u\r\n",
			      retry_after_s);
	facts.fields = span_of(fields, (size_t)k);
	records_facts(c, &facts);
	c->answer = (struct answer){.status = status, .begun = true};
	n = framing_head(f->head_scratch, sizeof(f->head_scratch), &facts, &c->answer.body,
			 &c->answer.keep_alive);
	r.status = n > 0 ? status : 0;
	if (n > 0 && c->answer.body == FRAMING_LENGTH)
		r.body_bytes = body.n;
	record_request(c, &r);
	if (n < 0) {
		conn_kill(c, true);
		return;
	}
	iov[0] = (struct iovec){f->head_scratch, (size_t)n};
	iov[1] = (struct iovec){(char *)(uintptr_t)body.p, (size_t)r.body_bytes};
	if (records_write(c, iov, r.body_bytes > 0 ? 2 : 1, true) < 0)
		conn_lost(c);
	else
		conn_answered(c);
}

void error_answer_after(struct conn *c, unsigned status, unsigned retry_after_s,
			const struct record *base)
{
	if (c->id[0] == '\0')
		request_id_make(&c->front->ids, c->id);
	answer(c, status, retry_after_s, span_of("", 0), base);
}

void error_answer_fields(struct conn *c, unsigned status, struct span fields,
			 const struct record *base)
{
	answer(c, status, 0, fields, base);
}

void error_answer(struct conn *c, unsigned status, unsigned retry_after_s)
{
	error_answer_after(c, status, retry_after_s, &(struct record){0});
}

void error_refuse(struct conn *c, unsigned status, const char *reason)
{
	struct front *f = c->front;

	c->close_after = true;
	if (c->id[0] == '\0')
		request_id_make(&f->ids, c->id);
	if (status < 500)
		board_add(&f->count->bad_requests, 1);
	if (reason && !f->config->disable_logging)
		logbook_say(&f->log, f->wall_ns, "client %s: %u: %s id=%s", conn_client(c), status,
			    reason, c->id);
	error_answer(c, status, 0);
}

void error_cut(struct conn *c)
{
	/*
	 * A chunked body without its last chunk says enough by itself, and so does a short Content-Length; then what
	 * was written still arrives. Only where the end of the connection is the end of the body must it be a reset.
	 */
	c->answer.keep_alive = false;
	c->close_after = true;
	if (c->answer.body == FRAMING_CLOSE) {
		conn_kill(c, true);
		return;
	}
	conn_answered(c);
}

void error_end(struct conn *c, unsigned status, unsigned retry_after_s, const struct record *base)
{
	struct record r = *base;

	c->slot = -1;
	if (!c->answer.begun) {
		error_answer_after(c, status, retry_after_s, base);
		return;
	}
	r.status = c->answer.status;
	r.body_bytes = c->answer.sent;
	record_request(c, &r);
	error_cut(c);
}
