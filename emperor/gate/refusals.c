/*
 * refusals - see refusals.h.
 */
#include "emperor/gate/refusals.h"

#include <stdio.h>

#include "shared/clock.h"
#include "shared/limits.h"

#define LINE_SHOWN 120 /* bytes of a request's first line */
#define HOST_SHOWN 100

bool refusals_may_say(struct refusals *r, uint64_t now_ns, unsigned *ret_unsaid)
{
	uint64_t second = now_ns / NS_PER_S;

	if (second != r->second) {
		r->second = second;
		r->said = 0;
	}
	if (r->said >= LIMIT_GATE_LINES) {
		r->unsaid++;
		return false;
	}
	r->said++;
	*ret_unsaid = r->unsaid;
	r->unsaid = 0;
	return true;
}

static void show(char *to, size_t size, struct span s)
{
	size_t n = MIN(s.n, size - 1);

	for (size_t i = 0; i < n; i++)
		to[i] = s.p[i];
	for (size_t i = 0; i < n; i++)
		if (to[i] < ' ' || to[i] > '~' || to[i] == '"')
			to[i] = '?';
	to[n] = '\0';
}

/* Up to the end of the line; of what is no text nothing. */
static struct span first_line(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '\r' && s.p[n] != '\n')
		n++;
	return n > 0 && s.p[0] >= 'A' && s.p[0] <= 'z' ? span_of(s.p, n) : span_of("", 0);
}

void refusals_format(char buf[REFUSALS_LINE], const char *client, const struct answer *a,
		     struct span request, struct span host)
{
	char line[LINE_SHOWN + 1], name[HOST_SHOWN + 1];

	show(line, sizeof(line), first_line(request));
	show(name, sizeof(name), host);
	(void)snprintf(buf, REFUSALS_LINE, "client %s: %d: %.160s%s%s%s%s%s%s id=%.*s",
		       client[0] ? client : "-", a->status, a->why, line[0] ? " (\"" : "", line,
		       line[0] ? "\"" : "", line[0] && name[0] ? ", Host " : "",
		       line[0] ? name : "", line[0] ? ")" : "", (int)a->request_id.n,
		       a->request_id.n > 0 ? a->request_id.p : "");
}
