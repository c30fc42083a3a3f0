/* recorded_stores.c -- 10 to 200 threads at the stores, from a barrier in each round, who note what
 * they ask and are told; and whether the whole of it can be explained.
 *
 *     recorded_stores [ROUNDS]
 *
 * In each round all start one workflow session, complete its phases against each other and read it,
 * take a unit of a quota, look up a key of a cache that is loaded anew each second round, and
 * publish; the first two of them read the bus, with a queue that is too short.  Then the histories
 * are checked (tests/history.h). */
#include "tests/check.h"
#include "tests/harness.h"
#include "tests/history.h"
#include "tests/quota_rig.h"
#include "tests/threads.h"
#include "tests/workflow_rig.h"

#include "state/base/slots.h"
#include "state/bus.h"
#include "state/bus_reader.h"

#include <stdio.h>

#define THREADS_MAX 200
#define PHASES 3
#define READERS 2

static unsigned rounds;

struct thread {
    struct history done;
    uint32_t published;
};

struct field {
    pthread_barrier_t barrier;
    struct store_rig sessions;
    struct quota_rig quotas;
    struct slots *cache;
    struct bus *bus;
    struct bus_reader *readers[READERS];
    _Atomic uint64_t values;
    _Atomic unsigned wrong;
    struct thread threads[THREADS_MAX];
};

static void
note(struct field *f, unsigned i, int64_t start_ns, struct history_op op)
{
    op.start_ns = start_ns;
    op.end_ns = now_ns();
    op.client = (uint16_t)i;
    history_add(&f->threads[i].done, &op);
}

/* ---- The cache ---- */

struct who {
    struct field *field;
    unsigned i;
};

static enum err
load_value(void *owner, const char *key, const char *version, void *arg, void **value,
           struct fault *fault)
{
    struct field *f = owner;
    struct who *who = arg;
    int64_t start_ns = now_ns();
    uint64_t *v = xcalloc(1, sizeof *v);

    (void)version, (void)fault;
    *v = atomic_fetch_add(&f->values, 1) + 1;
    *value = v;
    note(f, who->i, start_ns,
         (struct history_op){.kind = HISTORY_LOAD, .key = strtoull(key, NULL, 10), .result = *v});
    return E_OK;
}

static const struct slots_class cache_class = {.name = "cache", .load = load_value, .free = free};

static void
look_up(struct field *f, unsigned i, unsigned round)
{
    struct who who = {f, i};
    int64_t start_ns = now_ns();
    struct slot_pin pin;
    char key[16];

    snprintf(key, sizeof key, "%u", round / 2);
    if (slots_get(f->cache, key, NULL, &who, INT64_MAX, &pin, NULL) != E_OK) {
        atomic_fetch_add(&f->wrong, 1);
        return;
    }
    note(f, i, start_ns,
         (struct history_op){
             .kind = HISTORY_FOUND, .key = round / 2, .result = *(uint64_t *)pin.value});
    slots_unpin(f->cache, &pin);
}

/* ---- Sessions ---- */

static uint64_t
hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;

    while (*text) {
        h = (h ^ (unsigned char)*text++) * 0x100000001b3u;
    }
    return h;
}

static void
start(struct field *f, unsigned i, unsigned round, char id[RECORD_ID_SIZE])
{
    int64_t start_ns = now_ns();
    char target[16];
    bool resumed;

    snprintf(target, sizeof target, "%u", round);
    if (store_rig_start(&f->sessions, "pack", target, false, id, &resumed, NULL) != E_OK) {
        atomic_fetch_add(&f->wrong, 1);
        return;
    }
    note(f, i, start_ns,
         (struct history_op){
             .kind = resumed ? HISTORY_GET : HISTORY_CREATE, .key = round, .result = hash(id)});
}

static void
read_version(struct field *f, unsigned i, unsigned round, const char *id)
{
    int64_t start_ns = now_ns();
    struct session_view view;

    if (workflow_store_get(f->sessions.store, id, &view, NULL) != E_OK) {
        atomic_fetch_add(&f->wrong, 1);
        return;
    }
    note(f, i, start_ns,
         (struct history_op){
             .kind = HISTORY_READ,
             .key = round,
             .result = json_array_size(json_object_get(view.record, "completed_phases"))});
    workflow_store_release(f->sessions.store, &view);
}

static void
complete(struct field *f, unsigned i, unsigned round, const char *id, int phase)
{
    int64_t start_ns = now_ns();
    enum err err = store_rig_complete(&f->sessions, id, phase, true, (int)i, NULL);

    atomic_fetch_add(&f->wrong, err != E_OK && err != E_STATE);
    note(f, i, start_ns,
         (struct history_op){
             .kind = HISTORY_ADVANCE, .key = round, .result = err ? 0 : (uint64_t)phase + 1});
}

/* ---- Quotas and the bus ---- */

static void
take(struct field *f, unsigned i)
{
    struct quota_ask ask = {.tenant = "default", .service = "many", .count = 1, .high = true};
    int64_t start_ns = now_ns();
    struct quota_view view;
    enum err err = quota_acquire(f->quotas.quota, &ask, &view, NULL);

    atomic_fetch_add(&f->wrong, err != E_OK && err != E_OVER_QUOTA);
    note(f, i, start_ns,
         (struct history_op){.kind = HISTORY_TAKE, .key = 1, .result = err ? 0 : view.used});
}

