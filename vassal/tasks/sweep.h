/*
 * sweep - ends what a minder that was itself killed can end no more. Its program has died with it, but what that has put
 * into sessions of its own is found by a mark in the environment alone.
 */
#pragma once

#define SWEEP_MARK "EMPEROR_TASK"

/* Kills every process of ours whose environment was given SWEEP_MARK=mark. Returns how many. */
unsigned sweep_kill(const char *mark);
