/* test_tenants.c -- the table of tenants: one load for all who wait, nobody gets another's, nothing
 * is freed early, nothing wrong is kept for long. */
#include "tests/check.h"

#include "state/base/json_put.h"
#include "state/bus.h"
#include "state/tenant_config.h"
#include "state/tenants.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/stat.h>

#define S INT64_C(1000000000)
#define NEVER INT64_MAX

/* Tenants out of nothing: a source that counts, and waits where a test wants it to. */
struct world {
    struct fake_clock clock;
    struct tenants *tenants;
    struct tenant_source source;
    _Atomic unsigned reads, wrong, arrived;
    unsigned awaited;       /* A read waits until so many threads have arrived. */
    _Atomic uint64_t inode; /* Of every file. */
    _Atomic bool fail;      /* Reads do. */
    bool hold;              /* A read waits to be let go. */
    sem_t reading, go;
    struct bus *bus;
    const char *watched; /* Tenants whose events are looked at, each ended by NUL, and NUL. */
    _Atomic(struct tenant *) first;
};

static enum err
look(void *arg, const char *id, struct file_identity *identity, struct fault *f)
{
    struct world *w = arg;

    if (strncmp(id, "none", 4) == 0) {
        return fault_set(f, E_NOT_FOUND, "no file");
    }
    *identity = (struct file_identity){.inode = w->inode, .size = 1};
    return E_OK;
}

static enum err
read_text(void *arg, const char *id, struct buf *text, struct file_identity *identity,
          struct fault *f)
{
    struct world *w = arg;
    enum err err = look(arg, id, identity, f);

    w->reads++;
    while (w->arrived < w->awaited) {
        sched_yield();
    }
    if (w->hold) {
        sem_post(&w->reading);
        while (sem_wait(&w->go) != 0) {
        }
    }
    if (w->fail) {
        return fault_set(f, E_IO, "the disk is on fire");
    }
    buf_addf(
        text,
        "{\"client\":{\"id\":\"%s\",\"name\":\"%s\",\"short_name\":\"x\",\"timezone\":\"UTC\"},"
        "\"number\":%u}",
        id, id, (unsigned)w->reads);
    return err;
}

/* "loaded a;evicted b;": what was told, each to its tenant alone. */
static void
expect_told(struct world *w, const char *want)
{
    struct bus_event *events[100];
    struct buf text = BUF_INIT;
    size_t count;

    buf_adds(&text, "");
    for (const char *id = w->watched; *id; id += strlen(id) + 1) {
        count = bus_recent(w->bus, &(struct bus_query){.tenant = id}, events, 100);
        for (size_t i = 0; i < count; i++) {
            CHECK_STR(events[i]->tenant, id);
            buf_addf(&text, "%.*s %s;", (int)events[i]->topic.len - 7, events[i]->topic.data + 7,
                     id);
            bus_event_unref(events[i]);
        }
    }
    CHECK_STR(text.data ? text.data : "", want);
    buf_fini(&text);
}

static void
open_world(struct world *w, size_t max)
{
    struct bus_options options = BUS_OPTIONS_INIT;

    memset(w, 0, sizeof *w);
    fake_clock_init(&w->clock);
    options.clock = &w->clock.clock;
    w->source = (struct tenant_source){look, read_text, w};
    w->inode = 1;
    sem_init(&w->reading, 0, 0);
    sem_init(&w->go, 0, 0);
    w->bus = bus_create(&options);
    w->watched = "acme\0beta\0";
    w->tenants = tenants_create(&(struct tenants_options){.clock = &w->clock.clock,
                                                          .default_id = "default",
                                                          .env_allow = "TENANT_*",
                                                          .cache_max = max,
                                                          .ttl_ns = 300 * S,
                                                          .negative_ttl_ns = 5 * S,
                                                          .source = &w->source,
                                                          .bus = w->bus});
}

static void
close_world(struct world *w)
{
    CHECK_INT(w->wrong, 0);
    tenants_destroy(w->tenants);
    sem_destroy(&w->reading);
    sem_destroy(&w->go);
    bus_destroy(w->bus);
}

