/* sched_points.c -- what the compiler calls at each atomic and each access to memory, in the place
 * of ThreadSanitizer's library: points at which another thread may go on.
 *
 * The names and arguments are the compiler's.  All atomics are sequentially consistent here: only
 * one thread runs, so the orders weaker than that, which ThreadSanitizer knows, cannot be seen. */
#include "tests/prove/sched.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

void
__tsan_init(void)
{
}

void
__tsan_func_entry(void *caller)
{
    (void)caller;
}

void
__tsan_func_exit(void)
{
}

#define ACCESS(NAME)           \
    void NAME(void *address)   \
    {                          \
        sched_access(address); \
    }
ACCESS(__tsan_read1)
ACCESS(__tsan_read2)
ACCESS(__tsan_read4)
ACCESS(__tsan_read8)
ACCESS(__tsan_read16)
ACCESS(__tsan_write1)
ACCESS(__tsan_write2)
ACCESS(__tsan_write4)
ACCESS(__tsan_write8)
ACCESS(__tsan_write16)
ACCESS(__tsan_unaligned_read2)
ACCESS(__tsan_unaligned_read4)
ACCESS(__tsan_unaligned_read8)
ACCESS(__tsan_unaligned_read16)
ACCESS(__tsan_unaligned_write2)
ACCESS(__tsan_unaligned_write4)
ACCESS(__tsan_unaligned_write8)
ACCESS(__tsan_unaligned_write16)
ACCESS(__tsan_volatile_read1)
ACCESS(__tsan_volatile_read4)
ACCESS(__tsan_volatile_read8)
ACCESS(__tsan_volatile_write1)
ACCESS(__tsan_volatile_write4)
ACCESS(__tsan_volatile_write8)

void
__tsan_read_range(void *address, size_t size)
{
    (void)size;
    sched_access(address);
}

void
__tsan_write_range(void *address, size_t size)
{
    (void)size;
    sched_access(address);
}

void
__tsan_atomic_thread_fence(int order)
{
    (void)order;
    sched_atomic();
}

void
__tsan_atomic_signal_fence(int order)
{
    (void)order;
}

#define FETCH(BITS, TYPE, NAME)                                                       \
    TYPE __tsan_atomic##BITS##_fetch_##NAME(volatile TYPE *at, TYPE value, int order) \
    {                                                                                 \
        (void)order;                                                                  \
        sched_atomic();                                                               \
        return __atomic_fetch_##NAME(at, value, __ATOMIC_SEQ_CST);                    \
    }
#define EXCHANGE_IF(BITS, TYPE, NAME)                                                           \
    int __tsan_atomic##BITS##_compare_exchange_##NAME(volatile TYPE *at, TYPE *old, TYPE value, \
                                                      int order, int failed)                    \
    {                                                                                           \
        (void)order;                                                                            \
        (void)failed;                                                                           \
        sched_atomic();                                                                         \
        return __atomic_compare_exchange_n(at, old, value, false, __ATOMIC_SEQ_CST,             \
                                           __ATOMIC_SEQ_CST);                                   \
    }
#define ATOMIC(BITS, TYPE)                                                        \
    TYPE __tsan_atomic##BITS##_load(const volatile TYPE *at, int order)           \
    {                                                                             \
        (void)order;                                                              \
        sched_atomic();                                                           \
        return __atomic_load_n(at, __ATOMIC_SEQ_CST);                             \
    }                                                                             \
    void __tsan_atomic##BITS##_store(volatile TYPE *at, TYPE value, int order)    \
    {                                                                             \
        (void)order;                                                              \
        sched_atomic();                                                           \
        __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                            \
    }                                                                             \
    TYPE __tsan_atomic##BITS##_exchange(volatile TYPE *at, TYPE value, int order) \
    {                                                                             \
        (void)order;                                                              \
        sched_atomic();                                                           \
        return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                  \
    }                                                                             \
    FETCH(BITS, TYPE, add)                                                        \
    FETCH(BITS, TYPE, sub)                                                        \
    FETCH(BITS, TYPE, and)                                                        \
    FETCH(BITS, TYPE, or)                                                         \
    FETCH(BITS, TYPE, xor)                                                        \
    EXCHANGE_IF(BITS, TYPE, strong)                                               \
    EXCHANGE_IF(BITS, TYPE, weak)
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)
