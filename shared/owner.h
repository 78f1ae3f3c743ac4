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
/*
 * Where root may make a file for somebody who may not do it there himself: a descriptor (O_PATH) of the directory of path,
 * which is absolute. -ELOOP: a link leads there, and whoever could plant one would choose the directory; -EACCES: others
 * may write in it.
 */
int owner_open_dir_of_root(const char *path);
