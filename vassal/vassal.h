/*
 * vassal - the program: one app's front, started by the emperor (shared/handoff.h) or alone. Everything that it does
 * stands in vassal/front/; main.c chooses how it begins.
 */
#pragma once
#include "shared/config_items.h"
#include "shared/vassal_config.h"
#include "vassal/front/front.h"

struct err;

/* What one run needs, made by either way of starting. Lives as long as the process. */
struct vassal {
	struct config_items items;
	struct vassal_config config;
	struct inifile_notes notes;
	struct front_setup setup;
	char name[LIMIT_NAME];
	char engine_dir[4096];
};
