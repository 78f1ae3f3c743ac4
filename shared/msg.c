/*
 * msg - see msg.h.
 *
 * The table says for each kind whether a descriptor must, may or must not travel beside it: a descriptor that nobody
 * expects is closed here and its message refused, so a confused peer cannot fill our table of descriptors.
 */
#include "shared/msg.h"

#include <errno.h>
#include <sys/uio.h>

#include "shared/err.h"
#include "shared/fd.h"

enum fd_rule { FD_NONE, FD_MAY, FD_MUST };

struct kind {
	const char *name;
	enum fd_rule fd;
};

/* clang-format off */
static const struct kind kinds[MSG_KIND_COUNT] = {
	[MSG_NONE]    = { "none",    FD_NONE },
	[MSG_HELLO]   = { "hello",   FD_NONE },
	[MSG_READY]   = { "ready",   FD_NONE },
	[MSG_FAILED]  = { "failed",  FD_NONE },
	[MSG_DRAINED] = { "drained", FD_NONE },
	[MSG_STATE]   = { "state",   FD_NONE },
	[MSG_IDLE]    = { "idle",    FD_NONE },
	[MSG_ASLEEP]  = { "asleep",  FD_NONE },
	[MSG_SERVE]   = { "serve",   FD_NONE },
	[MSG_RETIRE]  = { "retire",  FD_MAY  },
	[MSG_ADOPT]   = { "adopt",   FD_MUST },
	[MSG_STOP]    = { "stop",    FD_NONE },
	[MSG_REOPEN]  = { "reopen",  FD_MAY  },
	[MSG_UNFUSE]  = { "unfuse",  FD_NONE },
	[MSG_RENEW]   = { "renew",   FD_NONE },
	[MSG_SLEEP]   = { "sleep",   FD_NONE },
	[MSG_CONFIG]  = { "config",  FD_MUST },
	[MSG_SCALE]   = { "scale",   FD_NONE },
	[MSG_DONE]    = { "done",    FD_NONE },
	[MSG_WANT_RELOAD] = { "want reload", FD_NONE },
};

static const char *const phases[FAIL_PHASE_COUNT] = {
	[FAIL_NONE]    = "none",
	[FAIL_CONFIG]  = "config",
	[FAIL_SPAWN]   = "spawn",
	[FAIL_ENGINE]  = "engine",
	[FAIL_IMPORT]  = "import",
	[FAIL_WARMUP]  = "warmup",
	[FAIL_START]   = "start",
	[FAIL_RUNTIME] = "runtime",
};
/* clang-format on */

#define HEAD_SIZE offsetof(struct msg, text)

const char *msg_kind_name(enum msg_kind kind)
{
	return (unsigned)kind < MSG_KIND_COUNT ? kinds[kind].name : "?";
}

const char *msg_phase_name(enum fail_phase phase)
{
	return (unsigned)phase < FAIL_PHASE_COUNT ? phases[phase] : "?";
}

int msg_send(int link_fd, const struct msg *m, const char *text, int fd)
{
	struct msg head = *m;
	size_t text_n = text ? strnlen(text, LIMIT_MSG_TEXT - 1) : 0;
	struct iovec iov[2] = {
		{&head, HEAD_SIZE},
		{(char *)(uintptr_t)text, text_n},
	};
	ssize_t n;

	if (m->kind == MSG_NONE || m->kind >= MSG_KIND_COUNT)
		return -EINVAL;
	if ((fd >= 0 && kinds[m->kind].fd == FD_NONE) || (fd < 0 && kinds[m->kind].fd == FD_MUST))
		return -EINVAL;
	head.text_n = (uint16_t)text_n;
	n = fd_send(link_fd, iov, text_n > 0 ? 2 : 1, &fd, fd >= 0 ? 1 : 0);
	return n < 0 ? (int)n : 0;
}

static int check(const struct msg *m, size_t n, int fd, struct err *err)
{
	if (n < HEAD_SIZE)
		return err_set(err, -EBADMSG, "message of %zu bytes: too short", n);
	if (m->kind == MSG_NONE || m->kind >= MSG_KIND_COUNT)
		return err_set(err, -EBADMSG, "message of unknown kind %u", m->kind);
	if (m->text_n >= LIMIT_MSG_TEXT || n != HEAD_SIZE + m->text_n)
		return err_set(err, -EBADMSG, "message \"%s\": %zu bytes do not fit its text of %u",
			       kinds[m->kind].name, n, m->text_n);
	if (fd >= 0 && kinds[m->kind].fd == FD_NONE)
		return err_set(err, -EBADMSG, "message \"%s\" came with a descriptor",
			       kinds[m->kind].name);
	if (fd < 0 && kinds[m->kind].fd == FD_MUST)
		return err_set(err, -EBADMSG, "message \"%s\" came without its descriptor",
			       kinds[m->kind].name);
	return 0;
}

int msg_recv(int link_fd, struct msg *ret_m, int *ret_fd, struct err *err)
{
	struct msg m;
	_cleanup_(fd_closep) int fd = -1;
	int nfds = 1;
	ssize_t n = fd_recv(link_fd, &m, sizeof(m), &fd, &nfds);
	int r;

	if (n == -EMSGSIZE)
		return err_set(err, -EBADMSG, "message too long");
	/* A peer that was killed leaves ECONNRESET when it had unread messages: the same end as any other. */
	if (n == 0 || n == -ECONNRESET)
		return 0;
	if (n < 0)
		return n == -EAGAIN ? -EAGAIN
				    : err_set(err, (int)n, "message: %s", strerror((int)-n));
	r = check(&m, (size_t)n, fd, err);
	if (r < 0)
		return r;
	memcpy(ret_m, &m, (size_t)n);
	ret_m->text[m.text_n] = '\0';
	*ret_fd = TAKE_FD(fd);
	return 1;
}
