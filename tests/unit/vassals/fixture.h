/*
 * fixture - an ini loaded as the emperor loads it, for tests of this folder.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "emperor/vassals/load.h"
#include "shared/err.h"

/* May fail: returns load_ini's code. */
static inline int fixture_try(const char *text, struct loaded **ret, struct err *err)
{
	static char path[] = "PATH=/usr/bin:/bin";
	static char *env[] = {path, NULL};
	static const struct load_rules rules = {
		.default_uid = "nobody", .environ_now = env, .cpus = 2};
	const struct load_source source = {
		.file = "/etc/emperor/vassals/app.ini",
		.dir = "/etc/emperor/vassals",
		.bytes = text,
		.n = strlen(text),
		.roots = true,
	};

	return load_ini(&source, &rules, ret, err);
}

static inline struct loaded *fixture_load(const char *text)
{
	struct loaded *l = NULL;
	struct err err = {0};

	if (fixture_try(text, &l, &err) < 0)
		fail_msg("%s", err.text);
	return l;
}
