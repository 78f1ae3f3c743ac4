/*
 * legacy - what a killed emperor's keeper gives to the next one: descriptors by name, as they were kept (role.h,
 * KEEPER_KEEP). Fetched once, before anything is opened; what nobody takes is closed at the end.
 */
#pragma once
#include "emperor/role.h"

struct err;
struct legacy;

struct stored {
	char *name; /* owned */
	int fd;     /* owned; -1: taken */
	uint64_t a, b, c, d, e;
};

/*
 * Knocks at DIR/keeper.sock. 0 and *ret NULL: nobody is there. -EPROTO: it is of a build that this emperor does not
 * understand. Waits a few seconds at most: called before there is a loop.
 */
int legacy_fetch(const char *dir, struct legacy **ret, struct err *err);
/* The link to the keeper, from now on the caller's. */
int legacy_take_link(struct legacy *s);
/* -1: there is none of this name, or it was taken. ret may be NULL. The descriptor is the caller's. */
int legacy_take(struct legacy *s, const char *name, struct stored *ret);
size_t legacy_count(const struct legacy *s);
/* Each that nobody has taken. */
void legacy_each(const struct legacy *s, void (*fn)(void *arg, const struct stored *item),
		 void *arg);
void legacy_free(struct legacy *s);

/* A number of the kernel's that no other socket or file has that is open now: for files the inode, for sockets their cookie. */
uint64_t legacy_identify(int fd);
