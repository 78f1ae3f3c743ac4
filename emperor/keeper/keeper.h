/*
 * keeper - the role that makes the emperor replaceable: holds a duplicate of every descriptor that must not end with it
 * (doors, shared ports, scoreboards, the emperor's ends of all links), and gives them to the next emperor that knocks.
 *
 * Reads nothing but what its emperor says, so it stays the emperor's own user: what it gives back is as good as what it
 * was given. Since it holds the emperor's ends of the links, no front, gate or stats notices that the emperor is gone.
 */
#pragma once

#define KEEPER_SOCKET "keeper.sock" /* in the run directory: SEQPACKET */
/* Names of descriptors: "APP TAG NUMBER", and the emperor's own, which no app's name can equal: those have a slash. */
#define KEEPER_NAMES ((size_t)1024 * 64)

/* The whole role; link_fd is role.h's pair. Returns the exit code. */
int keeper_run(int link_fd);
