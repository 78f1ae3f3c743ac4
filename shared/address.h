/*
 * address - the notations of a socket address: "host:port", ":port" (all IPv4 and IPv6 where the machine has it),
 * "*:port", "[::1]:port", "port" alone, "/path" or "./path" (UNIX), "@name" (abstract UNIX). No DNS: a host is a
 * literal address, "localhost" or empty. Pure.
 */
#pragma once
#include "shared/span.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct err;

#define ADDRESS_TEXT 128

struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		struct sockaddr_storage storage;
	};
	socklen_t len; /* 0 = none */
	bool any;      /* ":port": listen on IPv6 with V6ONLY off if possible, else on 0.0.0.0 */
};

int address_parse(const char *text, struct address *ret, struct err *err);
/* "127.0.0.1:8000", "[::1]:8000", "/run/x.sock", "@name", ":8000". Always terminated. */
void address_format(const struct address *a, char buf[ADDRESS_TEXT]);
bool address_equal(const struct address *a, const struct address *b);
/* Can only one of the two be listened on? ":80" and "127.0.0.1:80" are not equal, and are in each other's way. */
bool address_overlaps(const struct address *a, const struct address *b);
/* Can only this machine connect to it: UNIX, 127.0.0.0/8 or ::1? */
bool address_is_local(const struct address *a);
/* Of a connected or listening socket; host and port apart, "" and "" for UNIX. 0 or -errno. */
int address_of_peer(int fd, char host[INET6_ADDRSTRLEN], char port[8]);
int address_of_self(int fd, char host[INET6_ADDRSTRLEN], char port[8]);
