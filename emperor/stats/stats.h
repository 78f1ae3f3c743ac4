/*
 * stats - the stats role: an unprivileged process that keeps history in sqlite and answers on the stats sockets. Reads
 * scoreboards; asks no app anything. A slow or full disk slows only itself.
 */
#pragma once

/* The whole role; link_fd is role.h's pair. Returns the exit code. */
int stats_run(int link_fd);
