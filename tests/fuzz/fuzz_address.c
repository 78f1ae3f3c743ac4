/* libs: shared */
/*
 * Whatever parses as an address formats to text that parses to the same address.
 */
#include <string.h>

#include "shared/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	char formatted[ADDRESS_TEXT];
	struct address a, b;

	if (text && address_parse(text, &a, NULL) == 0) {
		address_format(&a, formatted);
		if (address_parse(formatted, &b, NULL) != 0 || !address_equal(&a, &b))
			__builtin_trap();
	}
	free(text);
	return 0;
}
