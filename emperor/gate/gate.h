/*
 * gate - the gate role: an unprivileged process that accepts on the shared ports, finds the app by Host and path, and
 * passes the connection on (pass.h). Runs until GATE_STOP; when its emperor is gone it keeps serving with what it knows.
 */
#pragma once

/* The whole role; link_fd is role.h's pair. Returns the exit code. */
int gate_run(int link_fd);
