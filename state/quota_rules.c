/* quota_rules.c -- reads "service=limit/period@price". */
#include "state/quota_rules.h"

#include "state/base/nearest.h"
#include "state/settings.h"

#include <assert.h>
#include <ctype.h>

#define LIST_SIZE 8192u /* Bytes of a list. */

/* A name that can be part of a file's record, a metric's label and a path. */
static bool
is_service(struct slice name)
{
    if (name.len == 0 || name.len >= QUOTA_SERVICE_SIZE) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (!islower(c) && !isdigit(c) && (i == 0 || !strchr("_.-", c))) {
            return false;
        }
    }
    return true;
}

/* A plain decimal number, "0.0025". */
static bool
read_price(struct slice text, double *price)
{
    char number[32], *end;

    if (text.len == 0 || text.len >= sizeof number) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.data[i]) && text.data[i] != '.') {
            return false;
        }
    }
    memcpy(number, text.data, text.len);
    number[text.len] = '\0';
    *price = strtod(number, &end);
    return *end == '\0' && *price <= 1e9;
}

/* Takes what stands before 'mark' off the front of '*text'; false if there is no mark. */
static bool
split(struct slice *text, char mark, struct slice *front)
{
    const char *at = text->len ? memchr(text->data, mark, text->len) : NULL;

    if (!at) {
        return false;
    }
    *front = (struct slice){text->data, (size_t)(at - text->data)};
    *text = (struct slice){at + 1, text->len - front->len - 1};
    return true;
}

static bool
read_rule(struct slice item, struct quota_rule *rule)
{
    struct slice name, limit, period;

    if (!split(&item, '=', &name) || !is_service(name) || !split(&item, '/', &limit) ||
        !slice_number(limit, &rule->limit) || rule->limit > QUOTA_LIMIT_MAX) {
        return false;
    }
    if (!split(&item, '@', &period)) {
        period = item;
        item = SLICE("0");
    }
    memcpy(rule->service, name.data, name.len);
    return quota_period_parse(period, &rule->period) && read_price(item, &rule->price);
}

enum err
quota_rules_parse(const char *list, unsigned warn, unsigned critical, struct quota_rules **rules,
                  struct fault *f)
{
    struct quota_rules *r =
        xcalloc(1, sizeof *r + QUOTA_RULES_MAX * sizeof(struct quota_rule)); /* Cut below. */
    struct slice item;
    enum err err = E_OK;

    *rules = NULL;
    atomic_init(&r->refs, 1);
    while (!err && settings_next_item(&list, &item)) {
        struct quota_rule rule = {.warn = warn, .critical = critical};

        if (r->count == QUOTA_RULES_MAX) {
            err = fault_set(f, E_ARGUMENT, "more than %u services", QUOTA_RULES_MAX);
        } else if (!read_rule(item, &rule)) {
            err = fault_set(f, E_ARGUMENT, "\"%.*s\" is no quota",
                            (int)(item.len < 100 ? item.len : 100), item.data);
            fault_remedy(f, "write SERVICE=LIMIT/PERIOD, as tiingo=500/month or "
                            "finnhub=60/minute@0.002: a name in lower case, a number, minute, "
                            "hour, day or month, and if you like the price of one unit");
        } else if (quota_rules_find(r, rule.service)) {
            err = fault_set(f, E_ARGUMENT, "'%s' stands there twice", rule.service);
        } else {
            r->items[r->count++] = rule;
        }
    }
    if (err) {
        free(r);
        return err;
    }
    *rules = xrealloc(r, sizeof *r + r->count * sizeof r->items[0]);
    return E_OK;
}

/* A percentage in 'quota', or what is said by default. */
static enum err
load_percent(const json_t *quota, const char *key, unsigned *percent, struct fault *f)
{
    const json_t *value = json_object_get(quota, key);

    if (value) {
        json_int_t n = json_integer_value(value);
        if (!json_is_integer(value) || n < 1 || n > 100) {
            return fault_set(f, E_ARGUMENT, "quota.%s is no whole number from 1 to 100", key);
        }
        *percent = (unsigned)n;
    }
    return E_OK;
}

/* The list in 'services', a string or an array of strings, as one text. */
static bool
join(const json_t *services, struct buf *list)
{
    const json_t *item;
    size_t i;

    list->limit = LIST_SIZE;
    if (json_is_string(services)) {
        buf_adds(list, json_string_value(services));
    } else if (json_is_array(services)) {
        json_array_foreach(services, i, item) {
            if (!json_is_string(item)) {
                return false;
            }
            buf_adds(list, i ? "," : "");
            buf_adds(list, json_string_value(item));
        }
    } else {
        return false;
    }
    return !list->failed;
}

enum err
quota_rules_load(const json_t *quota, unsigned warn, unsigned critical, struct quota_rules **rules,
                 struct fault *f)
{
    const json_t *services = json_object_get(quota, "services");
    struct buf list = BUF_INIT;
    enum err err = load_percent(quota, "warn", &warn, f);

    *rules = NULL;
    err = err ? err : load_percent(quota, "critical", &critical, f);
    if (!err && services) {
        if (join(services, &list)) {
            err = quota_rules_parse(list.data ? list.data : "", warn, critical, rules, f);
        } else {
            err = fault_set(f, E_ARGUMENT, "quota.services is neither a text nor a list of texts");
        }
    }
    buf_fini(&list);
    return err;
}

struct quota_rules *
quota_rules_ref(struct quota_rules *rules)
{
    atomic_fetch_add_explicit(&rules->refs, 1, memory_order_relaxed);
    return rules;
}

void
quota_rules_unref(struct quota_rules *rules)
{
    if (rules && atomic_fetch_sub_explicit(&rules->refs, 1, memory_order_acq_rel) == 1) {
        free(rules);
    }
}

const struct quota_rule *
quota_rules_find(const struct quota_rules *rules, const char *service)
{
    for (size_t i = 0; rules && i < rules->count; i++) {
        if (strcmp(rules->items[i].service, service) == 0) {
            return &rules->items[i];
        }
    }
    return NULL;
}

enum err
quota_rules_unknown(const struct quota_rules *own, const struct quota_rules *rules,
                    const char *service, struct fault *f)
{
    const struct quota_rules *lists[] = {own, rules};
    const char *names[2 * QUOTA_RULES_MAX];
    struct buf all = {.limit = 160};
    size_t count = 0;
    int near;

    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; lists[i] && j < lists[i]->count; j++) {
            names[count++] = lists[i]->items[j].service;
        }
    }
    near = text_nearest(slice_of(service), names, count);
    fault_set(f, E_NOT_FOUND, "there is no quota for '%.64s'", service);
    if (near >= 0) {
        return fault_remedy(f, "did you mean '%s'?", names[near]);
    }
    for (size_t i = 0; i < count; i++) {
        buf_addf(&all, "%s%s", i ? ", " : "", names[i]);
    }
    if (count) {
        fault_remedy(f, "those there are: %s%s", all.data, all.failed ? ", ..." : "");
    } else {
        fault_remedy(f, "set quota.services, as tiingo=500/month,finnhub=60/minute");
    }
    buf_fini(&all);
    return E_NOT_FOUND;
}
