/*
 * pidfile - the file that holds the pid of the front that serves, for scripts that send it signals. Written and removed
 * with the app's own rights; where only root's do, a root emperor does it (emperor/vassals/rootpid.h). Both take NULL for none.
 */
#pragma once
struct err;

int pidfile_write(const char *path, struct err *err);
/* Unless it names another process by now: a newer generation. */
void pidfile_remove(const char *path);
