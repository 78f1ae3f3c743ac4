/*
 * exits - see exits.h.
 */
#include "vassal/pool/exits.h"

#include <stdio.h>
#include <sys/wait.h>

void exits_add(struct exits *e, pid_t pid, int status, uint64_t now_ns)
{
	e->v[e->next].pid = pid;
	e->v[e->next].status = status;
	e->v[e->next].at_ns = now_ns;
	e->next = (e->next + 1) % EXITS_MAX;
}

bool exits_take(struct exits *e, pid_t pid, uint64_t since_ns, int *ret_status)
{
	for (unsigned i = 0; i < EXITS_MAX; i++) {
		if (e->v[i].pid != pid || e->v[i].at_ns < since_ns)
			continue;
		e->v[i].pid = 0;
		*ret_status = e->v[i].status;
		return true;
	}
	return false;
}

void exits_describe(int status, char *buf, size_t size)
{
	if (WIFSIGNALED(status)) {
		const char *text = sigdescr_np(WTERMSIG(status));

		(void)snprintf(buf, size, "killed by signal %d (%s)%s", WTERMSIG(status),
			       text ? text : "?", WCOREDUMP(status) ? ", core dumped" : "");
	} else {
		(void)snprintf(buf, size, "exited with %d", WEXITSTATUS(status));
	}
}
