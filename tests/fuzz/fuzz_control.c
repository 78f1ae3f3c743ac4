/* libs: emperor_control */
/*
 * fuzz_control - lines of control clients: whatever they are, a command that comes out is whole and harmless.
 */
#include "emperor/control/command.h"

#include <errno.h>
#include <stdio.h>

#include "shared/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool it)
{
	if (!it)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command c, again;
	struct err err = {0};
	char line[LIMIT_NAME + 64];
	int n;

	if (command_parse(span_of((const char *)data, size), &c, &err) < 0) {
		must(err.code == -EINVAL && err.text[0] != '\0');
		return 0;
	}
	must(c.verb < COMMAND_COUNT && strnlen(c.app, LIMIT_NAME) < LIMIT_NAME);
	must(!strchr(c.app, '/') && !strchr(c.app, '\n') && !(c.all && c.app[0]));
	/* Said again in our own words, it means the same. */
	n = snprintf(line, sizeof(line), "%s%s%s%s%s", command_name(c.verb),
		     c.no_wait ? " --no-wait" : "", c.all ? " --all" : "", c.app[0] ? " " : "",
		     c.app);
	must(command_parse(span_of(line, (size_t)n), &again, NULL) == 0);
	must(memcmp(again.app, c.app, strlen(c.app) + 1) == 0 && again.verb == c.verb &&
	     again.all == c.all && again.no_wait == c.no_wait);
	return 0;
}
