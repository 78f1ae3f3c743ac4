/*
 * triggers - files whose change asks for a new generation: touch-reload, fs-reload. They are looked at with the app's own
 * rights, once a second, by a disk thread; the emperor decides when the reload happens.
 *
 * Looked at and not subscribed to: inotify has 128 instances per user, and apps share users.
 */
#pragma once
struct front;
struct triggers;

/* NULL in *ret if the configuration names none. How the files look now is what later looks are compared with. */
int triggers_start(struct front *f, struct triggers **ret);
void triggers_free(struct triggers *t);
