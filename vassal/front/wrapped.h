/*
 * wrapped - an answer whose body is a file that the app has opened (wsgi.file_wrapper). The worker hands the descriptor
 * over and is free; the front sends it as it sends its own files, by sendfile().
 */
#pragma once
#include "shared/base.h"

struct conn;
struct front;
struct job;
struct record;

/* May this request be answered so? Its client must read plain bytes, and there must be descriptors to spare. */
bool wrapped_is_welcome(const struct conn *c);
/* CREW_FILE: keeps a duplicate until the head comes. False: the request is not this worker's, or that is no file. */
bool wrapped_take(struct front *f, unsigned worker, unsigned slot, int fd, uint64_t at);
/* The head stands in front->head_scratch, n bytes of it: sends it and length bytes of the file, or 500. known: as
   static_hand_over()'s. */
void wrapped_send(struct conn *c, size_t n, uint64_t length, const struct record *known);
/* The request is over. */
void wrapped_drop(struct job *job);
