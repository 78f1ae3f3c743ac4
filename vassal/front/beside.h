/*
 * beside - the front's side of the programs beside the app (vassal/tasks): their words go where the app's go.
 */
#pragma once

struct err;
struct front;
struct front_setup;

int beside_init(struct front *f, const struct front_setup *setup, struct err *err);
