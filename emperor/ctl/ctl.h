/*
 * ctl - what the commands of emperorctl share: what was asked for, and where to say it.
 */
#pragma once
#include "emperor/ctl/remote.h"
#include <jansson.h>
#include <stdio.h>

struct err;

enum ctl_exit { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

struct ctl {
	struct remote remote;
	const char *run_dir; /* --run-dir; NULL: not given */
	const char *config;  /* --config: emperor.ini; NULL: not given */
	const char *engines; /* where check looks for them; NULL: beside emperorctl */
	const char *app;     /* "" = none named */
	char *const *args;   /* all that stands behind the command */
	size_t args_n;
	const char *number; /* "" = none given */
	const char *command;
	bool json, follow, no_wait, all, history, full;
	bool no_lines;       /* -n 0 */
	uint64_t generation; /* 0 = not given */
	unsigned lines;      /* -n; 0 = not given, or no_lines */
	FILE *out;
	size_t width; /* of the terminal; 0 = no terminal */
	uint64_t wall_ns;
};

/* show.c: answers as tables, or as they came with --json. */
void show_status(const struct ctl *c, const json_t *answer);
void show_stats(const struct ctl *c, const json_t *answer);
void show_blame(const struct ctl *c, const json_t *answer);
void show_events(const struct ctl *c, const json_t *answer);
void show_inis(const struct ctl *c, const json_t *answer);

/* human.c: numbers and times for people. Each into its own buffer, returned. */
#define HUMAN_MAX 32
const char *human_bytes(char buf[HUMAN_MAX], uint64_t n);
const char *human_count(char buf[HUMAN_MAX], uint64_t n);
const char *human_age(char buf[HUMAN_MAX], uint64_t seconds);
const char *human_us(char buf[HUMAN_MAX], uint64_t us);
const char *human_time(char buf[HUMAN_MAX], uint64_t wall_s);

/* logs.c, check_all.c, plan.c, upgrade.c */
int ctl_logs(const struct ctl *c);
int ctl_check(const struct ctl *c);
int ctl_plan(const struct ctl *c);
int ctl_upgrade(const struct ctl *c);
