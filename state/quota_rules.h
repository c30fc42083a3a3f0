/* quota_rules.h -- how much of what is allowed: the rules of the server, and those of one tenant.
 *
 * The server's are the setting quota.services, "tiingo=500/month,finnhub=60/minute@0.002": service,
 * limit, period and, if one wants to know what a day costs, the price of one unit.  A tenant's are
 * the same words in the object "quota" of its file: {"services": ["tiingo=50/day"], "warn": 50,
 * "critical": 80}.
 *
 * Rules are immutable and counted; any thread. */
#ifndef TANDEM_QUOTA_RULES_H
#define TANDEM_QUOTA_RULES_H

#include "state/base/err.h"
#include "state/quota_period.h"

#include <jansson.h>
#include <stdatomic.h>

#define QUOTA_SERVICE_SIZE 65u           /* Bytes of a service's name, with NUL. */
#define QUOTA_RULES_MAX 64u              /* Services of one list. */
#define QUOTA_LIMIT_MAX 1000000000000ull /* Units a period. */

struct quota_rule {
    char service[QUOTA_SERVICE_SIZE];
    enum quota_period period;
    uint64_t limit;
    double price;            /* Of a unit; 0 if that is not known. */
    unsigned warn, critical; /* Percent of the limit. */
};

struct quota_rules {
    _Atomic unsigned refs;
    size_t count;
    struct quota_rule items[]; /* In the order of the list. */
};

/* The rules in 'list', a LIST as in the settings; new, one reference.  E_ARGUMENT: the text names
 * the item that is no rule, or stands there twice. */
enum err quota_rules_parse(const char *list, unsigned warn, unsigned critical,
                           struct quota_rules **rules, struct fault *f);
/* Those of a tenant's object "quota"; with 'quota' null or without services none, null.  What it
 * leaves out is as given. */
enum err quota_rules_load(const json_t *quota, unsigned warn, unsigned critical,
                          struct quota_rules **rules, struct fault *f);
struct quota_rules *quota_rules_ref(struct quota_rules *rules);
/* Null is ignored. */
void quota_rules_unref(struct quota_rules *rules);

/* The rule of 'service', borrowed from 'rules' (which may be null), or null. */
const struct quota_rule *quota_rules_find(const struct quota_rules *rules, const char *service);
/* Says that there is none, and which ones there are: E_NOT_FOUND.  Both lists may be null. */
enum err quota_rules_unknown(const struct quota_rules *own, const struct quota_rules *rules,
                             const char *service, struct fault *f);

/* How many of a rule's units may be gone before it is a warning, critical: the least number that is
 * 'percent' of the limit. */
static inline uint64_t
quota_rule_share(const struct quota_rule *rule, unsigned percent)
{
    return (rule->limit * percent + 99) / 100;
}

#endif
