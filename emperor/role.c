/*
 * role - see role.h. Both ends check what they receive: the emperor because a role is unprivileged and talks to the
 * world, a role because a message that does not fit means that it was built from other sources than its emperor.
 */
#include "emperor/role.h"

#include <errno.h>

#include "shared/err.h"
#include "shared/fd.h"
#include "shared/log.h"

#define FDS_ROOM \
	3 /* one more than any kind has: fd_recv refuses a message that brings more than there is room for */

/* How many descriptors travel with a kind. Never fewer, never more. */
static const int fds_of[ROLE_KIND_COUNT] = {
	[GATE_PORT] = 1,      [GATE_APP] = 2,  [GATE_ROUTES] = 1, [GATE_LISTENER] = 1,
	[STATS_LISTENER] = 1, [STATS_APP] = 1, [KEEPER_KEEP] = 1, [KEEPER_LISTENER] = 1,
	[KEEPER_ITEM] = 1,    [STATS_INI] = 1,
};

int role_send(int fd, const struct role_msg *m, const char *text, const int *fds, int nfds)
{
	struct role_msg head = *m;
	size_t text_n = text ? strnlen(text, ROLE_TEXT - 1) : 0;
	struct iovec iov[2];
	ssize_t n;

	if (m->kind == ROLE_NONE || m->kind >= ROLE_KIND_COUNT || nfds != fds_of[m->kind])
		return -EINVAL;
	head.text_n = (uint16_t)text_n;
	iov[0] = (struct iovec){&head, offsetof(struct role_msg, text)};
	iov[1] = (struct iovec){(char *)(uintptr_t)text, text_n};
	n = fd_send(fd, iov, text_n > 0 ? 2 : 1, fds, nfds);
	return n < 0 ? (int)n : 0;
}

/* What is wrong with a message of n bytes and nfds descriptors; NULL if nothing. */
static const char *complaint(const struct role_msg *m, size_t n, int nfds)
{
	size_t head_n = offsetof(struct role_msg, text);

	if (n < head_n)
		return "shorter than its head";
	if (m->kind == ROLE_NONE || m->kind >= ROLE_KIND_COUNT)
		return "of an unknown kind";
	if (m->text_n >= ROLE_TEXT || n != head_n + m->text_n)
		return "whose text has another length than it says";
	if (nfds != fds_of[m->kind])
		return "with the wrong number of descriptors";
	return NULL;
}

int role_recv(int fd, struct role_msg *ret_m, int fds[2], int *ret_nfds, struct err *err)
{
	struct role_msg m;
	int got_fds[FDS_ROOM];
	int nfds = FDS_ROOM;
	const char *wrong;
	ssize_t n = fd_recv(fd, &m, sizeof(m), got_fds, &nfds);

	if (n == -EMSGSIZE && nfds < 0)
		return -EMFILE;
	if (n == -EMSGSIZE)
		return err_set(err, -EBADMSG, "role link: a message that is too large");
	if (n < 0)
		return (int)n;
	wrong = n == 0 ? NULL : complaint(&m, (size_t)n, nfds);
	if (n == 0 || wrong) {
		for (int i = 0; i < nfds; i++)
			(void)close(got_fds[i]);
		return n == 0 ? 0 : err_set(err, -EBADMSG, "role link: a message %s", wrong);
	}
	m.text[m.text_n] = '\0';
	*ret_m = m;
	memcpy(fds, got_fds, (size_t)nfds * sizeof(int));
	*ret_nfds = nfds;
	return 1;
}

void role_lose(int fd, bool *lost)
{
	const struct role_msg m = {.kind = ROLE_AGAIN};

	if (!*lost)
		log_warning("no descriptor is free: something that the emperor said is lost, it is "
			    "asked to say all of it again");
	*lost = true;
	(void)role_send(fd, &m, NULL, NULL, 0);
}

bool role_counts(bool *lost, const struct role_msg *m)
{
	*lost &= m->kind != ROLE_BEGIN;
	return !*lost || m->kind != ROLE_END;
}
