/* The keyed single-flight cache: one load a key whatever races, everyone gets the same, nothing is
 * freed early. */
#include "tests/check.h"

#include "state/base/mem.h"
#include "state/base/clock.h"
#include "state/base/slots.h"
#include "tests/threads.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

#define NEVER INT64_MAX
#define MAGIC 0x51073u

struct value {
    unsigned magic; /* 0 once freed, for builds without a sanitizer. */
    unsigned number;
    char key[32], version[16];
    struct world *world;
};

/* What the loads of a test do and what came of them.  The caches' owner. */
struct world {
    struct slots *slots;
    _Atomic unsigned loads, live, frees, wrong;
    _Atomic unsigned arrived; /* Threads about to look up. */
    unsigned awaited;         /* A load waits until so many have arrived. */
    bool fail;
    _Atomic bool hold; /* A load waits to be let go. */
    sem_t loading, go;
    /* Counted by threads for the test to compare. */
    _Atomic unsigned ok, refused, timed_out, not_ready;
    _Atomic(void *) first; /* The value that the first of them got. */
};

static enum err
load(void *owner, const char *key, const char *version, void *arg, void **value, struct fault *f)
{
    struct world *w = owner;
    struct value *v;
    unsigned number = ++w->loads;

    w->wrong += arg != w;
    while (w->arrived < w->awaited) {
        sched_yield();
    }
    if (w->hold) {
        sem_post(&w->loading);
        while (sem_wait(&w->go) != 0) {
        }
    }
    if (w->fail) {
        fault_set(f, E_REFUSED, "no value for '%s'", key);
        return fault_remedy(f, "give up");
    }
    v = xcalloc(1, sizeof *v);
    *v = (struct value){.magic = MAGIC, .number = number, .world = w};
    snprintf(v->key, sizeof v->key, "%s", key);
    snprintf(v->version, sizeof v->version, "%s", version ? version : "");
    w->live++;
    *value = v;
    return E_OK;
}

static void
free_value(void *value)
{
    struct value *v = value;
    struct world *w = v->world;

    w->wrong += v->magic != MAGIC;
    v->magic = 0;
    w->live--;
    w->frees++;
    free(v);
}

static const struct slots_class class = {.name = "things", .load = load, .free = free_value};

static void
set_up(struct world *w, size_t max)
{
    *w = (struct world){.awaited = 0};
    w->slots = slots_create(&class, w, max);
    sem_init(&w->loading, 0, 0);
    sem_init(&w->go, 0, 0);
}

static void
tear_down(struct world *w)
{
    slots_destroy(w->slots);
    sem_destroy(&w->loading);
    sem_destroy(&w->go);
    CHECK_INT(w->live, 0);
    CHECK_INT(w->wrong, 0);
}

static struct value *
made(struct world *w, const char *key)
{
    struct value *v = xcalloc(1, sizeof *v);

    *v = (struct value){.magic = MAGIC, .world = w};
    snprintf(v->key, sizeof v->key, "%s", key);
    w->live++;
    return v;
}

static struct slot_pin
must_get(struct world *w, const char *key, const char *version)
{
    struct slot_pin pin;
    struct fault f = FAULT_INIT;

    CHECK(slots_get(w->slots, key, version, w, NEVER, &pin, &f) == E_OK);
    CHECK(pin.value != NULL);
    CHECK_INT(((struct value *)pin.value)->magic, MAGIC);
    CHECK_STR(((struct value *)pin.value)->key, key);
    return pin;
}

static unsigned
number_of(const struct slot_pin *pin)
{
    return ((const struct value *)pin->value)->number;
}

static void
a_value_is_made_once(void **state)
{
    struct world w;
    struct slot_pin a, again, none;
    struct slots_counters c;

    (void)state;
    set_up(&w, 4);
    CHECK(!slots_peek(w.slots, "a", &none));
    CHECK(none.value == NULL && none.slot == NULL);
    a = must_get(&w, "a", NULL);
    again = must_get(&w, "a", NULL);
    CHECK(a.value == again.value);
    slots_unpin(w.slots, &again);
    CHECK(again.slot == NULL);
    slots_unpin(w.slots, &again); /* No pin: nothing happens. */
    CHECK(slots_peek(w.slots, "a", &again));
    CHECK(again.value == a.value);
    slots_unpin(w.slots, &a);
    slots_unpin(w.slots, &again);
    c = slots_counters(w.slots);
    CHECK_INT(c.misses, 1);
    CHECK_INT(c.hits, 2);
    CHECK_INT(c.double_loads, 0);
    CHECK_INT(c.size, 1);
    CHECK_INT(c.max, 4);
    CHECK(c.lock_acquisitions >= 7);
    CHECK_INT(w.live, 1); /* The table's. */
    tear_down(&w);
    CHECK_INT(w.frees, 1);
    slots_destroy(NULL);
}

