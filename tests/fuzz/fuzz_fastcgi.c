/* libs: shared vassal_proto */
/*
 * FastCGI records: in one piece and in pieces, whose sizes the input's first byte says, the same is heard; and what was
 * collected as parameters is read without a variable that may load code.
 */
#include "shared/limits.h"
#include "tests/fuzz/cgi_vars.h"
#include "vassal/proto/fastcgi.h"

#define VARS_SIZE (256UL * 1024)

static const struct request_facts facts = {
	.server_name = {"here", 4},
	.server_port = {"9090", 4},
	.remote_addr = {"", 0},
	.remote_port = {"", 0},
	.script_name = {"", 0},
};

struct heard {
	uint64_t events; /* a digest of what came, in its order */
	size_t params_n, data_n, answered;
	char *params; /* room for all of the input */
	const char *reason;
};

static void mix(struct heard *h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h->events = (h->events ^ b[i]) * 0x100000001b3;
}

/* Payload by its bytes alone: in how many pieces it came is no news. */
static void note(struct heard *h, enum fastcgi_event event, struct span payload)
{
	uint8_t kind = (uint8_t)event;

	for (size_t i = 0; i < payload.n; i++) {
		mix(h, &kind, 1);
		mix(h, payload.p + i, 1);
	}
	if (event == FASTCGI_PARAMS) {
		memcpy(h->params + h->params_n, payload.p, payload.n);
		h->params_n += payload.n;
	} else if (event == FASTCGI_DATA) {
		h->data_n += payload.n;
	} else if (event != FASTCGI_MORE) {
		mix(h, &kind, 1);
	}
}

static void check_request(const struct heard *h)
{
	uint8_t *room = malloc(VARS_SIZE);
	struct request rq;
	struct vars vars;

	check(room != NULL);
	vars_init(&vars, room, VARS_SIZE);
	if (fastcgi_request(h->params, h->params_n, &facts, &rq, &vars) < 0)
		check(rq.status >= 400 && rq.reason);
	else
		check_vars(&vars);
	free(room);
}

static void hear(struct fastcgi *s, const char *p, size_t n, struct heard *h)
{
	enum fastcgi_event event = FASTCGI_MORE;
	size_t at = 0;

	do {
		struct span payload;

		at += fastcgi_feed(s, p + at, n - at, 7, &event, &payload);
		check(at <= n && payload.p >= p && payload.p + payload.n <= p + n);
		check((payload.n > 0) == (event == FASTCGI_PARAMS || event == FASTCGI_DATA));
		note(h, event, payload);
		if (event == FASTCGI_ANSWER) {
			check(s->reply_n <= sizeof(s->reply) && h->answered++ < 1024);
			mix(h, s->reply, s->reply_n);
		} else if (event == FASTCGI_READY) {
			check_request(h);
			h->params_n = 0;
		} else if (event == FASTCGI_DONE) {
			check(fastcgi_is_complete(s) && s->id > 0);
			fastcgi_finish(s);
		}
	} while (event != FASTCGI_MORE && event != FASTCGI_BAD);
	check(event == FASTCGI_BAD || at == n);
	h->reason = s->reason;
}

static void hear_in_pieces(const char *p, size_t n, size_t piece, struct heard *h)
{
	struct fastcgi s = {0};

	for (size_t at = 0; at < n && !s.reason; at += piece)
		hear(&s, p + at, MIN(piece, n - at), h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard whole = {0};
	struct heard pieces = {0};

	if (size == 0)
		return 0;
	whole.params = malloc(size);
	pieces.params = malloc(size);
	check(whole.params && pieces.params);
	hear_in_pieces((const char *)data + 1, size - 1, size, &whole);
	hear_in_pieces((const char *)data + 1, size - 1, 1U + data[0] % 16, &pieces);
	check(whole.events == pieces.events && whole.data_n == pieces.data_n);
	check(whole.reason == pieces.reason);
	free(whole.params);
	free(pieces.params);
	return 0;
}
