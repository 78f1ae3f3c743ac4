/*
 * errors - see errors.h.
 */
#include "vassal/front/errors.h"

#include <sys/uio.h>

#include "shared/vassal_config.h"
#include "vassal/front/conn.h"
#include "vassal/front/record.h"
#include "vassal/front/request_id.h"
#include "vassal/front/state.h"

/* Of an answer of ours; a HEAD's has none. */
static uint64_t body_bytes(const char *answer, size_t n)
{
	const char *end = memmem(answer, n, "\r\n\r\n", 4);

	return end ? n - (size_t)(end + 4 - answer) : 0;
}

void error_answer_after(struct conn *c, unsigned status, unsigned retry_after_s,
			const struct record *base)
{
	struct front *f = c->front;
	struct record r = *base;
	char buf[1024];
	struct iovec iov = {.iov_base = buf};
	ssize_t n;

	if (c->id[0] == '\0')
		request_id_make(&f->ids, c->id);
	c->answer =
		(struct answer){.status = status, .begun = true, .keep_alive = conn_may_keep(c)};
	n = framing_error(buf, sizeof(buf), status, retry_after_s, c->is_head, c->answer.keep_alive,
			  span_str(f->date), span_str(c->id));
	r.status = n > 0 ? status : 0;
	r.body_bytes = n > 0 ? body_bytes(buf, (size_t)n) : 0;
	record_request(c, &r);
	if (n < 0) {
		conn_kill(c, true);
		return;
	}
	iov.iov_len = (size_t)n;
	if (conn_write(c, &iov, 1) < 0)
		conn_lost(c);
	else
		conn_answered(c);
}

void error_answer(struct conn *c, unsigned status, unsigned retry_after_s)
{
	error_answer_after(c, status, retry_after_s, &(struct record){0});
}

void error_refuse(struct conn *c, unsigned status, const char *reason)
{
	struct front *f = c->front;

	c->close_after = true;
	if (status < 500)
		board_add(&f->count->bad_requests, 1);
	if (reason && !f->config->disable_logging)
		logbook_say(&f->log, f->wall_ns, "client %s: %u: %s", c->addr[0] ? c->addr : "-",
			    status, reason);
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
