/*
 * doze - a front to which nobody comes would sleep: it tells the emperor so, and when that lets it, it leaves with all of
 * its processes. The doors stay the emperor's: whoever comes from then on waits there and wakes the app.
 *
 * In nobody's face: it goes only while nothing is in hand and no connection is open but idle ones of shared ports, which
 * the gate takes back. An idle connection of an own address keeps it awake for as long as keepalive lets that stay.
 */
#pragma once

struct front;

/* It serves from now on. */
void doze_begin(struct front *f);
/* It has other limits now. */
void doze_configured(struct front *f);
/* At the end of each turn: has anything happened? */
void doze_note(struct front *f);
/* The emperor lets it sleep. */
void doze_go(struct front *f);
