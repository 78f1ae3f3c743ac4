/*
 * settings - what the configuration means to policy, at the start of a generation and while it runs.
 *
 * Only counts and limits change in a running generation. Room for workers was made when the exchange was: what needs more
 * is refused, and then nothing has changed.
 */
#include "vassal/pool/inner.h"

#include <errno.h>
#include <limits.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "shared/err.h"
#include "shared/scoreboard.h"

static uint64_t seconds(unsigned s)
{
	return s * NS_PER_S;
}

static uint32_t random_seed(void)
{
	uint32_t seed = 0;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed) || seed == 0)
		seed = (uint32_t)clock_now_ns() | 1;
	return seed;
}

/* What the configuration of now means; at the limits of the scoreboard one process gives its place to
 * replacements: recycling must not cost any. */
static struct policy_config policy_config_of(const struct vassal_config *c, unsigned capacity)
{
	unsigned processes = MIN(c->processes, policy_most(capacity));
	unsigned least = c->cheaper ? MIN(c->cheaper, processes) : processes;
	unsigned initial = MIN(MAX(c->cheaper_initial, least), processes);

	/* an app that only workers import has to prove itself in one, and workers answer its health-check */
	if (c->cheap)
		initial = c->lazy_apps || c->health_check ? 1 : 0;
	return (struct policy_config){
		.processes = processes,
		.least = least,
		.initial = initial,
		.step = MAX(1U, c->cheaper_step),
		.idle_ns = seconds(c->idle_s),
		.numbers = MIN(policy_numbers(processes, c->threads), capacity),
		.capacity = capacity,
		.max_requests = c->max_requests,
		.max_requests_delta = c->max_requests_delta,
		.max_lifetime_ns = seconds(c->max_lifetime_s),
		.max_lifetime_delta_ns = c->max_lifetime_delta_s == UINT_MAX
						 ? UINT64_MAX
						 : seconds(c->max_lifetime_delta_s),
		.min_lifetime_ns = seconds(c->min_lifetime_s),
		.memory_limit = {[MEMORY_RSS] = c->reload_on_rss_bytes,
				 [MEMORY_PSS] = c->reload_on_pss_bytes,
				 [MEMORY_USS] = c->reload_on_uss_bytes,
				 [MEMORY_AS] = c->reload_on_as_bytes,
				 [MEMORY_EVIL_RSS] = c->evil_reload_on_rss_bytes,
				 [MEMORY_EVIL_AS] = c->evil_reload_on_as_bytes},
		.startup_ns = seconds(c->startup_timeout_s),
		.mercy_ns = seconds(c->worker_mercy_s),
		.seed = random_seed(),
	};
}

/* What may change in a running generation; the rest of pool->config stays as it was started. */
static void take_limits(struct vassal_config *to, const struct vassal_config *from)
{
	to->processes = from->processes;
	to->max_requests = from->max_requests;
	to->max_requests_delta = from->max_requests_delta;
	to->max_lifetime_s = from->max_lifetime_s;
	to->max_lifetime_delta_s = from->max_lifetime_delta_s;
	to->min_lifetime_s = from->min_lifetime_s;
	to->reload_on_rss_bytes = from->reload_on_rss_bytes;
	to->reload_on_pss_bytes = from->reload_on_pss_bytes;
	to->reload_on_uss_bytes = from->reload_on_uss_bytes;
	to->reload_on_as_bytes = from->reload_on_as_bytes;
	to->evil_reload_on_rss_bytes = from->evil_reload_on_rss_bytes;
	to->evil_reload_on_as_bytes = from->evil_reload_on_as_bytes;
	to->cheaper = from->cheaper;
	to->cheaper_step = from->cheaper_step;
	to->idle_s = from->idle_s;
	to->startup_timeout_s = from->startup_timeout_s;
	to->worker_mercy_s = from->worker_mercy_s;
}

void settings_init(struct pool *pool)
{
	struct policy_config c =
		policy_config_of(&pool->config, pool_worker_numbers(&pool->config));

	policy_init(&pool->policy, &c, clock_now_ns());
	atomic_store(&pool->setup.bank->room, pool_processes_most(pool));
}

unsigned pool_worker_numbers(const struct vassal_config *config)
{
	return policy_capacity(config->processes, config->threads);
}

unsigned pool_processes(const struct pool *pool)
{
	return pool->policy.config.processes;
}

unsigned pool_processes_most(const struct pool *pool)
{
	return policy_most(pool->policy.config.capacity);
}

int pool_configure(struct pool *pool, const struct vassal_config *config, struct err *err)
{
	unsigned most = pool_processes_most(pool);
	unsigned before = pool->policy.config.processes;
	struct policy_config c;

	if (config->processes < 1 || config->processes > most)
		return err_set(err, -ERANGE,
			       "%u processes: this generation has room for 1 to %u; more need a "
			       "new one (change processes in the ini)",
			       config->processes, most);
	take_limits(&pool->config, config);
	c = policy_config_of(&pool->config, pool->policy.config.capacity);
	policy_configure(&pool->policy, &c);
	atomic_store(&pool->setup.bank->workers, c.processes);
	if (pool->served && c.processes != before)
		pool_event(pool, EVENT_NOTE, 0, "processes: %u instead of %u from now on",
			   c.processes, before);
	pool_kick(pool);
	return 0;
}

int pool_scale(struct pool *pool, unsigned processes, struct err *err)
{
	struct vassal_config config = pool->config;

	config.processes = processes;
	return pool_configure(pool, &config, err);
}
