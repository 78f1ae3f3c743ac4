/*
 * warmup - answers the warm-up requests before a process is frozen: what the app builds on its first request (URL
 * tables, compiled templates) is then shared by all workers, and no client waits for it.
 */
#pragma once
#include "shared/base.h"

struct engine;

/* Every warmup path through the app, answers dropped. Holds the GIL. 0, or -1 with the reason in text. */
int warmup_run(struct engine *e, char *text, size_t size);
/* The health-check page of the app in this process: 0, or -1 with the reason in text. */
int health_check(struct engine *e, char *text, size_t size);
