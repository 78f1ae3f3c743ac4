/*
 * environment - what a child of the emperor finds in its environment: the emperor's own, less what is meant for the
 * emperor alone (systemd's sockets), with HOME, USER and LOGNAME of the user it becomes.
 */
#pragma once
#include <sys/types.h>

/*
 * extra: "NAME=value"s, NULL at the end; or NULL. uid -1: the user stays. One block, free() frees all; NULL when memory
 * has run out.
 */
char **environment_make(char *const *environ_now, uid_t uid, const char *const *extra);
