/* pidfile: the pid of the front that serves, whole at every moment. */
#include "vassal/front/pidfile.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "shared/fd.h"

static char path[64], between[64];

int __real_ftruncate(int fd, off_t n);
int __wrap_ftruncate(int fd, off_t n);

/* "": it is not there. */
static void held(char ret[64])
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret, 63);

	ret[MAX(n, 0)] = '\0';
}

int __wrap_ftruncate(int fd, off_t n)
{
	held(between);
	return __real_ftruncate(fd, n);
}

static void whoever_reads_it_meanwhile_finds_one_pid(void **state)
{
	char own[64], text[64];
	int fd;

	(void)state;
	(void)strcpy(path, "/tmp/emperor-pidfile-XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	assert_int_equal(fd_write_all(fd, "12345678901\n", 12), 0);
	(void)close(fd);
	assert_int_equal(pidfile_write(path, NULL), 0);
	(void)snprintf(own, sizeof(own), "%d\n", (int)getpid());
	held(text);
	assert_string_equal(text, own);
	assert_memory_equal(between, own, strlen(own));
	assert_int_equal(strspn(between + strlen(own), "\n"), strlen(between) - strlen(own));
	pidfile_remove(path);
	held(text);
	assert_string_equal(text, "");
}

static void that_of_another_stays(void **state)
{
	char text[64];
	int fd;

	(void)state;
	(void)strcpy(path, "/tmp/emperor-pidfile-XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	assert_int_equal(fd_write_all(fd, "1\n", 2), 0);
	(void)close(fd);
	pidfile_remove(path);
	held(text);
	assert_string_equal(text, "1\n");
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_reads_it_meanwhile_finds_one_pid),
		cmocka_unit_test(that_of_another_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
