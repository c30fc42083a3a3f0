/* The outbox: order, limits, one wake a rest, nothing after it is closed, many threads adding. */
#include "tests/check.h"

#include "transports/outbox.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

static const struct outbox_limits no_limits = {0, 0};

static void
count_wake(void *arg)
{
    atomic_fetch_add((_Atomic unsigned *)arg, 1);
}

static struct bytes *
message(const char *text)
{
    return bytes_new(text, strlen(text));
}

static void
messages_come_out_as_they_went_in(void **state)
{
    _Atomic unsigned wakes = 0;
    struct outbox *ob = outbox_create(&no_limits, count_wake, &wakes);
    struct bytes *out[8];
    char text[16], expected = 'a';

    (void)state;
    CHECK_INT(outbox_peek(ob, out, 8), 0);
    /* More than the ring's first size, with its start moving: it wraps and grows. */
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 7; i++) {
            snprintf(text, sizeof text, "%c", 'a' + (round * 7 + i) % 26);
            CHECK(outbox_add(ob, message(text)) == E_OK);
        }
        CHECK_INT(outbox_peek(ob, out, 3), 3);
        for (int i = 0; i < 3; i++) {
            CHECK_INT(out[i]->data[0], expected);
            expected = expected == 'z' ? 'a' : (char)(expected + 1);
        }
        outbox_pop(ob, 3);
        CHECK_INT(outbox_bytes(ob), (round + 1) * 4);
    }
    for (size_t n; (n = outbox_peek(ob, out, 8)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            CHECK_INT(out[i]->data[0], expected);
            expected = expected == 'z' ? 'a' : (char)(expected + 1);
        }
        outbox_pop(ob, n);
    }
    CHECK_INT(outbox_bytes(ob), 0);
    outbox_destroy(ob);
    outbox_destroy(NULL);
}

static void
the_owner_is_woken_once_until_it_has_looked(void **state)
{
    _Atomic unsigned wakes = 0;
    struct outbox *ob = outbox_create(&no_limits, count_wake, &wakes);
    struct bytes *out[4];

    (void)state;
    outbox_add(ob, message("a"));
    outbox_add(ob, message("b"));
    outbox_wake(ob);
    CHECK_INT(wakes, 1);
    CHECK_INT(outbox_peek(ob, out, 4), 2);
    outbox_pop(ob, 2);
    outbox_add(ob, message("c")); /* It has not found it empty yet, so it will look again. */
    CHECK_INT(wakes, 1);
    CHECK_INT(outbox_peek(ob, out, 4), 1);
    outbox_pop(ob, 1);
    CHECK_INT(outbox_peek(ob, out, 4), 0);
    outbox_wake(ob);
    CHECK_INT(wakes, 2);
    CHECK_INT(outbox_peek(ob, out, 4), 0);
    outbox_expect(ob);
    outbox_add(ob, message("d"));
    outbox_add(ob, message("e"));
    CHECK_INT(wakes, 2);
    CHECK_INT(outbox_peek(ob, out, 4), 2);
    CHECK(!outbox_pop_and_look(ob, 1));
    outbox_add(ob, message("f")); /* There was more, so it goes on. */
    CHECK_INT(wakes, 2);
    CHECK(outbox_pop_and_look(ob, 2));
    outbox_add(ob, message("g"));
    CHECK_INT(wakes, 3);
    outbox_destroy(ob);
}

static void
many_are_dropped_at_once(void **state)
{
    _Atomic unsigned wakes = 0;
    struct outbox *ob = outbox_create(&no_limits, count_wake, &wakes);
    struct bytes *kept = message("kept"), *out;

    (void)state;
    for (int i = 0; i < 200; i++) {
        outbox_add(ob, bytes_ref(kept));
    }
    CHECK(!outbox_pop_and_look(ob, 150));
    CHECK_INT(outbox_bytes(ob), 50 * 4);
    CHECK_INT(kept->refs, 51);
    CHECK(outbox_pop_and_look(ob, 50));
    CHECK_INT(outbox_bytes(ob), 0);
    CHECK_INT(kept->refs, 1);
    CHECK_INT(outbox_peek(ob, &out, 1), 0);
    bytes_unref(kept);
    outbox_destroy(ob);
}