static void
a_glance_counts_where_it_helped(void **state)
{
    struct world w;
    struct slot_pin a, again;

    (void)state;
    set_up(&w, 4);
    CHECK(!slots_glance(w.slots, "a", &again));
    a = must_get(&w, "a", NULL);
    CHECK(slots_glance(w.slots, "a", &again));
    CHECK(again.value == a.value);
    CHECK_INT(slots_counters(w.slots).hits, 0);
    slots_count_glance(w.slots);
    CHECK_INT(slots_counters(w.slots).hits, 1);
    slots_unpin(w.slots, &again);
    slots_unpin(w.slots, &a);
    tear_down(&w);
}

/* It finds what slots_get() would hand out at once, and tells nothing of the rest. */
static void
a_look_neither_loads_nor_drops(void **state)
{
    struct world w;
    struct slot_pin a, looked;

    (void)state;
    set_up(&w, 4);
    CHECK(!slots_look(w.slots, "a", "1", &w, &looked));
    CHECK(looked.value == NULL && looked.slot == NULL);
    a = must_get(&w, "a", "1");
    CHECK(slots_look(w.slots, "a", "1", &w, &looked));
    CHECK(looked.value == a.value);
    slots_unpin(w.slots, &looked);
    CHECK(!slots_look(w.slots, "a", "2", &w, &looked));
    CHECK(slots_look(w.slots, "a", "1", &w, &looked)); /* It is there as it was. */
    slots_unpin(w.slots, &looked);
    slots_unpin(w.slots, &a);
    CHECK_INT(w.loads, 1);
    CHECK_INT(slots_counters(w.slots).misses, 1);
    CHECK_INT(slots_counters(w.slots).hits, 2);
    tear_down(&w);
}

static void
look_up_one_key(void *arg, unsigned number)
{
    struct world *w = arg;
    struct slot_pin pin;
    struct fault f = FAULT_INIT;
    void *none = NULL;
    enum err err;

    (void)number;
    w->arrived++;
    err = slots_get(w->slots, "key", NULL, w, NEVER, &pin, &f);
    if (err == E_OK) {
        w->ok++;
        if (!atomic_compare_exchange_strong(&w->first, &none, pin.value)) {
            w->wrong += none != pin.value;
        }
        w->wrong += ((struct value *)pin.value)->magic != MAGIC;
        slots_unpin(w->slots, &pin);
    } else {
        w->refused += err == E_REFUSED && strcmp(f.text, "no value for 'key'") == 0 &&
                      strcmp(f.remedy, "give up") == 0 && f.code == E_REFUSED;
        w->wrong += pin.value != NULL || pin.slot != NULL;
    }
}

/* The rule of the counters, at each count of threads. */
static void
of_many_first_callers_one_loads(void **state)
{
    (void)state;
    for (const unsigned *size = race_sizes; *size; size++) {
        for (unsigned round = 0; round < scaled(6); round++) {
            struct world w;
            struct slots_counters c;

            set_up(&w, 4);
            w.awaited = round % 2 ? *size : 0; /* A slow load, and one that races. */
            threads_run(*size, look_up_one_key, &w);
            c = slots_counters(w.slots);
            CHECK_INT(w.loads, 1);
            CHECK_INT(w.ok, *size);
            CHECK_INT(c.misses, 1);
            CHECK_INT(c.hits + c.double_loads, *size - 1);
            CHECK_INT(c.load_failures, 0);
            CHECK_INT(w.live, 1);
            tear_down(&w);
        }
    }
}

