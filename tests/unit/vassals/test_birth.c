/*
 * test_birth - what a front is given by its ini before it is one: limits, mask, place. The fork is wrapped: what would be
 * done in it is kept.
 */
#include "emperor/vassals/internal.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "emperor/vassals/spawn.h"
#include "shared/handoff.h"
#include "tests/unit/vassals/fixture.h"

static struct spawn asked;
static char chdir_to[64], home_dir[64];

int __wrap_spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_outcome_fd, struct err *err);

int __wrap_spawn_start(const struct spawn *s, pid_t *ret_pid, int *ret_outcome_fd,
		       _unused_ struct err *err)
{
	asked = *s;
	(void)snprintf(chdir_to, sizeof(chdir_to), "%s", s->chdir ? s->chdir : "");
	(void)snprintf(home_dir, sizeof(home_dir), "%s", s->home_dir);
	*ret_pid = getpid();
	*ret_outcome_fd = -1;
	return 0;
}

static void bear(const char *line)
{
	static char file[] = "/etc/emperor/vassals/app.ini";
	static char *env[] = {NULL};
	const struct load_rules rules = {.environ_now = env};
	struct vassals v = {.setup.rules = &rules};
	struct app a = {.v = &v, .name = "app", .file = file};
	struct generation g = {.app = &a, .number = 3, .link_fd = -1};
	const struct door_set doors = {0};
	struct err err = {0};
	char text[256];

	memset(&asked, 0, sizeof(asked));
	(void)snprintf(text, sizeof(text), "[vassal]\nmodule = x\n%s\n", line);
	g.loaded = fixture_load(text);
	a.board_fd = memfd_create("board", MFD_CLOEXEC);
	v.epoch_ro_fd = a.board_fd;
	doors_init(&a.doors);
	assert_int_equal(doors_open_gate(&a.doors, NULL), 0);
	if (generation_birth(&g, &doors, -1, &err) < 0)
		fail_msg("%s", err.text);
	(void)close(g.link_fd);
	(void)close(a.board_fd);
	doors_done(&a.doors);
	free(g.config);
	loaded_unref(g.loaded);
}

static void each_limit_of_the_ini_is_the_fronts_and_no_other_is(_unused_ void **state)
{
	static const struct {
		const char *line;
		int resource; /* -1: none at all */
		rlim_t value;
	} rows[] = {
		{"", -1, 0},
		{"max-fd = 4096", RLIMIT_NOFILE, 4096},
		{"limit-nproc = 200", RLIMIT_NPROC, 200},
		{"limit-as = 2G", RLIMIT_AS, (rlim_t)2 << 30},
		{"prio = -5", RLIMIT_NICE, 25},
		{"prio = 5", -1, 0}, /* its engine can be patient without being allowed to */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bear(rows[i].line);
		assert_int_equal(asked.limits_n, rows[i].resource >= 0);
		if (rows[i].resource < 0)
			continue;
		assert_int_equal(asked.limits[0].resource, rows[i].resource);
		assert_int_equal(asked.limits[0].value, rows[i].value);
	}
	bear("max-fd = 4096\nlimit-nproc = 200\nlimit-as = 2G\nprio = -5");
	assert_int_equal(asked.limits_n, SPAWN_LIMITS);
}

static void mask_place_and_rights_are_what_the_ini_says(_unused_ void **state)
{
	bear("");
	assert_int_equal(asked.umask, (mode_t)-1);
	assert_string_equal(chdir_to, "");
	assert_string_equal(home_dir, "/etc/emperor/vassals");
	assert_true(asked.no_new_privs);
	assert_int_equal(asked.group_fd, 0);
	bear("umask = 027\nchdir = /\nno-new-privs = false");
	assert_int_equal(asked.umask, 027);
	assert_string_equal(chdir_to, "/");
	assert_false(asked.no_new_privs);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_limit_of_the_ini_is_the_fronts_and_no_other_is),
		cmocka_unit_test(mask_place_and_rights_are_what_the_ini_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
