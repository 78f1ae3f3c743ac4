/*
 * link - the front's end of the link to the emperor (shared/msg.h). A front without one runs alone; one that loses it
 * keeps serving.
 */
#pragma once
#include "shared/msg.h"

struct front;

void link_init(struct front *f, int fd);
/* Does nothing when there is no link. */
void link_say(struct front *f, enum msg_kind kind, uint64_t a, uint64_t b, const char *text);
