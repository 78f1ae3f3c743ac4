/* A far disk that gives no answer, or slowly: whoever asks for its files waits, and nobody else does. */
#include "rig.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "shared/clock.h"
#include "vassal/front/static_file.h"

#define CLIENTS  4
#define LARGE    (2 << 20) /* eight pieces */
#define PATIENCE (10 * NS_PER_S)

static pthread_t loop_thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool hangs;
static unsigned hung_n; /* threads that wait for it */

bool __wrap_fd_is_far(int fd);

bool __wrap_fd_is_far(int fd)
{
	if (pthread_equal(pthread_self(), loop_thread))
		return true;
	(void)pthread_mutex_lock(&lock);
	hung_n++;
	while (hangs)
		(void)pthread_cond_wait(&changed, &lock);
	hung_n--;
	(void)pthread_mutex_unlock(&lock);
	return fd >= 0;
}

static unsigned count_hung(void)
{
	unsigned n;

	(void)pthread_mutex_lock(&lock);
	n = hung_n;
	(void)pthread_mutex_unlock(&lock);
	return n;
}

static void hang(bool on)
{
	(void)pthread_mutex_lock(&lock);
	hangs = on;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

static void turn(struct front *f)
{
	(void)ev_run(f->loop, EVRUN_NOWAIT);
	(void)poll(NULL, 0, 1);
}

struct near {
	struct diskjob disk;
	bool done;
};

static void work_nothing(struct diskjob *disk)
{
	(void)disk;
}

static void on_near(struct diskjob *disk)
{
	container_of(disk, struct near, disk)->done = true;
}

static void nobody_else_waits_for_a_disk_that_gives_no_answer(void **state)
{
	static char mount[] = "/s";
	char top[] = "/tmp/test_static_hung.XXXXXX", file[64], answer[CLIENTS][4096];
	struct static_map_config map = {.mount = mount, .target = top};
	struct near near = {.disk = {.work = work_nothing, .done = on_near}};
	uint64_t until = clock_now_ns() + PATIENCE;
	struct conn *c[CLIENTS];
	int client[CLIENTS];
	struct front *f;
	bool closed;
	int fd;

	(void)state;
	loop_thread = pthread_self();
	assert_non_null(mkdtemp(top));
	(void)snprintf(file, sizeof(file), "%s/small", top);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0 && write(fd, "far", 3) == 3);
	(void)close(fd);
	f = rig_make(CLIENTS, CLIENTS);
	the_rig->config.static_maps = &map;
	the_rig->config.static_maps_n = 1;
	assert_int_equal(statics_open(f, &f->statics, NULL), 0);
	hang(true);
	for (unsigned i = 0; i < CLIENTS; i++) {
		c[i] = rig_ask(f, "GET /s/small HTTP/1.1\r\nHost: a\r\n\r\n", &client[i]);
		assert_true(static_waits(c[i]));
	}
	/* nor do those wait for each other */
	while (count_hung() < CLIENTS && clock_now_ns() < until)
		turn(f);
	assert_int_equal(count_hung(), CLIENTS);
	assert_true(diskpool_submit(&f->disk, &near.disk));
	while (!near.done && clock_now_ns() < until)
		turn(f);
	assert_true(near.done);
	hang(false);
	for (unsigned i = 0; i < CLIENTS; i++) {
		while (c[i]->state != CONN_HEAD && clock_now_ns() < until)
			turn(f);
		assert_true(rig_read(client[i], answer[i], sizeof(answer[i]), &closed) > 0);
		assert_non_null(strstr(answer[i], "\r\n\r\nfar"));
		close(client[i]);
	}
	rig_free(f);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(top), 0);
}

/* Whoever reads slowly from now on is judged by what it was given. */
static void what_a_client_is_given_of_a_far_file_is_counted(void **state)
{
	static char mount[] = "/s", buf[LARGE];
	char top[] = "/tmp/test_static_hung.XXXXXX", file[64];
	struct static_map_config map = {.mount = mount, .target = top};
	uint64_t until = clock_now_ns() + PATIENCE, most = 0;
	const int size = 2 * LARGE;
	struct front *f;
	struct conn *c;
	size_t n = 0;
	bool closed;
	int client, fd;

	(void)state;
	loop_thread = pthread_self();
	assert_non_null(mkdtemp(top));
	(void)snprintf(file, sizeof(file), "%s/large", top);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0 && ftruncate(fd, LARGE) == 0);
	(void)close(fd);
	f = rig_make(CLIENTS, CLIENTS);
	the_rig->config.static_maps = &map;
	the_rig->config.static_maps_n = 1;
	assert_int_equal(statics_open(f, &f->statics, NULL), 0);
	c = rig_ask(f, "GET /s/large HTTP/1.1\r\nHost: a\r\n\r\n", &client);
	/* all of it fits: whatever it reads, nothing is stored here */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	while (c->state == CONN_FILE && clock_now_ns() < until) {
		turn(f);
		if (!spool_empty(&c->out))
			conn_flush(c);
		if (c->state == CONN_FILE)
			most = MAX(most, c->given);
		n += rig_read(client, buf, sizeof(buf), &closed);
	}
	assert_int_equal(c->state, CONN_HEAD);
	assert_true(n + rig_read(client, buf, sizeof(buf), &closed) > LARGE);
	/* what the kernel held when the watch began counts as the kernel reckons it */
	assert_in_range(most, LARGE / 2, LARGE + LARGE / 4);
	close(client);
	rig_free(f);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(top), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_else_waits_for_a_disk_that_gives_no_answer),
		cmocka_unit_test(what_a_client_is_given_of_a_far_file_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
