/*
 * plain - an app's bytes on their way to people: whatever could command a terminal is shown as what it is, "\x1b".
 */
#pragma once
#include "shared/base.h"
#include <stdio.h>

/* n bytes: UTF-8 and tabs as they are; control characters, C1 among them, and what is no UTF-8 as "\xNN". */
void plain_put(FILE *out, const char *p, size_t n);
