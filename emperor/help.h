/*
 * help - what the emperor says of itself: --help, and the option table in the forms that manuals and fuzzers are made of.
 * Both go to stdout; the result is the exit code.
 */
#pragma once

#define EXIT_USAGE 2 /* as other programs have it */

int help_print(void);
/* help, mdoc, ini, dict. */
int help_dump(const char *format_name);
