/*
 * takeover - from one emperor to the next: what the one before left is fetched from its keeper, and its roles go on. A
 * crash, an upgrade and a restart are the same to the one who comes.
 */
#pragma once
struct emperor;
struct err;

/* Before any socket is opened. 0: also if there was no emperor before. */
int takeover_fetch(struct emperor *e, struct err *err);
/* Where the emperor after us will knock, once the keeper has it. A failure is said: then there will be no keeping. */
void takeover_listen(struct emperor *e);
/* The socket that was kept by this name, or -1; of a listener of ours. */
int takeover_socket(struct emperor *e, const char *what, const char *name);
/* Roles and apps. Before the first look at the directories; what is left of the legacy is let go. */
void takeover_adopt(struct emperor *e);
/* The end of this emperor: nobody is to knock any more. What was fetched and not taken stays with the keeper. */
void takeover_close(struct emperor *e);
/* Keeps the arguments for later, before anyone takes them apart. */
int takeover_note_args(struct emperor *e, char **argv);
/*
 * control_facts.upgrade: becomes the program at that path a moment from now, with the arguments that we were started with;
 * NULL: our own path, where a package manager has put a newer one. Our own process and its children stay what they are.
 */
int takeover_upgrade(void *arg, const char *path, struct err *err);
