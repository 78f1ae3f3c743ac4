/*
 * mount - which of several apps a path is for. Pure.
 */
#pragma once
#include "shared/span.h"

struct mount_config;

/*
 * Its index, or -1: none of them. *ret_move = bytes of path that go from there to the end of script.
 *
 * A mount is a prefix on a segment boundary, and the longest wins: first of the whole path, script and path together, so
 * that it is the same whoever has cut script off (the gate by a domain's path, a proxy); then of path alone.
 */
int mount_choose(const struct mount_config *mounts, size_t n, struct span script, struct span path,
		 size_t *ret_move);
