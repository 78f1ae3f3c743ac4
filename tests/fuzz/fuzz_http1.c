/* libs: shared vassal_proto */
/*
 * A whole HTTP request head down to its environment: what must never reach an app does not, whatever the bytes.
 */
#include "tests/fuzz/cgi_vars.h"
#include "vassal/proto/http1.h"

#define VARS_SIZE 16384

static void check_key(struct span key)
{
	check(!span_eq(key, SPAN("HTTP_CONTENT_LENGTH")));
	check(!span_eq(key, SPAN("HTTP_CONTENT_TYPE")) &&
	      !span_eq(key, SPAN("HTTP_TRANSFER_ENCODING")));
	for (size_t i = 0; i < key.n; i++)
		check(!(key.p[i] >= 'a' && key.p[i] <= 'z') && key.p[i] != '-');
}

static void check_all(const struct vars *v, const struct request *rq)
{
	struct span key, value;
	size_t at = 0;

	check_vars(v);
	while (vars_next(v->p, v->n, &at, &key, &value)) {
		check_key(key);
		if (span_eq(key, SPAN("CONTENT_LENGTH")))
			check(rq->body == BODY_LENGTH);
	}
}

/*
 * As a front sees a slow client: the head in pieces, each call told what the one before has seen. It ends with the very
 * byte that ends the whole one, not before, and means the same.
 */
static void check_pieces(const char *p, size_t n, size_t piece, const struct request_facts *facts,
			 const struct vars *want, int status)
{
	struct http_head h;
	struct request rq;
	struct vars vars;
	size_t scanned = 0;
	uint8_t *buf;

	for (size_t i = MIN(piece, n - 1); i < n; i = i < n - 1 ? MIN(i + piece, n - 1) : n) {
		check(http_head_parse(p, i, (size_t)LIMIT_HEAD_BYTES, scanned, &h) == HTTP_MORE);
		scanned = i;
	}
	check(http_head_parse(p, n, (size_t)LIMIT_HEAD_BYTES, scanned, &h) == (long)n);
	if (status > 0) {
		check(http1_request(&h, &rq) == PROTO_BAD && rq.status == status);
		return;
	}
	check(http1_request(&h, &rq) == 0);
	buf = malloc(VARS_SIZE);
	check(buf != NULL);
	vars_init(&vars, buf, VARS_SIZE);
	http1_vars(&h, &rq, facts, &vars);
	check(want->overflow || vars.overflow ||
	      (vars.n == want->n && memcmp(vars.p, want->p, vars.n) == 0));
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct request_facts facts = {
		.server_name = {"here", 4},
		.server_port = {"8000", 4},
		.remote_addr = {"127.0.0.1", 9},
		.remote_port = {"4711", 4},
		.script_name = {"/blog", 5},
	};
	struct http_head h;
	struct request rq;
	struct vars vars;
	uint8_t *buf;
	/* A leading empty line chooses little room for the environment: that must be said, not overrun. */
	size_t room = size > 0 && data[0] == '\r' ? size : VARS_SIZE;

	long n = http_head_parse((const char *)data, size, (size_t)LIMIT_HEAD_BYTES, 0, &h);

	if (n <= 0)
		return 0;
	if (http1_request(&h, &rq) < 0) {
		check(rq.status >= 400 && rq.reason && !rq.keep_alive);
		check_pieces((const char *)data, (size_t)n, 1 + size / 16, &facts, NULL, rq.status);
		return 0;
	}
	check(rq.minor > 0 || rq.body != BODY_CHUNKED);
	check(rq.minor == 0 || rq.host.n > 0);
	buf = malloc(room);
	check(buf != NULL);
	vars_init(&vars, buf, room);
	http1_vars(&h, &rq, &facts, &vars);
	check_all(&vars, &rq);
	for (size_t pieces = 2; pieces <= 64; pieces *= 4)
		check_pieces((const char *)data, (size_t)n, 1 + size / pieces, &facts, &vars, 0);
	free(buf);
	return 0;
}
