/*
 * setup - what is read and opened before anything runs: options, directories, the run directory, sockets, the shared
 * ports.
 */
#pragma once

struct emperor;
struct err;

/* argv over --config over defaults, into e->options; what is odd but harmless is said in the log. */
int setup_read_options(struct emperor *e, int argc, char **argv, struct err *err);
/* Each app costs descriptors: as many as we may have, within reason. */
void setup_raise_open_files(void);
int setup_open(struct emperor *e, struct err *err);
