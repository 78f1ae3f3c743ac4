/* libs: shared vassal_proto */
/*
 * An SCGI request: no prefix is decided otherwise, no variable comes twice or may load code.
 */
#include "shared/limits.h"
#include "tests/fuzz/cgi_vars.h"
#include "vassal/proto/scgi.h"

#define VARS_SIZE (256UL * 1024)

static const struct request_facts facts = {
	.server_name = {"here", 4},
	.server_port = {"9090", 4},
	.remote_addr = {"", 0},
	.remote_port = {"", 0},
	.script_name = {"/blog", 5},
};

/* A verdict that comes early is the verdict. */
static void check_prefixes(const char *p, size_t n, uint8_t *room, long verdict)
{
	for (size_t i = 0; i <= n; i += 1 + i / 16) {
		struct request rq;
		struct vars vars;
		long r;

		vars_init(&vars, room, VARS_SIZE);
		r = scgi_parse(p, i, LIMIT_HEAD_BYTES, &facts, &rq, &vars);
		check(r == PROTO_MORE || r == verdict);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request rq;
	struct vars vars;
	uint8_t *room = malloc(VARS_SIZE);
	long r;

	check(room != NULL);
	vars_init(&vars, room, VARS_SIZE);
	r = scgi_parse((const char *)data, size, LIMIT_HEAD_BYTES, &facts, &rq, &vars);
	if (r == PROTO_BAD)
		check(rq.status >= 400 && rq.reason && !rq.keep_alive);
	if (r > 0) {
		check((size_t)r <= size && rq.method.n > 0 && rq.path.n > 0 && !rq.keep_alive);
		check(rq.body == BODY_LENGTH);
		check_vars(&vars);
	}
	check_prefixes((const char *)data, size, room, r);
	free(room);
	return 0;
}