static void
a_failed_load_is_told_to_all_and_not_kept(void **state)
{
    (void)state;
    for (const unsigned *size = race_sizes; *size; size++) {
        struct world w;
        struct slots_counters c;
        struct slot_pin pin;

        set_up(&w, 4);
        w.fail = true;
        w.awaited = *size;
        threads_run(*size, look_up_one_key, &w);
        c = slots_counters(w.slots);
        CHECK_INT(w.refused, *size); /* Who came too late to wait has tried, and failed, too. */
        CHECK_INT(c.misses, w.loads);
        CHECK_INT(c.load_failures, w.loads);
        CHECK_INT(c.hits + c.double_loads, 0);
        CHECK_INT(c.size, 0);
        w.fail = false;
        pin = must_get(&w, "key", NULL); /* The next one tries again. */
        slots_unpin(w.slots, &pin);
        CHECK_INT(slots_counters(w.slots).misses, c.misses + 1);
        tear_down(&w);
    }
}

static void
a_failure_needs_nobody_to_listen(void **state)
{
    struct world w;
    struct slot_pin pin;

    (void)state;
    set_up(&w, 1);
    w.fail = true;
    CHECK(slots_get(w.slots, "key", NULL, &w, NEVER, &pin, NULL) == E_REFUSED);
    tear_down(&w);
}

/* A load on a thread of its own, which waits until the test lets it go. */
struct held {
    struct world *w;
    pthread_t thread;
    const char *key, *version;
    struct slot_pin pin;
    enum err err;
};

static void *
get_held(void *arg)
{
    struct held *h = arg;

    h->err = slots_get(h->w->slots, h->key, h->version, h->w, NEVER, &h->pin, NULL);
    return NULL;
}

static void
begin_held(struct held *h, struct world *w, const char *key, const char *version)
{
    *h = (struct held){.w = w, .key = key, .version = version};
    w->hold = true;
    pthread_create(&h->thread, NULL, get_held, h);
    while (sem_wait(&w->loading) != 0) {
    }
    w->hold = false;
}

static void
end_held(struct held *h)
{
    sem_post(&h->w->go);
    pthread_join(h->thread, NULL);
}

static void
nobody_waits_past_the_deadline(void **state)
{
    struct world w;
    struct held h;
    struct slot_pin pin;
    struct fault f = FAULT_INIT;

    (void)state;
    set_up(&w, 4);
    begin_held(&h, &w, "key", NULL);
    CHECK(slots_get(w.slots, "key", NULL, &w, clock_mono(clock_real()) + 3000000, &pin, &f) ==
          E_TIMEOUT);
    CHECK(strstr(f.text, "things") != NULL);
    CHECK(pin.slot == NULL);
    CHECK(slots_get(w.slots, "key", NULL, &w, 0, &pin, NULL) == E_TIMEOUT);
    CHECK(!slots_peek(w.slots, "key", &pin));
    end_held(&h);
    CHECK(h.err == E_OK);
    pin = must_get(&w, "key", NULL);
    CHECK(pin.value == h.pin.value);
    slots_unpin(w.slots, &pin);
    slots_unpin(w.slots, &h.pin);
    CHECK_INT(w.loads, 1);
    tear_down(&w);
}

static void
the_least_used_makes_room(void **state)
{
    struct world w;
    struct slot_pin a, pin, other;
    struct fault f = FAULT_INIT;

    (void)state;
    set_up(&w, 2);
    a = must_get(&w, "a", NULL);
    slots_unpin(w.slots, &a);
    pin = must_get(&w, "b", NULL);
    slots_unpin(w.slots, &pin);
    a = must_get(&w, "a", NULL); /* Now 'b' is the oldest. */
    pin = must_get(&w, "c", NULL);
    slots_unpin(w.slots, &pin);
    CHECK_INT(w.frees, 1);
    CHECK(!slots_peek(w.slots, "b", &pin));
    /* One that is in use stays, though it is the oldest: a key has one value. */
    pin = must_get(&w, "d", NULL);
    CHECK(slots_peek(w.slots, "a", &other));
    CHECK(other.value == a.value);
    slots_unpin(w.slots, &other);
    CHECK_INT(w.frees, 2);
    /* With all in use there is no room, and nothing is lost. */
    CHECK(slots_get(w.slots, "e", NULL, &w, NEVER, &other, &f) == E_NOT_READY);
    CHECK(other.slot == NULL);
    CHECK(slots_put(w.slots, "e", made(&w, "e"), &other, &f) == E_NOT_READY);
    slots_unpin(w.slots, &a);
    a = must_get(&w, "e", NULL);
    slots_unpin(w.slots, &a);
    slots_unpin(w.slots, &pin);
    CHECK_INT(slots_counters(w.slots).evictions, 3);
    CHECK_INT(slots_counters(w.slots).size, 2);
    tear_down(&w);
}

