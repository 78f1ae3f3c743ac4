/*
 * watch - says "look again" when the vassals directories may have changed.
 *
 * Never says what changed: inotify can drop events, and a rescan is the truth anyway. A burst becomes one call,
 * WATCH_SETTLE_S after its last event and at most WATCH_BURST_S after its first. Without any event the call comes every
 * rescan_s: links that were switched outside of the directories, network disks, and lost events are found so.
 * Calls come from the loop or from inside watch_look_now(), never from inside watch_start().
 */
#pragma once
#include "shared/base.h"

struct err;
struct ev_loop;
struct watch;

#define WATCH_SETTLE_S \
	0.045 /* an editor's save and an rsync of one file are over by then; far below a human's patience */
#define WATCH_BURST_S 0.2 /* a file written to for ever does not keep the others waiting */

typedef void watch_fn(void *arg);

/* dirs: borrowed for the life of the watch. A directory that is not there yet is waited for by the rescan. */
int watch_start(struct watch **ret_watch, struct ev_loop *loop, const char *const *dirs,
		size_t dirs_n, double rescan_s, watch_fn *fn, void *arg, struct err *err);
/*
 * Somebody cannot wait: looks now and returns true. While files are being written, which one look could meet half done or
 * moved away, it is false, and the call comes when the burst has settled.
 */
bool watch_look_now(struct watch *w);
void watch_free(struct watch *w);
