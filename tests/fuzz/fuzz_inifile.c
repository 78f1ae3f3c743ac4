/* libs: shared */
/*
 * Any bytes as an ini: a configuration within its bounds, or a reason that names the file. What parses survives the way
 * through the memfd and gives the same verdict there. Files are never read: a tenant's ini may not.
 */
#include <string.h>

#include "shared/err.h"
#include "shared/vassal_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int build(const struct config_items *items, struct inifile_notes *notes)
{
	struct vassal_config c = {0};
	struct err err = {0};
	int r = vassal_config_build(items, &c, notes, &err);

	if (r < 0 && err.text[0] == '\0')
		__builtin_trap();
	vassal_config_done(&c);
	return r;
}

static void check(const struct config_items *items, struct inifile_notes *notes)
{
	struct config_items copy = {0};
	char *bytes = NULL;
	size_t n = 0;

	if (items->n > LIMIT_INI_ITEMS || notes->n > LIMIT_INI_ITEMS)
		__builtin_trap();
	for (size_t i = 0; i < items->n; i++)
		if (strlen(items->v[i].value) > LIMIT_INI_LINE || items->v[i].line == 0)
			__builtin_trap();
	if (config_items_encode(items, &bytes, &n, NULL) == 0) {
		if (config_items_decode(bytes, n, &copy, NULL) < 0 ||
		    build(items, notes) != build(&copy, NULL))
			__builtin_trap();
	}
	config_items_done(&copy);
	free(bytes);
}

/* Who collects errors reads on after them, and finds some exactly where there are some. */
static void read_all(const uint8_t *data, size_t size, struct inifile_facts facts, bool good)
{
	struct config_items items = {0};
	struct inifile_notes notes = {0}, errors = {0};

	facts.errors = &errors;
	if (inifile_parse((const char *)data, size, &facts, &items, &notes, NULL) == 0) {
		if (good != (errors.n == 0))
			__builtin_trap();
		check(&items, &notes);
	} else if (good || items.n != 0) {
		__builtin_trap();
	}
	config_items_done(&items);
	inifile_notes_done(&notes);
	inifile_notes_done(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char home[] = "HOME=/root", empty[] = "EMPTY=", port[] = "PORT=8000";
	static char *const environ_now[] = {home, empty, port, NULL};
	const struct inifile_facts facts = {
		.path = "/nowhere/blog.ini",
		.vassals_dir = "/nowhere",
		.environ = environ_now,
		.cpus = 4,
	};
	struct config_items items = {0};
	struct inifile_notes notes = {0};
	struct err err = {0};
	int r = inifile_parse((const char *)data, size, &facts, &items, &notes, &err);

	read_all(data, size, facts, r == 0);
	if (r == 0)
		check(&items, &notes);
	else if (strncmp(err.text, "blog.ini", 8) != 0 || items.n != 0)
		__builtin_trap();
	config_items_done(&items);
	inifile_notes_done(&notes);
	return 0;
}
