/*
 * copy - memcpy() of bodies, for whoever cannot choose where they lie.
 *
 * Debian 12's libc (2.36) copies 2 KiB and more with `rep movsb`. On AMD's Zen 3 and later that is 16 times as slow if the
 * target lies 1 to 31 bytes behind the source, whole pages not counted: 22 us for 64 KiB instead of 1.3, and it is up to
 * the addresses that a build and its allocator happen to have whether that is so for a server's whole life.
 */
#pragma once
#include "shared/base.h"

/* They do not overlap. */
void copy_bytes(void *to, const void *from, size_t n);
