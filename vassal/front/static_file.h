/*
 * static_file - files that the front sends without any worker: those of static-map, static-map2 and check-static, and
 * those that the app hands over (static_handover). GET and HEAD; what is no file there falls through to the app. A file
 * is opened below its map's directory and nowhere else (static_open).
 *
 * Nothing here waits for a disk: names are first looked up in the kernel's cache alone (RESOLVE_CACHED), pages are
 * asked for first (RWF_NOWAIT); what is cold goes to a disk thread. Of a file system behind a network or a program
 * (fd_is_far) nothing is believed to be in memory, and nothing kept: threads open, read and close its files.
 */
#pragma once
#include "shared/base.h"

struct conn;
struct err;
struct front;
struct parsed_head;
struct static_file;
struct statics;

/*
 * NULL with 0: the app has no files. Reads lists of types from disk. What it makes lives as long as the process: a disk
 * thread may be looking into it.
 */
int statics_open(struct front *f, struct statics **ret, struct err *err);
/* Files that may be kept open, each with four forms: at most an eighth of all descriptors. */
unsigned statics_keep(const struct front *f);
/* Are files kept open for the next who asks? */
bool statics_hold(const struct front *f);
/* Closes those that nobody asks for any more. */
void statics_tend(struct front *f);
/*
 * True: the request is being answered from a file, or it is not yet known whether there is one (CONN_FILE; the head
 * must be kept, for the app may get it after all). False: not ours.
 */
bool static_begin(struct conn *c, const struct parsed_head *in);
/*
 * The same for a file that a rule of the ini names, by its number, below that rule's folder. If a disk thread does not find
 * it, the head is parsed again (intake_again), and this is false then.
 */
bool static_begin_named(struct conn *c, const struct parsed_head *in, size_t rule,
			const char *path);
/* There is room in the socket again, or another turn. */
void static_continue(struct conn *c);
void static_file_free(struct static_file *sf);
/* Is it our disk that is waited for? */
bool static_waits(const struct conn *c);
/* Its client has gone: the record. */
void static_lost(const struct conn *c);
