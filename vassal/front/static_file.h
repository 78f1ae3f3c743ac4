/*
 * static_file - files of static-map, sent by the front without any worker. GET and HEAD; what is not a file there
 * falls through to the app. A file is opened below its map's directory and nowhere else (openat2, RESOLVE_BENEATH).
 *
 * Nothing here waits for a disk: names are first looked up in the kernel's cache alone (RESOLVE_CACHED), pages are
 * asked for first (RWF_NOWAIT); what is cold goes to a disk thread.
 */
#pragma once
#include "shared/base.h"

struct conn;
struct front;
struct http_head;
struct request;
struct static_file;

int static_roots_open(struct front *f);
/*
 * True: the request is being answered from a file, or it is not yet known whether there is one (CONN_FILE; the head
 * must be kept, for the app may get it after all). False: not ours.
 */
bool static_begin(struct conn *c, const struct http_head *head, const struct request *rq);
/* There is room in the socket again, or another turn. */
void static_continue(struct conn *c);
void static_file_free(struct static_file *sf);
/* Is it our disk that is waited for? */
bool static_waits(const struct conn *c);
