/*
 * budget - what the machine's limits ask for: how many workers an app that starts is given, and who gives memory back
 * when all together hold too much. Pure: values in, one action out, time is an argument.
 *
 * Over the budget, apps that may sleep go first, the one idle for longest; then the fattest idle worker is replaced by a
 * fresh one. One step at a time: each must show in the figures before the next. Once over, it goes on until a tenth of the
 * budget is free again.
 */
#pragma once
#include "shared/base.h"

#define BUDGET_IDLE_S 10 /* nobody sleeps who was asked something this lately */
#define BUDGET_STEP_S 5  /* between two actions: fronts measure memory every few seconds */
#define BUDGET_WORKER_S \
	60 /* between two replacements of workers of one app: a fresh one must show what it saves */
#define BUDGET_ASK_S \
	60 /* one that was let sleep and did not is let alone: somebody keeps a connection */
#define BUDGET_STALL_S 4 /* a word of the kernel's about stalls counts for so long */

struct budget_app {
	uint64_t memory;   /* bytes of all of its processes: fronts, molds, workers */
	uint64_t idle_ns;  /* without a request */
	bool may_sleep;    /* its ini says so, and it serves */
	uint64_t asked_ns; /* when it was let sleep; 0: never */
	uint64_t fat;      /* bytes of its fattest idle worker; 0: none is idle */
	unsigned fat_worker;
	uint64_t renewed_ns; /* when one of its workers was replaced for this; 0: never */
};

struct budget { /* zeroed before use */
	bool over;
	uint64_t acted_ns;   /* 0: never */
	uint64_t stalled_ns; /* when the kernel has told of stalls last; 0: never */
};

enum budget_kind {
	BUDGET_REST,     /* nothing is to be done, or must be seen first */
	BUDGET_SLEEP,    /* app may sleep now */
	BUDGET_RENEW,    /* worker of app is to be replaced */
	BUDGET_HELPLESS, /* over, and nobody can give anything; told once each time it begins */
};

struct budget_action {
	enum budget_kind kind;
	size_t app;
	unsigned worker;
	uint64_t total; /* bytes */
};

/* limit: bytes, 0 = only stalls count. */
struct budget_action budget_decide(struct budget *b, const struct budget_app *apps, size_t n,
				   uint64_t limit, uint64_t now_ns);
/* The kernel says that processes wait for memory. */
void budget_stalled(struct budget *b, uint64_t now_ns);
/* Of wanted workers, how many an app gets where others have used of at most most (0: no limit). Never none. */
unsigned budget_grant(unsigned most, unsigned used, unsigned wanted);