static void
a_load_is_never_put_out(void **state)
{
    struct world w;
    struct held h;
    struct slot_pin pin;
    struct fault f = FAULT_INIT;

    (void)state;
    set_up(&w, 1);
    begin_held(&h, &w, "a", NULL);
    CHECK(slots_get(w.slots, "b", NULL, &w, NEVER, &pin, &f) == E_NOT_READY);
    CHECK(strstr(f.text, "things") != NULL);
    end_held(&h);
    slots_unpin(w.slots, &h.pin);
    pin = must_get(&w, "b", NULL);
    slots_unpin(w.slots, &pin);
    tear_down(&w);
}

static void
a_made_value_is_put_or_freed(void **state)
{
    struct world w;
    struct held h;
    struct slot_pin put, pin;
    struct fault f = FAULT_INIT;

    (void)state;
    set_up(&w, 2);
    CHECK(slots_put(w.slots, "a", made(&w, "a"), &put, &f) == E_OK);
    pin = must_get(&w, "a", NULL);
    CHECK(pin.value == put.value);
    slots_unpin(w.slots, &pin);
    CHECK(slots_put(w.slots, "a", made(&w, "a"), &pin, &f) == E_CONFLICT);
    CHECK(pin.slot == NULL);
    CHECK_INT(w.frees, 1);
    slots_unpin(w.slots, &put);
    begin_held(&h, &w, "b", NULL);
    CHECK(slots_put(w.slots, "b", made(&w, "b"), &pin, &f) == E_CONFLICT);
    slots_drop(w.slots, "a", NULL);
    CHECK(slots_put(w.slots, "a", made(&w, "a"), &pin, &f) == E_OK);
    slots_unpin(w.slots, &pin);
    CHECK(slots_put(w.slots, "c", made(&w, "c"), &pin, &f) == E_OK); /* In the place of 'a'. */
    slots_unpin(w.slots, &pin);
    end_held(&h);
    slots_unpin(w.slots, &h.pin);
    CHECK_INT(w.loads, 1);
    tear_down(&w);

    set_up(&w, 1);
    begin_held(&h, &w, "a", NULL);
    CHECK(slots_put(w.slots, "b", made(&w, "b"), &pin, &f) == E_NOT_READY);
    CHECK_INT(w.frees, 1);
    end_held(&h);
    slots_unpin(w.slots, &h.pin);
    tear_down(&w);
}

static void
another_version_is_loaded_anew(void **state)
{
    struct world w;
    struct slot_pin one, two, any;

    (void)state;
    set_up(&w, 4);
    one = must_get(&w, "a", "1");
    two = must_get(&w, "a", "2");
    CHECK_STR(((struct value *)one.value)->version, "1"); /* Who has it keeps it. */
    CHECK_STR(((struct value *)two.value)->version, "2");
    any = must_get(&w, "a", NULL);
    CHECK(any.value == two.value);
    slots_unpin(w.slots, &any);
    any = must_get(&w, "a", "2");
    CHECK(any.value == two.value);
    slots_unpin(w.slots, &any);
    CHECK_INT(w.loads, 2);
    CHECK_INT(slots_counters(w.slots).size, 1);
    slots_unpin(w.slots, &one);
    CHECK_INT(w.frees, 1);
    slots_unpin(w.slots, &two);
    any = must_get(&w, "b", NULL); /* Made without a version: any version is another one. */
    slots_unpin(w.slots, &any);
    any = must_get(&w, "b", "1");
    slots_unpin(w.slots, &any);
    CHECK_INT(w.loads, 4);
    tear_down(&w);
}

static bool
is_even(const void *value, const void *arg)
{
    (void)arg;
    return ((const struct value *)value)->number % 2 == 0;
}

