/*
 * body - fetches the file that holds a large request body from the front.
 */
#pragma once
#include <pthread.h>
#include <stdint.h>

/* A worker's pair to the front. One question and its answer at a time. */
struct crew_link {
	int fd;
	unsigned worker;
	pthread_mutex_t lock;
	uint64_t asked; /* questions for bodies so far */
};

/* An input_open_fn; arg is the lane. Holds the GIL, lets it go while it waits. */
int body_open(void *arg, int *ret_fd);