static struct tenant_pin
must_get(struct world *w, const char *id)
{
    struct tenant_pin pin;
    struct fault f = FAULT_INIT;

    if (tenants_get(w->tenants, id, NEVER, &pin, &f) != E_OK) {
        fail_msg("%s: %s", id, f.text);
    }
    CHECK_STR(tenant_id(pin.tenant), id);
    CHECK_STR(json_string_value(json_object_get(tenant_section(pin.tenant, "client"), "id")), id);
    return pin;
}

static void
expect_error(struct world *w, const char *id, enum err want)
{
    struct tenant_pin pin;
    struct fault f = FAULT_INIT;

    CHECK_INT(tenants_get(w->tenants, id, NEVER, &pin, &f), want);
    CHECK_INT(f.code, want);
    CHECK(f.text[0] && !pin.tenant);
}

static int64_t
number_of(const struct tenant *tenant)
{
    return json_integer_value(tenant_section(tenant, "number"));
}

/* ---- One object for one id ---- */

static void
tenant_same_object_same_id(void **unused)
{
    struct world w;
    struct tenant_pin a, b;

    (void)unused;
    open_world(&w, 100);
    a = must_get(&w, "acme");
    b = must_get(&w, "acme");
    CHECK(a.tenant == b.tenant);
    tenants_unpin(w.tenants, &a);
    tenants_unpin(w.tenants, &b);
    tenants_unpin(w.tenants, &b);
    a = must_get(&w, "acme");
    CHECK_INT(w.reads, 1);
    CHECK_INT(tenants_counters(w.tenants).cache.hits, 2);
    expect_told(&w, "loaded acme;");
    tenants_unpin(w.tenants, &a);
    close_world(&w);
}

static void
first_access(void *arg, unsigned number)
{
    struct world *w = arg;
    struct tenant_pin pin;
    struct tenant *nobody = NULL;

    (void)number;
    w->arrived++;
    if (tenants_get(w->tenants, "acme", NEVER, &pin, NULL) != E_OK) {
        w->wrong++;
        return;
    }
    if (!atomic_compare_exchange_strong(&w->first, &nobody, pin.tenant) && nobody != pin.tenant) {
        w->wrong++;
    }
    w->wrong += number_of(pin.tenant) != 1;
    tenants_unpin(w->tenants, &pin);
}

static void
tenant_first_access_20_threads(void **unused)
{
    (void)unused;
    for (unsigned round = 0; round < scaled(100); round++) {
        struct world w;
        struct slots_counters c;

        open_world(&w, 100);
        w.awaited = 20;
        threads_run(20, first_access, &w);
        c = tenants_counters(w.tenants).cache;
        CHECK_INT(w.reads, 1);
        CHECK_INT(c.misses, 1);
        CHECK_INT(c.hits + c.double_loads, 19);
        expect_told(&w, "loaded acme;");
        close_world(&w);
    }
}

static void
tenant_different_keys_independent(void **unused)
{
    struct world w;
    struct tenant_pin a, b;

    (void)unused;
    open_world(&w, 100);
    a = must_get(&w, "acme");
    b = must_get(&w, "beta");
    CHECK(a.tenant != b.tenant);
    CHECK_INT(w.reads, 2);
    CHECK_INT(tenants_forget(w.tenants, "acme"), 1);
    tenants_unpin(w.tenants, &b);
    b = must_get(&w, "beta");
    CHECK_INT(w.reads, 2);
    tenants_unpin(w.tenants, &a);
    tenants_unpin(w.tenants, &b);
    close_world(&w);
}

/* ---- Bounds ---- */

static void
tenant_lru_100_then_101st_evicts_oldest(void **unused)
{
    struct world w;
    char id[16];
    struct tenant_pin pin;

    (void)unused;
    open_world(&w, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "t%d", i);
        pin = must_get(&w, id);
        tenants_unpin(w.tenants, &pin);
    }
    pin = must_get(&w, "t0"); /* Now t1 is the oldest. */
    tenants_unpin(w.tenants, &pin);
    bus_reset(w.bus);
    w.watched = "t1\0t100\0";
    pin = must_get(&w, "t100");
    tenants_unpin(w.tenants, &pin);
    expect_told(&w, "evicted t1;loaded t100;");
    CHECK_INT(tenants_counters(w.tenants).cache.size, 100);
    CHECK_INT(tenants_counters(w.tenants).cache.evictions, 1);
    CHECK_INT(w.reads, 101);
    pin = must_get(&w, "t0");
    tenants_unpin(w.tenants, &pin);
    CHECK_INT(w.reads, 101);
    pin = must_get(&w, "t1");
    tenants_unpin(w.tenants, &pin);
    CHECK_INT(w.reads, 102);
    close_world(&w);
}