static void
what_is_not_fresh_any_more_is_loaded_anew(void **state)
{
    static const struct slots_class fresh_class = {
        .name = "things", .load = load, .free = free_value, .fresh = is_even};
    struct world w;
    struct slot_pin one, two;

    (void)state;
    set_up(&w, 4);
    slots_destroy(w.slots);
    w.slots = slots_create(&fresh_class, &w, 4);
    one = must_get(&w, "a", "1"); /* Whoever makes one has it, fresh or not. */
    CHECK_INT(((struct value *)one.value)->number, 1);
    two = must_get(&w, "a", "1");
    CHECK_INT(((struct value *)two.value)->number, 2);
    slots_unpin(w.slots, &two);
    two = must_get(&w, "a", "1");
    CHECK_INT(((struct value *)two.value)->number, 2);
    CHECK_INT(slots_counters(w.slots).misses, 2);
    CHECK_INT(slots_counters(w.slots).hits, 1);
    CHECK_INT(slots_counters(w.slots).size, 1);
    slots_unpin(w.slots, &two);
    slots_unpin(w.slots, &one);
    tear_down(&w);
}

static void
another_version_does_not_wait_for_a_stale_load(void **state)
{
    struct world w;
    struct held h;
    struct slot_pin two, now;

    (void)state;
    set_up(&w, 4);
    begin_held(&h, &w, "a", "1");
    two = must_get(&w, "a", "2");
    CHECK_STR(((struct value *)two.value)->version, "2");
    end_held(&h);
    CHECK(h.err == E_OK);
    CHECK_STR(((struct value *)h.pin.value)->version,
              "1"); /* Its own caller gets what he asked for. */
    now = must_get(&w, "a", "2");
    CHECK(now.value == two.value);
    slots_unpin(w.slots, &now);
    slots_unpin(w.slots, &two);
    CHECK_INT(w.frees, 0);
    slots_unpin(w.slots, &h.pin);
    CHECK_INT(w.frees, 1); /* The stale one was in no table. */
    tear_down(&w);
}

static void
a_dropped_value_is_made_again(void **state)
{
    struct world w;
    struct slot_pin old, pin;

    (void)state;
    set_up(&w, 4);
    CHECK(!slots_drop(w.slots, "a", NULL));
    old = must_get(&w, "a", NULL);
    CHECK(!slots_drop(w.slots, "a", &w)); /* It holds another value. */
    CHECK(slots_drop(w.slots, "a", old.value));
    CHECK(!slots_drop(w.slots, "a", old.value));
    pin = must_get(&w, "a", NULL);
    CHECK(number_of(&pin) == 2 && number_of(&old) == 1);
    CHECK(!slots_drop(w.slots, "a", old.value)); /* A late drop of the old one harms no new one. */
    slots_unpin(w.slots, &old);
    slots_unpin(w.slots, &pin);
    CHECK(slots_drop(w.slots, "a", NULL));
    CHECK_INT(w.frees, 2);
    tear_down(&w);
}

static void
a_load_dropped_meanwhile_is_not_kept(void **state)
{
    struct world w;
    struct held h, failing;
    struct slot_pin pin;

    (void)state;
    set_up(&w, 4);
    begin_held(&h, &w, "a", NULL);
    CHECK(!slots_drop(w.slots, "a", &w));
    CHECK(slots_drop(w.slots, "a", NULL));
    pin = must_get(&w, "a", NULL); /* Does not wait for it. */
    CHECK_INT(number_of(&pin), 2);
    end_held(&h);
    CHECK_INT(number_of(&h.pin), 1);
    slots_unpin(w.slots, &h.pin);
    CHECK_INT(w.frees, 1);
    slots_unpin(w.slots, &pin);
    pin = must_get(&w, "a", NULL);
    CHECK_INT(number_of(&pin), 2);
    slots_unpin(w.slots, &pin);

    begin_held(&failing, &w, "b", NULL); /* The same with a load that fails. */
    CHECK_INT(slots_clear(w.slots), 2);
    w.fail = true;
    end_held(&failing);
    CHECK(failing.err == E_REFUSED);
    w.fail = false;
    CHECK_INT(slots_counters(w.slots).size, 0);
    tear_down(&w);
}

struct visit {
    unsigned count, stop_at;
    struct world *w;
};

static bool
visit_one(void *arg, const char *key, void *value)
{
    struct visit *v = arg;

    v->count++;
    v->w->wrong += strcmp(key, ((struct value *)value)->key) != 0;
    slots_drop(v->w->slots, key, value); /* No lock is held: it may. */
    v->w->wrong += ((struct value *)value)->magic != MAGIC;
    return v->count != v->stop_at;
}

