/* helgrind.h -- included before everything else in a build for helgrind, which sees locks, threads
 * and conditions, but takes C11's atomics for plain reads and writes: so each of them says here
 * that its place is not to be looked at, and that what was done before it was written happens
 * before what is done after it was read.  Relaxed ones say so too, which hides no more than
 * ThreadSanitizer, who knows them all, would find. */
#ifndef TANDEM_TESTS_HELGRIND_H
#define TANDEM_TESTS_HELGRIND_H

#include <stdatomic.h>
#include <stdint.h>
#include <valgrind/helgrind.h>

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_init
#undef atomic_exchange
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_weak_explicit

/* An atomic operation on 'PLACE': DO is done with helgrind_place for it. */
#define HELGRIND_ATOMIC(PLACE, DO)                                         \
    __extension__({                                                        \
        __auto_type helgrind_place = (PLACE);                              \
        void *helgrind_at = (void *)(uintptr_t)helgrind_place;             \
        VALGRIND_HG_DISABLE_CHECKING(helgrind_at, sizeof *helgrind_place); \
        ANNOTATE_HAPPENS_BEFORE(helgrind_at);                              \
        __auto_type helgrind_result = DO;                                  \
        ANNOTATE_HAPPENS_AFTER(helgrind_at);                               \
        helgrind_result;                                                   \
    })
/* One that only reads tells nothing of what was done before. */
#define atomic_load(PLACE)                                                 \
    __extension__({                                                        \
        __auto_type helgrind_place = (PLACE);                              \
        void *helgrind_at = (void *)(uintptr_t)helgrind_place;             \
        __typeof__((void)0, *helgrind_place) helgrind_result;              \
        VALGRIND_HG_DISABLE_CHECKING(helgrind_at, sizeof *helgrind_place); \
        __atomic_load(helgrind_place, &helgrind_result, __ATOMIC_SEQ_CST); \
        ANNOTATE_HAPPENS_AFTER(helgrind_at);                               \
        helgrind_result;                                                   \
    })
#define atomic_store(PLACE, VALUE)                                         \
    __extension__({                                                        \
        __auto_type helgrind_place = (PLACE);                              \
        void *helgrind_at = (void *)(uintptr_t)helgrind_place;             \
        __typeof__((void)0, *helgrind_place) helgrind_value = (VALUE);     \
        VALGRIND_HG_DISABLE_CHECKING(helgrind_at, sizeof *helgrind_place); \
        ANNOTATE_HAPPENS_BEFORE(helgrind_at);                              \
        __atomic_store(helgrind_place, &helgrind_value, __ATOMIC_SEQ_CST); \
    })
#define atomic_init(PLACE, VALUE) atomic_store(PLACE, VALUE)
#define atomic_fetch_add(PLACE, N) \
    HELGRIND_ATOMIC(PLACE, __atomic_fetch_add(helgrind_place, (N), __ATOMIC_SEQ_CST))
#define atomic_fetch_sub(PLACE, N) \
    HELGRIND_ATOMIC(PLACE, __atomic_fetch_sub(helgrind_place, (N), __ATOMIC_SEQ_CST))
#define atomic_exchange(PLACE, VALUE)                                                           \
    __extension__({                                                                             \
        __typeof__((void)0, *(PLACE)) helgrind_old, helgrind_new = (VALUE);                     \
        HELGRIND_ATOMIC(PLACE, (__atomic_exchange(helgrind_place, &helgrind_new, &helgrind_old, \
                                                  __ATOMIC_SEQ_CST),                            \
                                0));                                                            \
        helgrind_old;                                                                           \
    })
#define atomic_compare_exchange_strong(PLACE, EXPECTED, VALUE)                                  \
    __extension__({                                                                             \
        __typeof__((void)0, *(PLACE)) helgrind_new = (VALUE);                                   \
        HELGRIND_ATOMIC(PLACE,                                                                  \
                        __atomic_compare_exchange(helgrind_place, (EXPECTED), &helgrind_new, 0, \
                                                  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));         \
    })

#define atomic_load_explicit(PLACE, ORDER) atomic_load(PLACE)
#define atomic_store_explicit(PLACE, VALUE, ORDER) atomic_store(PLACE, VALUE)
#define atomic_fetch_add_explicit(PLACE, N, ORDER) atomic_fetch_add(PLACE, N)
#define atomic_fetch_sub_explicit(PLACE, N, ORDER) atomic_fetch_sub(PLACE, N)
#define atomic_compare_exchange_weak(PLACE, EXPECTED, VALUE) \
    atomic_compare_exchange_strong(PLACE, EXPECTED, VALUE)
#define atomic_compare_exchange_weak_explicit(PLACE, EXPECTED, VALUE, GOOD, BAD) \
    atomic_compare_exchange_strong(PLACE, EXPECTED, VALUE)

#endif
