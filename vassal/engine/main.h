/*
 * main - what else of main.c is needed: starting this very program again.
 */
#pragma once

struct engine;

/* Execs this engine again, as a mold that does no warm-up and says why. Returns only on failure (errno). */
void main_relaunch(struct engine *e, const char *note);