static void
each_ready_value_is_visited(void **state)
{
    struct world w;
    struct held h;
    struct visit v = {.w = &w};
    struct slot_pin pin;

    (void)state;
    set_up(&w, 8);
    slots_each(w.slots, visit_one, &v);
    CHECK_INT(v.count, 0);
    for (int i = 0; i < 5; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        pin = must_get(&w, key, NULL);
        slots_unpin(w.slots, &pin);
    }
    begin_held(&h, &w, "loading", NULL);
    v.stop_at = 2;
    slots_each(w.slots, visit_one, &v);
    CHECK_INT(v.count, 2);
    slots_each(w.slots, visit_one, &v);
    CHECK_INT(v.count, 5);
    CHECK_INT(w.frees, 5);
    end_held(&h);
    slots_unpin(w.slots, &h.pin);
    tear_down(&w);
}

/* Keys, versions, drops and clears at random from many threads: every look-up is answered by a
 * value of its key and at least its version, and the numbers add up. */
struct storm {
    struct world w;
    _Atomic unsigned gets, peeks_found;
};

static void
rage(void *arg, unsigned number)
{
    struct storm *s = arg;
    struct world *w = &s->w;
    unsigned seed = number * 2654435761u + 1, rounds = 200;

    while (rounds--) {
        struct slot_pin pin;
        char key[16], version[16];
        enum err err;

        seed = seed * 1103515245u + 12345u;
        snprintf(key, sizeof key, "k%u", seed >> 16 & 15);
        snprintf(version, sizeof version, "v%u", seed >> 20 & 1);
        switch (seed >> 24 & 31) {
        case 0:
            slots_clear(w->slots);
            break;
        case 1:
            slots_drop(w->slots, key, NULL);
            break;
        case 2:
            s->peeks_found += slots_peek(w->slots, key, &pin);
            slots_unpin(w->slots, &pin);
            break;
        default:
            s->gets++;
            err = slots_get(w->slots, key, seed >> 21 & 1 ? version : NULL, w, NEVER, &pin, NULL);
            if (err == E_OK) {
                const struct value *v = pin.value;

                w->ok++;
                w->wrong += v->magic != MAGIC || strcmp(v->key, key) != 0;
                w->wrong += (seed >> 21 & 1) && strcmp(v->version, version) != 0;
                slots_unpin(w->slots, &pin);
            } else {
                w->not_ready += err == E_NOT_READY;
            }
        }
    }
}

static void
a_storm_leaves_everything_in_place(void **state)
{
    (void)state;
    for (const unsigned *size = race_sizes; *size; size++) {
        struct storm s = {.gets = 0};
        struct slots_counters c;

        set_up(&s.w, 8);
        threads_run(*size, rage, &s);
        c = slots_counters(s.w.slots);
        CHECK_INT(s.w.wrong, 0);
        CHECK_INT(s.w.ok + s.w.not_ready, s.gets);
        CHECK_INT(c.hits + c.misses + c.double_loads, s.w.ok + s.peeks_found);
        CHECK_INT(c.misses, s.w.loads);
        CHECK(c.size <= 8);
        CHECK_INT(s.w.live, c.size); /* Nothing is pinned: what lives is in the table. */
        tear_down(&s.w);
        CHECK_INT(s.w.frees, s.w.loads);
    }
}

/* ---- Classes that evict what is in use, and load again what was dropped ---- */

static char evicted_keys[64];

static void
note_evicted(void *owner, const char *key)
{
    struct slots_counters c = slots_counters(((struct world *)owner)->slots); /* No lock is held. */

    snprintf(evicted_keys, sizeof evicted_keys, "%s,%zu", key, c.size);
}

static void
what_is_in_use_makes_room_where_the_class_says_so(void **state)
{
    static const struct slots_class evicting = {.name = "things",
                                                .load = load,
                                                .free = free_value,
                                                .evicted = note_evicted,
                                                .evicts_used = true};
    struct world w;
    struct slot_pin a, b, again;

    (void)state;
    set_up(&w, 1);
    slots_destroy(w.slots);
    w.slots = slots_create(&evicting, &w, 1);
    a = must_get(&w, "a", NULL);
    b = must_get(&w, "b", NULL);
    CHECK_STR(evicted_keys, "a,1");
    CHECK_INT(w.live, 2);
    again = must_get(&w, "a", NULL);
    CHECK(again.value != a.value);
    CHECK_STR(evicted_keys, "b,1");
    slots_unpin(w.slots, &a);
    slots_unpin(w.slots, &b);
    CHECK_INT(w.live, 1);
    slots_unpin(w.slots, &again);
    tear_down(&w);
}

