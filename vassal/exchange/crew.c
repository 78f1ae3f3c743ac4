/*
 * crew - see crew.h. One packet per message, cut after its text; whether a descriptor belongs to a kind stands in
 * one table, and a packet that disagrees with it is refused: a descriptor too many would leak, one too few would be
 * used as number -1 somewhere far away.
 */
#include "vassal/exchange/crew.h"

#include <errno.h>
#include <stddef.h>

#include "shared/base.h"
#include "shared/err.h"
#include "shared/fd.h"

#define CREW_HEAD offsetof(struct crew_msg, text)

struct crew_kind_row {
	const char *name;
	bool with_fd;
};

/* clang-format off */
static const struct crew_kind_row rows[CREW_KIND_COUNT] = {
	[CREW_FORK]	     = { "fork",	  true },
	[CREW_QUIT]	     = { "quit",	  false },
	[CREW_MOLD_READY]    = { "mold ready",	  false },
	[CREW_MOLD_FAILED]   = { "mold failed",	  false },
	[CREW_FORKED]	     = { "forked",	  false },
	[CREW_FORK_FAILED]   = { "fork failed",	  false },
	[CREW_WORKER_READY]  = { "worker ready",  false },
	[CREW_WORKER_FAILED] = { "worker failed", false },
	[CREW_WANT_BODY]     = { "want body",	  false },
	[CREW_WORKER_LEAVES] = { "worker leaves", false },
	[CREW_FILE]	     = { "file",	  true },
	[CREW_MODULES]	     = { "modules",	  true },
	[CREW_BODY]	     = { "body",	  true },
	[CREW_WANT_MOLD]     = { "want mold",	  false },
	[CREW_REFORKED]	     = { "reforked",	  false },
	[CREW_REFORK_FAILED] = { "refork failed", false },
	[CREW_MOLD]	     = { "mold",	  true },
};
/* clang-format on */

const char *crew_kind_name(unsigned kind)
{
	return kind < CREW_KIND_COUNT && rows[kind].name ? rows[kind].name : "unknown";
}

static bool kind_known(unsigned kind)
{
	return kind < CREW_KIND_COUNT && rows[kind].name;
}

int crew_send(int sock, const struct crew_msg *m, const char *text, int fd)
{
	struct crew_msg head = *m;
	size_t text_n = text ? strnlen(text, CREW_TEXT_MAX - 1) : 0;
	struct iovec iov[2] = {{&head, CREW_HEAD}, {(char *)(uintptr_t)text, text_n}};
	ssize_t n;

	if (!kind_known(m->kind) || rows[m->kind].with_fd != (fd >= 0))
		return -EINVAL;
	head.text_n = (uint16_t)text_n;
	n = fd_send(sock, iov, text_n > 0 ? 2 : 1, &fd, fd >= 0 ? 1 : 0);
	return n < 0 ? (int)n : 0;
}

static const char *find_fault(const struct crew_msg *m, size_t n, int nfds)
{
	if (n < CREW_HEAD)
		return "too short";
	if (!kind_known(m->kind))
		return "unknown kind";
	if (m->text_n >= CREW_TEXT_MAX || n != CREW_HEAD + m->text_n)
		return "length and text disagree";
	if (nfds != (rows[m->kind].with_fd ? 1 : 0))
		return nfds ? "a descriptor that does not belong to it"
			    : "its descriptor is missing";
	return NULL;
}

int crew_recv(int sock, struct crew_msg *ret_m, int *ret_fd, struct err *err)
{
	/* Room for two: one that should not be there must be seen, not dropped on the way. */
	int fds[2] = {-1, -1};
	int nfds = 2;
	struct crew_msg m = {0};
	const char *fault;
	ssize_t n = fd_recv(sock, &m, sizeof(m), fds, &nfds);

	if (n == -EMSGSIZE)
		return err_set(err, -EBADMSG, "crew message: too large");
	if (n <= 0)
		return (int)n;
	fault = find_fault(&m, (size_t)n, nfds);
	if (fault) {
		fd_closep(&fds[0]);
		fd_closep(&fds[1]);
		return err_set(err, -EBADMSG, "crew message %u of %zd bytes: %s", m.kind, n, fault);
	}
	m.text[m.text_n] = '\0';
	*ret_m = m;
	*ret_fd = fds[0];
	return 1;
}
