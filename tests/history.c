/* history.c -- lists of operations, and what they must fulfil.
 *
 * DESIGN.  Sorted by what they say came first, operations must not contradict the clock: none may
 * have begun after one ended that stands behind it.  One pass from the end with the least end so
 * far (a suffix minimum) finds each contradiction, so a million operations take a sort and a pass.
 */
#include "tests/history.h"

#include "state/base/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void
history_add(struct history *h, const struct history_op *op)
{
    if (h->count == h->size) {
        h->size = h->size ? h->size * 2 : 1024;
        h->ops = xrealloc(h->ops, h->size * sizeof *h->ops);
    }
    h->ops[h->count++] = *op;
}

void
history_join(struct history *h, struct history *from)
{
    for (size_t i = 0; i < from->count; i++) {
        history_add(h, &from->ops[i]);
    }
    history_fini(from);
}

void
history_fini(struct history *h)
{
    free(h->ops);
    *h = (struct history)HISTORY_INIT;
}

/* ---- What checkers share ---- */

static bool __attribute__((format(printf, 2, 3))) no(char why[HISTORY_WHY], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, HISTORY_WHY, format, args);
    va_end(args);
    return false;
}

/* The operations of the kinds 'a' and 'b', new, and how many there are. */
static struct history_op *
pick(const struct history *h, enum history_kind a, enum history_kind b, size_t *count)
{
    struct history_op *ops = xcalloc(h->count + 1, sizeof *ops);

    *count = 0;
    for (size_t i = 0; i < h->count; i++) {
        if (h->ops[i].kind == a || h->ops[i].kind == b) {
            ops[(*count)++] = h->ops[i];
        }
    }
    return ops;
}

