/* libs: shared */
/*
 * Whatever decodes encodes to the same bytes: there is one way to write a configuration.
 */
#include <string.h>

#include "shared/config_items.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_items items = {0};
	char *bytes;
	size_t n;

	if (config_items_decode((const char *)data, size, &items, NULL) < 0)
		return 0;
	if (config_items_encode(&items, &bytes, &n, NULL) < 0 || n != size ||
	    memcmp(bytes, data, n) != 0)
		__builtin_trap();
	free(bytes);
	config_items_done(&items);
	return 0;
}
