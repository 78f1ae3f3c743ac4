/*
 * release - which release an app runs is settled when a generation starts: links in the paths that its code comes from are
 * resolved once. A link that leads elsewhere later concerns the next generation, never a half of this one.
 */
#pragma once
#include "shared/span.h"
#include <limits.h>

struct config_items;
struct err;

/* Rewrites chdir, pythonpath, wsgi-file and home where they lead through a link. What is not there stays as it is. */
int release_pin(struct config_items *items, struct err *err);
/*
 * Where the code of a configuration (encoded) lies, for people: its chdir, else the folder of its wsgi-file, else of the
 * first pythonpath, else home. "" if it does not say.
 */
void release_path(struct span config, char buf[PATH_MAX]);