static int
order(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int
by_result(const void *a, const void *b)
{
    const struct history_op *x = a, *y = b;
    int cmp = order((int64_t)x->key, (int64_t)y->key);

    cmp = cmp ? cmp : order(x->kind, y->kind);
    return cmp ? cmp : order((int64_t)x->result, (int64_t)y->result);
}

static int
by_start(const void *a, const void *b)
{
    const struct history_op *x = a, *y = b;
    int cmp = order((int64_t)x->key, (int64_t)y->key);

    return cmp ? cmp : order(x->start_ns, y->start_ns);
}

/* Of operations of one key in the order that they claim, by_result(): the index of one that began
 * after one ended that stands behind it; 'count' if there is none. */
static size_t
against_the_clock(const struct history_op *ops, size_t count)
{
    int64_t least_end = INT64_MAX;

    for (size_t i = count; i-- > 0;) {
        if (ops[i].start_ns > least_end) {
            return i;
        }
        least_end = ops[i].end_ns < least_end ? ops[i].end_ns : least_end;
    }
    return count;
}

/* From 'ops', sorted by key, how many are of the first one's. */
static size_t
of_one_key(const struct history_op *ops, size_t count)
{
    size_t n = 1;

    while (n < count && ops[n].key == ops[0].key) {
        n++;
    }
    return n;
}

/* Calls 'check' for the operations of each key. */
static bool
each_key(const struct history_op *ops, size_t count,
         bool (*check)(const struct history_op *ops, size_t count, uint64_t limit, char *why),
         uint64_t limit, char why[HISTORY_WHY])
{
    for (size_t at = 0, n; at < count; at += n) {
        n = of_one_key(ops + at, count - at);
        if (!check(ops + at, n, limit, why)) {
            return false;
        }
    }
    return true;
}

/* ---- Quotas ---- */

/* By result: the refused, 0, come first. */
static bool
check_counter(const struct history_op *ops, size_t count, uint64_t limit, char *why)
{
    size_t refused = 0, granted, bad;
    int64_t last_start = INT64_MIN;

    while (refused < count && ops[refused].result == 0) {
        refused++;
    }
    granted = count - refused;
    for (size_t i = 0; i < granted; i++) {
        if (ops[refused + i].result != i + 1) {
            return no(why, "quota %" PRIu64 ": after number %zu comes %" PRIu64, ops->key, i,
                      ops[refused + i].result);
        }
        last_start =
            ops[refused + i].start_ns > last_start ? ops[refused + i].start_ns : last_start;
    }
    if (granted > limit) {
        return no(why, "quota %" PRIu64 ": %zu were granted of %" PRIu64, ops->key, granted, limit);
    }
    bad = against_the_clock(ops + refused, granted);
    if (bad < granted) {
        return no(why, "quota %" PRIu64 ": number %zu began after a greater one had ended",
                  ops->key, bad + 1);
    }
    for (size_t i = 0; i < refused; i++) {
        if (granted < limit || ops[i].end_ns < last_start) {
            return no(why, "quota %" PRIu64 ": client %u was refused what another got later",
                      ops->key, ops[i].client);
        }
    }
    return true;
}

/* ---- Get or create ---- */

/* By result: creators come first. */
static bool
check_created(const struct history_op *ops, size_t count, uint64_t limit, char *why)
{
    const struct history_op *creator = &ops[0];

    (void)limit;
    if (count > 1 && ops[1].kind == HISTORY_CREATE) {
        return no(why, "key %" PRIu64 " was made by client %u and by client %u", ops->key,
                  ops[0].client, ops[1].client);
    }
    for (size_t i = 0; i < count; i++) {
        const struct history_op *op = &ops[i];

        if (creator->kind != HISTORY_CREATE) {
            if (op->result != 0) {
                return no(why, "key %" PRIu64 " was found by client %u, and nobody made it",
                          op->key, op->client);
            }
        } else if (op->result == 0) {
            if (op->start_ns > creator->end_ns) {
                return no(why, "key %" PRIu64 " was not found by client %u after it was made",
                          op->key, op->client);
            }
        } else if (op->result != creator->result) {
            return no(why, "key %" PRIu64 " is another one for client %u", op->key, op->client);
        } else if (op->end_ns < creator->start_ns) {
            return no(why, "key %" PRIu64 " was found by client %u before it was made", op->key,
                      op->client);
        }
    }
    return true;
}

/* ---- Versions ---- */

/* The version 'v' may be told from the start of the advance that made it to the end of the next. */
static bool
may_be_read(const struct history_op *made, size_t versions, const struct history_op *read)
{
    return read->result <= versions &&
           (read->result == 0 || made[read->result - 1].start_ns <= read->end_ns) &&
           (read->result == versions || made[read->result].end_ns >= read->start_ns);
}

/* By result: advances that were not made (0), then those that were, then reads. */
static bool
check_version(const struct history_op *ops, size_t count, uint64_t limit, char *why)
{
    const struct history_op *made = ops;
    size_t versions = 0, bad;

    (void)limit;
    while (count > 0 && made->kind == HISTORY_ADVANCE && made->result == 0) {
        made++;
        count--;
    }
    for (; versions < count && made[versions].kind == HISTORY_ADVANCE; versions++) {
        if (made[versions].result != versions + 1) {
            return no(why, "key %" PRIu64 ": after version %zu comes %" PRIu64, ops->key, versions,
                      made[versions].result);
        }
    }
    bad = against_the_clock(made, versions);
    if (bad < versions) {
        return no(why, "key %" PRIu64 ": version %zu began after a greater one had ended", ops->key,
                  bad + 1);
    }
    for (size_t i = versions; i < count; i++) {
        if (!may_be_read(made, versions, &made[i])) {
            return no(why, "key %" PRIu64 ": client %u read version %" PRIu64 " at another's time",
                      ops->key, made[i].client, made[i].result);
        }
    }
    return true;
}

static int
by_client(const void *a, const void *b)
{
    const struct history_op *x = a, *y = b;
    int cmp = order(x->client, y->client);

    return cmp ? cmp : by_start(a, b);
}

/* What one client reads of a key, or makes of it, never goes back. */
static bool
check_rising(struct history_op *ops, size_t count, char *why)
{
    qsort(ops, count, sizeof *ops, by_client);
    for (size_t i = 1, last = 0; i < count; i++) {
        if (ops[i].kind == HISTORY_ADVANCE && ops[i].result == 0) {
            continue; /* It tells no version. */
        }
        if (ops[last].client == ops[i].client && ops[last].key == ops[i].key &&
            ops[i].result < ops[last].result) {
            return no(why, "key %" PRIu64 ": client %u saw version %" PRIu64 " after %" PRIu64,
                      ops[i].key, ops[i].client, ops[i].result, ops[last].result);
        }
        last = i;
    }
    return true;
}

/* ---- Caches ---- */

/* What 'op' found must be the value of a load that began before its end, and that no other load had
 * followed, from its begin to its end, when it was asked for. */
static bool
check_found(const struct history_op *op, const struct history_op *loads, size_t count, char *why)
{
    size_t i = 0;

    while (i < count && loads[i].result != op->result) {
        i++;
    }
    if (i == count || loads[i].start_ns > op->end_ns) {
        return no(why, "key %" PRIu64 ": client %u found what nobody had loaded", op->key,
                  op->client);
    }
    if (i + 1 < count && loads[i + 1].end_ns < op->start_ns) {
        return no(why, "key %" PRIu64 ": client %u found what had been loaded anew", op->key,
                  op->client);
    }
    return true;
}

/* By start. */
static bool
check_load(const struct history_op *ops, size_t count, uint64_t limit, char *why)
{
    struct history_op *loads = xcalloc(count, sizeof *loads);
    size_t loaded = 0;
    bool good = true;

    (void)limit;
    for (size_t i = 0; good && i < count; i++) {
        if (ops[i].kind == HISTORY_LOAD) {
            good = loaded == 0 || ops[i].start_ns >= loads[loaded - 1].end_ns ||
                   no(why, "key %" PRIu64 ": two loads at once, of clients %u and %u", ops->key,
                      loads[loaded - 1].client, ops[i].client);
            loads[loaded++] = ops[i];
        }
    }
    for (size_t i = 0; good && i < count; i++) {
        good = ops[i].kind != HISTORY_FOUND || check_found(&ops[i], loads, loaded, why);
    }
    free(loads);
    return good;
}

/* ---- By key ---- */

/* What operations of two kinds must fulfil. */
struct checker {
    enum history_kind a, b;
    int (*order)(const void *, const void *);
    /* Those of one key, so ordered. */
    bool (*check)(const struct history_op *ops, size_t count, uint64_t limit, char *why);
    bool (*whole)(struct history_op *ops, size_t count, char *why); /* All of them; may be null. */
};

static bool
check_by_key(const struct history *h, const struct checker *c, uint64_t limit,
             char why[HISTORY_WHY])
{
    size_t count;
    struct history_op *ops = pick(h, c->a, c->b, &count);
    bool good;

    why[0] = '\0';
    qsort(ops, count, sizeof *ops, c->order);
    good = each_key(ops, count, c->check, limit, why) && (!c->whole || c->whole(ops, count, why));
    free(ops);
    return good;
}

bool
history_check_quota(struct history *h, uint64_t limit, char why[HISTORY_WHY])
{
    static const struct checker quota = {HISTORY_TAKE, HISTORY_TAKE, by_result, check_counter,
                                         NULL};

    return check_by_key(h, &quota, limit, why);
}

bool
history_check_create(struct history *h, char why[HISTORY_WHY])
{
    static const struct checker create = {HISTORY_CREATE, HISTORY_GET, by_result, check_created,
                                          NULL};

    return check_by_key(h, &create, 0, why);
}

bool
history_check_versions(struct history *h, char why[HISTORY_WHY])
{
    static const struct checker versions = {HISTORY_ADVANCE, HISTORY_READ, by_result, check_version,
                                            check_rising};

    return check_by_key(h, &versions, 0, why);
}

bool
history_check_loads(struct history *h, char why[HISTORY_WHY])
{
    static const struct checker loads = {HISTORY_LOAD, HISTORY_FOUND, by_start, check_load, NULL};

    return check_by_key(h, &loads, 0, why);
}

/* ---- The relay ---- */

#define CLIENTS_MAX 4096
#define PUBLISHERS_MAX 256

static bool
check_told(const struct history_op *op, uint64_t *known, uint32_t *counts, char *why)
{
    uint64_t from = op->kind == HISTORY_MISSED ? op->key : op->result;
    uint32_t *count = &counts[op->kind == HISTORY_EVENT ? op->key : 0];

    if (*known && from != *known + 1) {
        return no(why, "client %u was told %" PRIu64 " after %" PRIu64, op->client, from, *known);
    }
    *known = op->result;
    if (op->kind == HISTORY_MISSED) {
        return op->result >= from ||
               no(why, "client %u has a gap that ends at %" PRIu64, op->client, op->result);
    }
    if (op->number <= *count) {
        return no(why, "client %u was told %u of publisher %" PRIu64 " after %u", op->client,
                  op->number, op->key, *count);
    }
    *count = op->number;
    return true;
}

bool
history_check_relay(struct history *h, char why[HISTORY_WHY])
{
    uint64_t *known = xcalloc(CLIENTS_MAX, sizeof *known);
    uint32_t(*counts)[PUBLISHERS_MAX] = xcalloc(CLIENTS_MAX, sizeof *counts);
    bool good = true;

    why[0] = '\0';
    for (size_t i = 0; good && i < h->count; i++) {
        const struct history_op *op = &h->ops[i];

        if (op->kind != HISTORY_EVENT && op->kind != HISTORY_MISSED) {
            continue;
        }
        if (op->client >= CLIENTS_MAX || (op->kind == HISTORY_EVENT && op->key >= PUBLISHERS_MAX)) {
            good = no(why, "client %u or its publisher is none", op->client);
        } else {
            good = check_told(op, &known[op->client], counts[op->client], why);
        }
    }
    free(known);
    free(counts);
    return good;
}