struct getting {
    struct world *world;
    struct slot_pin pin;
};

static void *
get_in_thread(void *arg)
{
    struct getting *g = arg;

    g->world->wrong +=
        slots_get(g->world->slots, "a", NULL, g->world, NEVER, &g->pin, NULL) != E_OK;
    return NULL;
}

/* Starts a thread that gets "a", and returns once it waits: it has taken the lock, which it drops
 * in its wait only. */
static void
start_waiter(struct getting *g, pthread_t *thread)
{
    uint64_t taken = slots_counters(g->world->slots).lock_acquisitions, now;

    pthread_create(thread, NULL, get_in_thread, g);
    do {
        sched_yield();
        taken++; /* Each look takes it once. */
        now = slots_counters(g->world->slots).lock_acquisitions;
    } while (now == taken);
}

static void
a_load_that_is_dropped_is_done_once_more(void **state)
{
    static const struct slots_class reloading = {
        .name = "things", .load = load, .free = free_value, .reloads = true};
    struct world w;
    struct getting loader = {&w, {NULL, NULL}}, waiter = {&w, {NULL, NULL}};
    pthread_t threads[2];

    (void)state;
    set_up(&w, 2);
    slots_destroy(w.slots);
    w.slots = slots_create(&reloading, &w, 2);
    w.hold = true;
    pthread_create(&threads[0], NULL, get_in_thread, &loader);
    sem_wait(&w.loading);
    start_waiter(&waiter, &threads[1]);
    CHECK(slots_drop(w.slots, "a", NULL));
    CHECK(!slots_drop(w.slots, "a", &w)); /* It has no value yet. */
    sem_post(&w.go);
    sem_wait(&w.loading);
    /* Once more is enough for who loads; who waits may have come after the last drop. */
    CHECK_INT(slots_clear(w.slots), 1);
    sem_post(&w.go);
    pthread_join(threads[0], NULL);
    sem_wait(&w.loading);
    w.hold = false;
    sem_post(&w.go);
    pthread_join(threads[1], NULL);
    CHECK_INT(number_of(&loader.pin), 2);
    CHECK_INT(number_of(&waiter.pin), 3);
    CHECK_INT(w.frees, 1);
    slots_unpin(w.slots, &loader.pin);
    slots_unpin(w.slots, &waiter.pin);

    w.fail = true;
    CHECK(slots_get(w.slots, "b", NULL, &w, NEVER, &loader.pin, NULL) == E_REFUSED);
    w.fail = false;
    loader.pin = must_get(&w, "b", NULL);
    slots_unpin(w.slots, &loader.pin);
    tear_down(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_use_makes_room_where_the_class_says_so),
        cmocka_unit_test(a_load_that_is_dropped_is_done_once_more),
        cmocka_unit_test(a_value_is_made_once),
        cmocka_unit_test(a_glance_counts_where_it_helped),
        cmocka_unit_test(a_look_neither_loads_nor_drops),
        cmocka_unit_test(of_many_first_callers_one_loads),
        cmocka_unit_test(a_failed_load_is_told_to_all_and_not_kept),
        cmocka_unit_test(a_failure_needs_nobody_to_listen),
        cmocka_unit_test(nobody_waits_past_the_deadline),
        cmocka_unit_test(the_least_used_makes_room),
        cmocka_unit_test(a_load_is_never_put_out),
        cmocka_unit_test(a_made_value_is_put_or_freed),
        cmocka_unit_test(another_version_is_loaded_anew),
        cmocka_unit_test(what_is_not_fresh_any_more_is_loaded_anew),
        cmocka_unit_test(another_version_does_not_wait_for_a_stale_load),
        cmocka_unit_test(a_dropped_value_is_made_again),
        cmocka_unit_test(a_load_dropped_meanwhile_is_not_kept),
        cmocka_unit_test(each_ready_value_is_visited),
        cmocka_unit_test(a_storm_leaves_everything_in_place),
    };
    alarm(300);
    return CHECK_RUN(tests);
}
