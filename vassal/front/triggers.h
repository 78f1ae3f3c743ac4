/*
 * triggers - files whose change asks for a new generation: touch-reload, fs-reload, and with py-autoreload those that the
 * app's modules came from. They are looked at with the app's own rights, by a disk thread, once a second (modules: as the
 * option says); the emperor decides when the reload happens.
 *
 * Looked at and not subscribed to: inotify has 128 instances per user, and apps share users.
 */
#pragma once
struct front;
struct triggers;

/* NULL in *ret if the configuration names none. How the files look now is what later looks are compared with. */
int triggers_start(struct front *f, struct triggers **ret);
/* Files that a worker's modules came from: a sealed memfd of paths, each ended by a NUL; borrowed. t may be NULL. */
void triggers_modules(struct triggers *t, int fd);
void triggers_free(struct triggers *t);
