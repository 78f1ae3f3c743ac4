/*
 * doors - where connections come from: the app's own listeners, the gate's door, an older generation's pair.
 *
 * A front never closes an address: it holds duplicates that the emperor keeps open. It only stops to take from them.
 */
#pragma once
#include <stdint.h>

struct door;
struct err;
struct front;
struct front_setup;

int doors_init(struct front *f, const struct front_setup *setup, struct err *err);
/* Takes connections from now on. */
void doors_open(struct front *f);
/* Takes none any more; what comes from an older generation is still taken. */
void doors_close(struct front *f);
/* A connection has ended: if the limit had stopped us, go on. */
void doors_resume(struct front *f);
/* An older generation will send its idle connections here. Takes fd over. */
void doors_adopt(struct front *f, int fd);
void door_event(struct door *d, struct front *f, uint32_t events);
