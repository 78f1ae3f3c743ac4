/* libs: shared vassal_proto */
/*
 * A uwsgi packet: prefixes of a good one ask for more, no variable comes twice or may load code.
 */
#include "tests/fuzz/cgi_vars.h"
#include "vassal/proto/uwsgi.h"

#define VARS_SIZE (128 * 1024)

static const struct request_facts facts = {
	.server_name = {"here", 4},
	.server_port = {"9090", 4},
	.remote_addr = {"", 0},
	.remote_port = {"", 0},
	.script_name = {"/blog", 5},
};

static void check_prefixes(const char *p, size_t n)
{
	uint8_t room[16];

	for (size_t i = 0; i < n; i += 1 + i / 16) {
		struct request rq;
		struct vars vars;

		vars_init(&vars, room, sizeof(room));
		check(uwsgi_parse(p, i, UINT16_MAX, &facts, &rq, &vars) == PROTO_MORE);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request rq;
	struct vars vars;
	uint8_t *buf = malloc(VARS_SIZE);
	long r;

	check(buf != NULL);
	vars_init(&vars, buf, VARS_SIZE);
	r = uwsgi_parse((const char *)data, size, UINT16_MAX, &facts, &rq, &vars);
	if (r == PROTO_BAD)
		check(rq.status >= 400 && rq.reason && !rq.keep_alive);
	if (r > 0 && rq.ping) {
		check((size_t)r <= size && vars.n == 0);
	} else if (r > 0) {
		check((size_t)r <= size && rq.method.n > 0 && rq.path.n > 0 && !rq.keep_alive);
		check_vars(&vars);
		check_prefixes((const char *)data, (size_t)r);
	}
	free(buf);
	return 0;
}
