/*
 * utf8 - is it text? For whatever a peer wrote and a terminal, a log or a JSON reader is to take.
 */
#pragma once
#include "shared/base.h"

/* Length of the UTF-8 sequence at text (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF), 0 if none. NUL is none. */
size_t utf8_length(const char *text, size_t n);
/* The same, but 0 too for what commands a terminal: control characters, those of two bytes (U+0080 to U+009F) included. */
size_t utf8_plain(const char *text, size_t n);
/* Every byte of text that begins nothing plain becomes '?'; bytes in keep stay ("\n\t"). */
void utf8_clean(char *text, const char *keep);
