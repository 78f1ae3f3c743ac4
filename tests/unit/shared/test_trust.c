/*
 * test_trust - whom the list of trusted networks holds.
 */
#include "shared/trust.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/un.h>

#include <cmocka.h>

#include "shared/err.h"

static bool holds_sockaddr(const struct trust *t, const char *peer)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, peer, &in.sin_addr) == 1)
		return trust_holds(t, (const struct sockaddr *)&in);
	assert_int_equal(inet_pton(AF_INET6, peer, &in6.sin6_addr), 1);
	return trust_holds(t, (const struct sockaddr *)&in6);
}

static bool holds(const char *list, const char *peer)
{
	struct trust t = {0};
	struct err err = {0};

	if (trust_add(&t, list, &err) < 0)
		fail_msg("%s", err.text);
	if (trust_holds_text(&t, peer) != holds_sockaddr(&t, peer))
		fail_msg("\"%s\" and %s: text and address differ", list, peer);
	return trust_holds_text(&t, peer);
}

static void networks_hold_their_own_and_nobody_else(void **state)
{
	static const struct {
		const char *list, *peer;
		bool held;
	} cases[] = {
		{"", "127.0.0.1", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"127.0.0.1", "::ffff:127.0.0.1", true}, /* as a socket on [::] shows it */
		{"10.0.0.0/8", "10.255.1.2", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"10.0.0.0/9", "10.127.0.1", true},
		{"10.0.0.0/9", "10.128.0.1", false},
		{"10.1.2.3/31", "10.1.2.2", true},
		{"10.1.2.3/31", "10.1.2.4", false},
		{"0.0.0.0/0", "8.8.8.8", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "8.8.8.8", true},
		{"::1", "::1", true},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{" 192.0.2.1,\t::1 ,10.0.0.0/8", "::1", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (holds(cases[i].list, cases[i].peer) != cases[i].held)
			fail_msg("\"%s\" and %s", cases[i].list, cases[i].peer);
}

static void bad_lists_are_refused_and_leave_the_old_one(void **state)
{
	static const char *const cases[] = {
		"localhost",
		"10.0.0.0/33",
		"::/129",
		"10.0.0.0/",
		"10.0.0.0/-1",
		"10.0.0.0/ 8",
		"1.2.3",
		"10.0.0.0/8/8",
		"::1 x",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee",
	};
	struct trust t = {.n = 1, .networks = {{.bits = 7}}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = {0};

		if (trust_add(&t, cases[i], &err) != -EINVAL || err.text[0] == '\0')
			fail_msg("\"%s\" was let in", cases[i]);
		assert_int_equal(t.n, 1);
		assert_int_equal(t.networks[0].bits, 7);
	}
}

static void lists_add_up_within_a_bound(void **state)
{
	struct trust t = {0};

	(void)state;
	for (int i = 0; i < TRUST_NETWORKS; i += 2)
		assert_int_equal(trust_add(&t, "1.2.3.4 10.0.0.0/8", NULL), 0);
	assert_true(trust_holds_text(&t, "10.0.0.1"));
	assert_int_equal(trust_add(&t, "::1", NULL), -E2BIG);
	assert_false(trust_holds_text(&t, "::1"));
	assert_false(trust_holds_text(&t, "no address"));
}

static void a_unix_peer_is_in_no_network(void **state)
{
	const struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct trust t = {0};

	(void)state;
	assert_int_equal(trust_add(&t, "::/0", NULL), 0);
	assert_false(trust_holds(&t, (const struct sockaddr *)&un));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks_hold_their_own_and_nobody_else),
		cmocka_unit_test(bad_lists_are_refused_and_leave_the_old_one),
		cmocka_unit_test(lists_add_up_within_a_bound),
		cmocka_unit_test(a_unix_peer_is_in_no_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
