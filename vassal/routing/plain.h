/*
 * plain - the variables of a request as rules are to see them: the same place under one name, whatever the app gets. A rule
 * before /admin is also one before //admin, which is the same file; an app's root is "/" where a mount leaves nothing of the
 * path; a target has no host in it.
 */
#pragma once
#include "shared/vars.h"

/* Adds PATH_INFO and REQUEST_URI once more where they are not plain: the last of equal keys counts. */
void plain_vars(struct vars *vars);
/* {NULL, 0}: there is none. */
struct span plain_variable(const struct vars *vars, struct span name);