static void
tenant_evicted_slot_survives_while_referenced(void **unused)
{
    struct world w;
    struct tenant_pin old, other, again;

    (void)unused;
    open_world(&w, 1);
    old = must_get(&w, "acme");
    other = must_get(&w, "beta"); /* Its place is taken, though it is in use. */
    expect_told(&w, "loaded acme;evicted acme;loaded beta;");
    CHECK_STR(tenant_id(old.tenant), "acme");
    CHECK_INT(number_of(old.tenant), 1);
    again = must_get(&w, "acme");
    CHECK(again.tenant != old.tenant);
    CHECK_INT(number_of(again.tenant), 3);
    CHECK_INT(number_of(old.tenant), 1);
    tenants_unpin(w.tenants, &old);
    tenants_unpin(w.tenants, &other);
    tenants_unpin(w.tenants, &again);
    close_world(&w);
}

static void *
load_one(void *arg)
{
    struct world *w = arg;
    struct tenant_pin pin;

    if (tenants_get(w->tenants, "acme", NEVER, &pin, NULL) != E_OK) {
        w->wrong++;
        return NULL;
    }
    w->wrong += number_of(pin.tenant) != (int64_t)w->awaited;
    tenants_unpin(w->tenants, &pin);
    return NULL;
}

static void
a_full_table_of_loads_is_not_ready(void **unused)
{
    struct world w;
    pthread_t thread;
    struct tenant_pin pin;

    (void)unused;
    open_world(&w, 1);
    w.hold = true;
    pthread_create(&thread, NULL, load_one, &w);
    sem_wait(&w.reading);
    expect_error(&w, "beta", E_NOT_READY);
    CHECK_INT(tenants_get(w.tenants, "acme", 1, &pin, NULL), E_TIMEOUT);
    w.arrived = w.awaited = 1;
    sem_post(&w.go);
    pthread_join(thread, NULL);
    CHECK_INT(w.reads, 1);
    close_world(&w);
}

static void
who_is_not_there_takes_no_place(void **unused)
{
    struct world w;
    char id[16];
    struct tenant_pin pin;

    (void)unused;
    open_world(&w, 2);
    pin = must_get(&w, "acme");
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "none%d", i);
        expect_error(&w, id, E_NO_TENANT);
    }
    CHECK_INT(w.reads, 1);
    CHECK_INT(tenants_counters(w.tenants).cache.size, 1);
    CHECK_INT(tenants_counters(w.tenants).cache.evictions, 0);
    tenants_unpin(w.tenants, &pin);
    close_world(&w);
}

/* ---- What is kept, and for how long ---- */

static void
tenant_load_failure_not_sticky(void **unused)
{
    struct world w;
    struct tenant_pin pin;

    (void)unused;
    open_world(&w, 100);
    w.fail = true;
    expect_error(&w, "acme", E_IO);
    w.fail = false;
    expect_error(&w, "acme", E_IO); /* A storm of callers reads it once, */
    CHECK_INT(w.reads, 1);
    fake_clock_pass(&w.clock, 5 * S); /* for five seconds. */
    pin = must_get(&w, "acme");
    CHECK_INT(w.reads, 2);
    tenants_unpin(w.tenants, &pin);

    w.fail = true;
    w.inode = 2; /* A change to the worse, */
    expect_error(&w, "acme", E_IO);
    w.fail = false;
    w.inode = 3; /* and at once to the better. */
    pin = must_get(&w, "acme");
    CHECK_INT(w.reads, 4);
    CHECK_INT(tenants_counters(w.tenants).cache.load_failures, 2);
    expect_told(&w, "load_failed acme;loaded acme;invalidated acme;load_failed acme;"
                    "loaded acme;");
    tenants_unpin(w.tenants, &pin);
    close_world(&w);
}

