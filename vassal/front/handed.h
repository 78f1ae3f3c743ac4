/*
 * handed - the two ways a front comes to its setup: what the emperor hands over, or what it opens itself, alone.
 * Both fill the setup, whose descriptors front_run() then takes over.
 */
#pragma once
#include "vassal/front/front.h"

struct config_items;
struct err;
struct vassal_config;

/* Reads HANDOFF_FD. name has room for LIMIT_NAME. Items are decoded into *items, the config built from them. */
int handed_read(struct config_items *items, struct vassal_config *config, struct front_setup *setup,
		char *name, struct err *err);
/*
 * Without an emperor: opens the listeners, a scoreboard and the log, goes to the app's directory. items and config
 * come from arguments and an ini.
 */
int alone_open(const struct config_items *items, struct vassal_config *config,
	       struct front_setup *setup, char *name, struct err *err);
/* UNIX sockets that alone_open made leave the file system. */
void alone_close(const struct vassal_config *config, const struct front_setup *setup);
