/* late.h -- libraries that are loaded when they are first needed.
 *
 * What is linked is bound before main(), used or not: libcrypto takes 0.65 ms of every start and
 * 0.9 MiB, SQLite 0.5 ms, libwebsockets with libssl 0.4 ms and 1.1 MiB.  So where a library is for
 * some servers only, a module of ours defines the functions of it that are used, by their own
 * names, each calling the real one through a struct late: those who call them include its headers
 * and see no difference.  A function without its definition does not link; one whose definition
 * differs from the header's does not compile. */
#ifndef TANDEM_LATE_H
#define TANDEM_LATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A library, or what is known of it so far.  The only state of tandem that is at file scope:
 * written once, with what is the same for every thread. */
struct late {
    const char *file;         /* By its soname: where the system has its libraries. */
    const char *const *names; /* Of the functions that are used, */
    size_t count;             /* so many, at least one. */
    _Atomic(void *) *calls;   /* The functions. */
    void (*loaded)(void *);   /* Gets dlopen()'s handle before anybody calls; may be null. */
    _Atomic bool ready;
};

/* True once it can be called.  False if it is not there, or there is no memory or descriptor for it
 * now: it is tried again at the next call.  Any thread. */
bool late_load(struct late *late);
/* The function number 'i', or null as above. */
void *late_call(struct late *late, size_t i);

/* clang-format off */
/* The rows of a module are CALL(result, NAME, (parameters), (arguments)), and SAY(NAME, (parameters),
 * (arguments)) for what has no result.  A call that cannot be made answers 0 or null. */
#define LATE_INDEX_CALL(RESULT, NAME, PARAMETERS, ARGUMENTS) LATE_##NAME,
#define LATE_INDEX_SAY(NAME, PARAMETERS, ARGUMENTS)          LATE_##NAME,
#define LATE_NAME_CALL(RESULT, NAME, PARAMETERS, ARGUMENTS)  #NAME,
#define LATE_NAME_SAY(NAME, PARAMETERS, ARGUMENTS)           #NAME,
#define LATE_DEFINE_CALL(RESULT, NAME, PARAMETERS, ARGUMENTS) \
    RESULT NAME PARAMETERS                                    \
    {                                                         \
        void *late_at = late_call(&library, LATE_##NAME);     \
        __typeof__(&NAME) late_do;                            \
        memcpy(&late_do, &late_at, sizeof late_do);           \
        return late_do ? late_do ARGUMENTS : (RESULT)0;       \
    }
#define LATE_DEFINE_SAY(NAME, PARAMETERS, ARGUMENTS)          \
    void NAME PARAMETERS                                      \
    {                                                         \
        void *late_at = late_call(&library, LATE_##NAME);     \
        __typeof__(&NAME) late_do;                            \
        memcpy(&late_do, &late_at, sizeof late_do);           \
        if (late_do) {                                        \
            late_do ARGUMENTS;                                \
        }                                                     \
    }
/* Defines the functions of FUNCTIONS(CALL, SAY), in the library FILE, with 'library' for late_load();
 * LOADED may be null. */
#define LATE_LIBRARY(FILE, FUNCTIONS, LOADED)                                             \
    enum { FUNCTIONS(LATE_INDEX_CALL, LATE_INDEX_SAY) LATE_COUNT };                       \
    static const char *const late_names[] = {FUNCTIONS(LATE_NAME_CALL, LATE_NAME_SAY)};   \
    static _Atomic(void *) late_calls[LATE_COUNT];                                        \
    static struct late library = {FILE, late_names, LATE_COUNT, late_calls, LOADED, false}; \
    FUNCTIONS(LATE_DEFINE_CALL, LATE_DEFINE_SAY)
/* clang-format on */

#endif
