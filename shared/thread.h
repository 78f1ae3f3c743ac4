/*
 * thread - a helper thread beside a loop: with a small stack, and deaf to signals, which belong to the threads that were
 * there before.
 */
#pragma once
#include "shared/base.h"
#include <pthread.h>

/* ret NULL: detached, else to be joined. stack_bytes: at least what the system needs is given. 0 or -errno. */
int thread_start(pthread_t *ret, size_t stack_bytes, void *(*fn)(void *arg), void *arg);