static void
it_is_read_anew_when_its_file_changes_or_it_is_old(void **unused)
{
    struct world w;
    struct tenant_pin old, pin;

    (void)unused;
    open_world(&w, 100);
    old = must_get(&w, "acme");
    w.inode = 2;
    pin = must_get(&w, "acme");
    CHECK(pin.tenant != old.tenant);
    CHECK_INT(w.reads, 2);
    tenants_unpin(w.tenants, &pin);
    fake_clock_pass(&w.clock, 300 * S - 1);
    pin = must_get(&w, "acme");
    CHECK_INT(w.reads, 2);
    tenants_unpin(w.tenants, &pin);
    fake_clock_pass(&w.clock, 1);
    pin = must_get(&w, "acme");
    CHECK_INT(w.reads, 3);
    CHECK_INT(number_of(old.tenant), 1);
    tenants_unpin(w.tenants, &pin);
    tenants_unpin(w.tenants, &old);
    close_world(&w);
}

static void
a_look_that_does_not_wait(void **unused)
{
    struct world w;
    struct tenant_pin pin;

    (void)unused;
    open_world(&w, 100);
    CHECK(!tenants_peek(w.tenants, "acme", false, &pin));
    pin = must_get(&w, "acme");
    tenants_unpin(w.tenants, &pin);
    CHECK(tenants_peek(w.tenants, "acme", false, &pin));
    tenants_unpin(w.tenants, &pin);
    fake_clock_pass(&w.clock, S);
    CHECK(!tenants_peek(w.tenants, "acme", false, &pin));
    pin = must_get(&w, "acme");
    tenants_unpin(w.tenants, &pin);
    CHECK(tenants_peek(w.tenants, "acme", false, &pin));
    tenants_unpin(w.tenants, &pin);
    w.fail = true;
    expect_error(&w, "beta", E_IO);
    CHECK(!tenants_peek(w.tenants, "beta", true, &pin));
    CHECK_INT(w.reads, 2);
    close_world(&w);
}

/* ---- Races ---- */

static void
tenant_invalidate_during_load(void **unused)
{
    struct world w;
    pthread_t thread;
    struct tenant_pin pin;

    (void)unused;
    open_world(&w, 100);
    w.hold = true;
    w.awaited = w.arrived = 2; /* The second read is what the caller gets. */
    pthread_create(&thread, NULL, load_one, &w);
    sem_wait(&w.reading);
    CHECK_INT(tenants_forget(w.tenants, "acme"), 1);
    sem_post(&w.go);
    sem_wait(&w.reading); /* What was read is thrown away, and read once more. */
    sem_post(&w.go);
    pthread_join(thread, NULL);
    CHECK_INT(w.reads, 2);
    w.hold = false;
    pin = must_get(&w, "acme");
    CHECK_INT(number_of(pin.tenant), 2);
    tenants_unpin(w.tenants, &pin);

    tenants_forget(w.tenants, NULL); /* And once is enough: the third is not kept. */
    w.hold = true;
    w.awaited = w.arrived = 4;
    pthread_create(&thread, NULL, load_one, &w);
    for (int i = 0; i < 2; i++) {
        sem_wait(&w.reading);
        tenants_forget(w.tenants, NULL);
        sem_post(&w.go);
    }
    pthread_join(thread, NULL);
    CHECK_INT(w.reads, 4);
    w.hold = false;
    pin = must_get(&w, "acme");
    CHECK_INT(w.reads, 5);
    tenants_unpin(w.tenants, &pin);
    close_world(&w);
}

#define IDS 150

static void
cross_talk(void *arg, unsigned number)
{
    struct world *w = arg;
    struct tenant_pin pin;
    char id[16];

    for (unsigned i = 0; i < scaled(200); i++) {
        snprintf(id, sizeof id, "t%u", (number * 7 + i * 13) % IDS);
        if (tenants_get(w->tenants, id, NEVER, &pin, NULL) != E_OK) {
            w->wrong++;
            continue;
        }
        w->wrong +=
            strcmp(tenant_id(pin.tenant), id) != 0 ||
            strcmp(json_string_value(json_object_get(tenant_section(pin.tenant, "client"), "name")),
                   id) != 0;
        if ((number + i) % 50 == 0) {
            tenants_forget(w->tenants, id);
        }
        tenants_unpin(w->tenants, &pin);
    }
}

