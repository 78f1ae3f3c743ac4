/* libs: shared */
/*
 * pyvenv.cfg of a virtualenv: a version that is found is one of the words of the file and fits an engine's name; the
 * value of a refusal lies inside the file, for it is printed.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/engines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct engine_version v = {77777, 77777};
	struct span value = {0};
	int r = engine_parse_pyvenv(text, &v, &value);

	if (r == -ENOENT) {
		assert(value.p == NULL);
		return 0;
	}
	assert(value.p >= text.p && value.p + value.n <= text.p + text.n);
	assert(memchr(value.p, '\n', value.n) == NULL);
	if (r < 0) {
		assert(r == -EINVAL && v.major == 77777);
		return 0;
	}
	assert(v.major <= 9999 && v.minor <= 9999);
	assert(value.n >= 3);
	return 0;
}
