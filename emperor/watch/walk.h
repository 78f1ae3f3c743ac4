/*
 * walk - opens a path step by step, to see whose links it leads through. Under tyrant mode a tenant's link must not make
 * another tenant's file its own app.
 */
#pragma once
#include "shared/base.h"

/*
 * An O_PATH descriptor of what an absolute path leads to, or -1 with errno. *ret_foreign: a link on the way belongs neither
 * to root nor to the owner of what it leads to.
 */
int walk_open(const char *path, bool *ret_foreign);
