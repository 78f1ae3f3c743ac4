/*
 * sd_notify - see sd_notify.h. The protocol is the one of sd_notify(3).
 */
#include "emperor/sd_notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "shared/base.h"

void sd_notify_init(struct sd_notify *n)
{
	const char *path = getenv("NOTIFY_SOCKET");

	*n = (struct sd_notify){0};
	if (path && (path[0] == '/' || path[0] == '@') && strlen(path) < sizeof(n->path))
		memcpy(n->path, path, strlen(path) + 1);
	(void)unsetenv("NOTIFY_SOCKET");
}

int sd_notify_send(const struct sd_notify *n, const char *fmt, ...)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t path_n = strlen(n->path);
	_cleanup_(fd_closep) int fd = -1;
	char text[512];
	va_list ap;
	int text_n;

	if (path_n == 0)
		return 0;
	va_start(ap, fmt);
	text_n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (text_n < 0)
		return -EINVAL;
	memcpy(un.sun_path, n->path, path_n);
	if (un.sun_path[0] == '@')
		un.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, text, MIN((size_t)text_n, sizeof(text) - 1), MSG_NOSIGNAL,
		   (const struct sockaddr *)&un,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_n)) < 0)
		return -errno;
	return 1;
}
