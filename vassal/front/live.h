/*
 * live - what may change while the app runs: limits, timeouts and the number of processes, by the emperor's word.
 */
#pragma once
struct err;
struct front;

/* fd: a sealed memfd of configuration items (config_items.h), all of them. Only live options are taken from it. */
int live_configure(struct front *f, int fd, struct err *err);
/* What was taken from the configuration when this front started, or has just changed, takes effect. */
void live_apply(struct front *f);
