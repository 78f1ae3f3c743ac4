/*
 * briefing - what the roles must know of the emperor's own, and of all apps: told to each process that is new, and to one
 * that an earlier emperor left.
 */
#pragma once
#include "emperor/vassals/roles.h"

struct emperor;

/* roles_fresh_fn and roles_setup.link; arg is the emperor. */
void briefing_tell(void *arg, enum role_id id);
void briefing_link(void *arg, enum role_id id, int fd);
/* Notes down its pid in the run directory; 0: it is gone. */
/*
 * The emperor's own life, for the history: how it came (told when there is a stats role), and that it goes. running: apps
 * that it has taken over.
 */
void briefing_birth(struct emperor *e, bool takes_over, unsigned running);
void briefing_end(struct emperor *e, const char *why);
void briefing_note_pid(const struct emperor *e, enum role_id id, pid_t pid);
const char *briefing_role_name(enum role_id id);

/* The program that we and the roles we start run, as it cannot be told later of processes that nobody may look into. */
int briefing_program(uint64_t *ret_device, uint64_t *ret_inode);

/* Names of what the keeper has of the emperor itself: see keeper.h. */
#define KEPT_ROLE \
	"/role/" /* + name: our end of its link; a = pid, b = start, c and d = its program: device and inode */
#define KEPT_PORT     "/port/"  /* + address */
#define KEPT_STATS    "/stats/" /* + address: a stats socket of the emperor's own */
#define KEPT_KNOCK    "/knock"  /* where the next emperor knocks */
#define KEPT_NAME_MAX 256
