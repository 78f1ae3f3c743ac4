/*
 * collector - Python's garbage collector while the app is imported: an import makes much and drops little, so that what
 * the collector does meanwhile, a tenth of a start, is for nothing.
 */
#pragma once

struct collector { /* its thresholds as they were */
	int young, middle, old;
};

/* Both hold the GIL. What the app sets itself meanwhile stays. */
void collector_rest(struct collector *c);
void collector_resume(const struct collector *c);
