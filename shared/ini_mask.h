/*
 * ini_mask - the bytes of an ini as they may be shown to who has no right to its secrets. Pure.
 *
 * Masked, as "***": values of env (their names stay), of keys whose name speaks of a secret, of what is assigned or given to
 * such a name inside a value ("--password x", "?token=x", "Authorization: Basic x"), what stands behind flags that are used for passwords
 * ("-p x", "-u me:x"), and the user part of URLs. In comments too: what was switched off
 * is a secret still. Rather too much than too little: a key that is called monkey is masked.
 */
#pragma once
#include "shared/span.h"

struct buf;

#define INI_MASK "***"

/*
 * Appends to out, which has at most limit bytes then. Lines stay lines, but for blanks at their ends. What does not fit is left out from a line's end on,
 * and a comment says so. -ENOMEM.
 */
int ini_mask(struct span bytes, size_t limit, struct buf *out);