static void
a_full_outbox_refuses(void **state)
{
    static const struct outbox_limits limits = {.messages = 2, .bytes = 10};
    _Atomic unsigned wakes = 0;
    struct outbox *ob = outbox_create(&limits, count_wake, &wakes);
    struct bytes *large = message("more than ten bytes"), *out[2];

    (void)state;
    CHECK(outbox_add(ob, bytes_ref(large)) == E_OK); /* Alone it always fits. */
    CHECK(outbox_add(ob, message("x")) == E_LIMIT);
    outbox_pop(ob, 1);
    CHECK(outbox_add(ob, message("12345")) == E_OK);
    CHECK(outbox_add(ob, message("123456")) == E_LIMIT);
    CHECK(outbox_add(ob, message("12345")) == E_OK);
    CHECK(outbox_add(ob, message("")) == E_LIMIT); /* Messages, not bytes. */
    CHECK_INT(outbox_peek(ob, out, 2), 2);
    CHECK(outbox_add(ob, bytes_ref(large)) == E_LIMIT);
    CHECK(outbox_add_owed(ob, bytes_ref(large)) == E_OK); /* What is owed is taken even so. */
    outbox_pop(ob, 3);
    CHECK_INT(large->refs, 1); /* Stolen, also when it failed. */
    bytes_unref(large);
    outbox_destroy(ob);
}

static void
closed_it_drops_and_wakes_nobody(void **state)
{
    _Atomic unsigned wakes = 0;
    struct outbox *ob = outbox_create(&no_limits, count_wake, &wakes);
    struct bytes *kept = message("kept"), *out[2];

    (void)state;
    outbox_add(ob, bytes_ref(kept));
    CHECK_INT(outbox_peek(ob, out, 2), 1);
    outbox_pop(ob, 1);
    CHECK_INT(outbox_peek(ob, out, 2), 0);
    outbox_add(ob, bytes_ref(kept));
    outbox_add(ob, bytes_ref(kept));
    CHECK_INT(kept->refs, 3);
    outbox_close(ob);
    CHECK_INT(kept->refs, 1);
    CHECK_INT(outbox_bytes(ob), 0);
    wakes = 0;
    CHECK_INT(outbox_peek(ob, out, 2), 0);
    CHECK(outbox_add(ob, bytes_ref(kept)) == E_CANCELLED);
    outbox_wake(ob);
    CHECK_INT(wakes, 0);
    CHECK_INT(kept->refs, 1);
    bytes_unref(kept);
    outbox_destroy(ob);
}

enum { THREADS = 8, EACH = 2000 };

struct crowd {
    struct outbox *ob;
    pthread_barrier_t barrier;
    sem_t woken;
    _Atomic unsigned next;
};

static void
post(void *arg)
{
    sem_post(&((struct crowd *)arg)->woken);
}

static void *
add_many(void *arg)
{
    struct crowd *c = arg;
    unsigned me = atomic_fetch_add(&c->next, 1);
    char text[32];

    pthread_barrier_wait(&c->barrier);
    for (unsigned i = 0; i < EACH; i++) {
        snprintf(text, sizeof text, "%u %u", me, i);
        outbox_add(c->ob, message(text));
    }
    return NULL;
}

/* The owner waits to be woken and never looks otherwise: a wake that was lost would hang it. */
static void
many_threads_lose_nothing_and_no_wake(void **state)
{
    struct crowd c = {.next = 0};
    pthread_t threads[THREADS];
    unsigned seen[THREADS] = {0}, total = 0, wrong = 0;
    struct bytes *out[16];

    (void)state;
    c.ob = outbox_create(&no_limits, post, &c);
    sem_init(&c.woken, 0, 0);
    pthread_barrier_init(&c.barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, add_many, &c);
    }
    while (total < THREADS * EACH) {
        size_t n;

        sem_wait(&c.woken);
        while ((n = outbox_peek(c.ob, out, 16)) > 0) {
            for (size_t i = 0; i < n; i++) {
                unsigned who = 0, what = 0;
                wrong += sscanf(out[i]->data, "%u %u", &who, &what) != 2 || who >= THREADS ||
                         seen[who] != what; /* Each one's messages stay in order. */
                seen[who]++;
            }
            outbox_pop(c.ob, n);
            total += (unsigned)n;
        }
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(wrong, 0);
    CHECK_INT(total, THREADS * EACH);
    CHECK_INT(outbox_bytes(c.ob), 0);
    outbox_destroy(c.ob);
    sem_destroy(&c.woken);
    pthread_barrier_destroy(&c.barrier);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_as_they_went_in),
        cmocka_unit_test(the_owner_is_woken_once_until_it_has_looked),
        cmocka_unit_test(many_are_dropped_at_once),
        cmocka_unit_test(a_full_outbox_refuses),
        cmocka_unit_test(closed_it_drops_and_wakes_nobody),
        cmocka_unit_test(many_threads_lose_nothing_and_no_wake),
    };
    return CHECK_RUN(tests);
}