static void
tenant_100_threads_150_ids_no_cross_talk(void **unused)
{
    struct world w;
    struct slots_counters c;

    (void)unused;
    open_world(&w, 100);
    threads_run(100, cross_talk, &w);
    c = tenants_counters(w.tenants).cache;
    CHECK(c.size <= 100);
    CHECK_INT(c.misses + c.hits + c.double_loads, 100 * scaled(200));
    close_world(&w);
}

/* ---- Parts ---- */

struct part {
    char of[TENANT_ID_SIZE];
};
static _Atomic unsigned parts_made, parts_live;
static _Atomic bool parts_fail;

static enum err
part_make(const struct tenant *tenant, void *arg, struct part **part, struct fault *f)
{
    struct world *w = arg;

    parts_made++;
    while (w->arrived < w->awaited) {
        sched_yield();
    }
    if (parts_fail) {
        return fault_set(f, E_NOT_READY, "not now");
    }
    *part = xcalloc(1, sizeof **part);
    snprintf((*part)->of, sizeof(*part)->of, "%s", tenant_id(tenant));
    parts_live++;
    return E_OK;
}

static void
part_free(struct part *part)
{
    parts_live--;
    free(part);
}

TENANT_PART(thing, struct part, part_make, part_free)

static void
use_part(void *arg, unsigned number)
{
    struct world *w = arg;
    struct tenant_pin pin;
    struct part *part;

    (void)number;
    w->arrived++;
    if (tenants_get(w->tenants, "acme", NEVER, &pin, NULL) != E_OK ||
        tenant_thing(pin.tenant, w, NEVER, &part, NULL) != E_OK) {
        w->wrong++;
        return;
    }
    w->wrong += strcmp(part->of, "acme") != 0;
    tenants_unpin(w->tenants, &pin);
}

static void
parts_live_and_die_with_their_settings(void **unused)
{
    struct world w;
    struct tenant_pin old, fresh;
    struct part *a, *b;

    (void)unused;
    parts_made = parts_live = 0;
    open_world(&w, 100);
    w.awaited = 20;
    threads_run(20, use_part, &w);
    CHECK_INT(parts_made, 1);
    old = must_get(&w, "acme");
    CHECK_INT(tenant_thing(old.tenant, &w, NEVER, &a, NULL), E_OK);
    CHECK_INT(parts_made, 1);
    w.inode = 2;
    fresh = must_get(&w, "acme");
    CHECK_INT(tenant_thing(fresh.tenant, &w, NEVER, &b, NULL), E_OK);
    CHECK(a != b);
    CHECK_STR(a->of, "acme"); /* It is there as long as whose it is. */
    CHECK_INT(parts_live, 2);
    tenants_unpin(w.tenants, &old);
    CHECK_INT(parts_live, 1);
    tenants_unpin(w.tenants, &fresh);

    fresh = must_get(&w, "beta");
    parts_fail = true;
    CHECK_INT(tenant_thing(fresh.tenant, &w, NEVER, &b, NULL), E_NOT_READY);
    parts_fail = false;
    CHECK_INT(tenant_thing(fresh.tenant, &w, NEVER, &b, NULL), E_OK);
    tenants_unpin(w.tenants, &fresh);
    close_world(&w);
    CHECK_INT(parts_live, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tenant_same_object_same_id),
        cmocka_unit_test(tenant_first_access_20_threads),
        cmocka_unit_test(tenant_different_keys_independent),
        cmocka_unit_test(tenant_lru_100_then_101st_evicts_oldest),
        cmocka_unit_test(tenant_evicted_slot_survives_while_referenced),
        cmocka_unit_test(a_full_table_of_loads_is_not_ready),
        cmocka_unit_test(who_is_not_there_takes_no_place),
        cmocka_unit_test(tenant_load_failure_not_sticky),
        cmocka_unit_test(it_is_read_anew_when_its_file_changes_or_it_is_old),
        cmocka_unit_test(a_look_that_does_not_wait),
        cmocka_unit_test(tenant_invalidate_during_load),
        cmocka_unit_test(tenant_100_threads_150_ids_no_cross_talk),
        cmocka_unit_test(parts_live_and_die_with_their_settings),
    };
    return CHECK_RUN(tests);
}
