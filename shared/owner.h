/*
 * owner - whose word a file is. What others than root may write is not root's word, and a directory that others may write
 * lets them put any file in the place of root's.
 */
#pragma once
#include "shared/base.h"

struct stat;

/* Is it root's, and nobody else's to write? */
bool owner_is_root_alone(const struct stat *st);
/* Is the directory in which path stands? "" and what cannot be looked at: no. */
bool owner_of_dir_is_root_alone(const char *path);
