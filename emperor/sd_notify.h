/*
 * sd_notify - tells systemd how we are, by its socket protocol and without its library: one datagram of
 * "KEY=value" lines to the address in NOTIFY_SOCKET. Without that variable nothing happens.
 */
#pragma once

struct sd_notify {      /* zeroed = nobody listens */
	char path[108]; /* sun_path; '@' first = abstract */
};

/* Reads NOTIFY_SOCKET and takes it out of the environment: no child may speak for us. */
void sd_notify_init(struct sd_notify *n);
/* Never blocks; a full or absent listener loses the message, as systemd expects. 1 sent, 0 nobody, -errno. */
int sd_notify_send(const struct sd_notify *n, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