static void
publish(struct field *f, unsigned i)
{
    struct bus_draft draft = {.topic = "h.told",
                              .data = json_pack("[i,i]", (int)i, (int)++f->threads[i].published)};

    atomic_fetch_add(&f->wrong, bus_publish(f->bus, &draft) != PUBLISHED_ACCEPTED);
}

static void
note_item(struct field *f, unsigned i, struct bus_item *item)
{
    unsigned by = 0, n = 0;

    if (item->kind == BUS_ITEM_EVENT) {
        if (sscanf(item->event->data.data, "[%u,%u]", &by, &n) != 2) {
            atomic_fetch_add(&f->wrong, 1);
        }
        note(f, i, now_ns(),
             (struct history_op){
                 .kind = HISTORY_EVENT, .key = by, .number = n, .result = item->event->seq});
        bus_event_unref(item->event);
    } else {
        note(f, i, now_ns(),
             (struct history_op){.kind = HISTORY_MISSED, .key = item->from, .result = item->to});
    }
}

static void
drain(struct field *f, unsigned i)
{
    struct bus_item items[16];
    size_t count;

    while ((count = bus_reader_take(f->readers[i], items, 16, NULL)) > 0) {
        for (size_t k = 0; k < count; k++) {
            note_item(f, i, &items[k]);
        }
    }
}

/* ---- The field ---- */

static void
play(void *arg, unsigned i)
{
    struct field *f = arg;
    char id[RECORD_ID_SIZE];

    for (unsigned round = 0; round < rounds; round++) {
        pthread_barrier_wait(&f->barrier);
        start(f, i, round, id);
        look_up(f, i, round);
        publish(f, i);
        pthread_barrier_wait(&f->barrier); /* Once it is complete, a start makes another one. */
        for (int phase = 0; phase < PHASES; phase++) {
            read_version(f, i, round, id);
            complete(f, i, round, id, phase);
            take(f, i);
        }
        read_version(f, i, round, id);
        if (i < READERS) {
            drain(f, i);
        }
        if (i == 0 && round % 4 == 0) {
            slots_clear(f->cache); /* Nobody loads: those who look up are done. */
        }
    }
}

static void
ignore_wake(void *arg)
{
    (void)arg;
}

static void
set_up(struct field *f, unsigned threads)
{
    struct bus_options bus = BUS_OPTIONS_INIT;
    char services[64];

    pthread_barrier_init(&f->barrier, NULL, threads);
    store_rig_init(&f->sessions);
    f->sessions.options.active_max = 10000;
    store_rig_restart(&f->sessions);
    snprintf(services, sizeof services, "many=%u/month", 2 * threads * rounds); /* It runs out. */
    quota_rig_init(&f->quotas, services, false);
    f->cache = slots_create(&cache_class, f, 8);
    bus.clock = &f->sessions.clock.clock;
    bus.queue = 64;
    f->bus = bus_create(&bus);
    for (unsigned i = 0; i < READERS; i++) {
        struct bus_reader_options options = {.wake = ignore_wake};
        struct bus_reader_start begun;
        CHECK_INT(bus_reader_open(f->bus, &options, &f->readers[i], &begun, NULL), E_OK);
    }
}

static void
tear_down(struct field *f)
{
    for (unsigned i = 0; i < READERS; i++) {
        bus_reader_close(f->readers[i]);
    }
    bus_destroy(f->bus);
    slots_destroy(f->cache);
    quota_rig_fini(&f->quotas);
    store_rig_fini(&f->sessions);
    pthread_barrier_destroy(&f->barrier);
}

static void
check(bool good, const char *why)
{
    if (!good) {
        printf("%s\n", why);
    }
    CHECK(good);
}

static size_t
play_with(unsigned threads)
{
    struct field *f = xcalloc(1, sizeof *f);
    struct history all = HISTORY_INIT;
    struct slots_counters cache;
    char why[HISTORY_WHY];
    size_t count;

    set_up(f, threads);
    threads_run(threads, play, f);
    for (unsigned i = 0; i < threads; i++) {
        history_join(&all, &f->threads[i].done);
    }
    CHECK_INT(f->wrong, 0);
    check(history_check_relay(&all, why), why); /* First: it needs the order of the lists. */
    check(history_check_create(&all, why), why);
    check(history_check_versions(&all, why), why);
    check(history_check_quota(&all, 2ull * threads * rounds, why), why);
    check(history_check_loads(&all, why), why);
    cache = slots_counters(f->cache);
    CHECK_INT(cache.misses, atomic_load(&f->values));
    CHECK_INT(cache.hits + cache.misses + cache.double_loads, (uint64_t)threads * rounds);
    count = all.count;
    history_fini(&all);
    tear_down(f);
    free(f);
    return count;
}

static void
histories_are_explained(void **state)
{
    size_t count = 0;

    (void)state;
    for (const unsigned *size = race_sizes; *size; size++) {
        count += play_with(*size);
    }
    printf("figure: %zu operations on the stores by 10 to 200 threads, %u rounds each: 0 "
           "violations\n",
           count, rounds);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories_are_explained),
    };

    rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : stress_count(10, 3);
    return CHECK_RUN(tests);
}
