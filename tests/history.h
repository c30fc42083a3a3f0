/* history.h -- who did what from when to when, and whether any order of single steps explains it.
 *
 * Each client notes its operations in a list of its own, with no lock: when it asked, when it was
 * answered, and what.  Afterwards the lists are put together and checked.  An operation took place
 * at some moment between its start and its end; the checkers are exact: they say no only if there
 * are no such moments that fit, and for counters, versions and loads they find each case in which
 * there are none. */
#ifndef TANDEM_TESTS_HISTORY_H
#define TANDEM_TESTS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum history_kind {
    HISTORY_TAKE,    /* A unit of quota 'key': the result is its number, 0 if there was none. */
    HISTORY_CREATE,  /* Get-or-create of 'key': the result is the id, and it was made. */
    HISTORY_GET,     /* The same, and it was there; 0: only looked for, and there was none. */
    HISTORY_ADVANCE, /* 'key' was advanced: the result is the new version; 0: not. */
    HISTORY_READ,    /* Its version. */
    HISTORY_LOAD,    /* A cache loaded 'key': the result is the value, one for each load. */
    HISTORY_FOUND,   /* A cache told the value of 'key'. */
    HISTORY_EVENT,   /* A subscriber was told the number 'result'; its publisher is 'key'. */
    HISTORY_MISSED,  /* It was told that it misses the numbers 'key' to 'result'. */
};

struct history_op {
    int64_t start_ns, end_ns; /* Monotonic. */
    uint64_t key, result;
    uint32_t number; /* Of an event: its publisher's own count, from 1. */
    uint16_t client;
    uint8_t kind;
};

struct history {
    struct history_op *ops; /* Owned. */
    size_t count, size;
};
#define HISTORY_INIT \
    {                \
        NULL, 0, 0   \
    }
void history_add(struct history *h, const struct history_op *op);
/* Moves what 'from' has to the end of 'h'. */
void history_join(struct history *h, struct history *from);
void history_fini(struct history *h);

/* Each looks at its own kinds of operations and puts them in an order that it likes.  False, with
 * the first case in 'why', if no order of single steps explains them.  'why' is empty else. */
#define HISTORY_WHY 256

/* Numbers are unique, from 1 without holes, at most 'limit', and one that ended before another
 * began has the smaller number; and nobody was refused while there was some left. */
bool history_check_quota(struct history *h, uint64_t limit, char why[HISTORY_WHY]);
/* One creator a key, its id is everybody's, nobody has it before it is begun, and nobody misses it
 * once it is there. */
bool history_check_create(struct history *h, char why[HISTORY_WHY]);
/* Versions from 1 without holes, no two advances share one, their order is that of the clock, a
 * read is a version of its time, and no client sees one go back. */
bool history_check_versions(struct history *h, char why[HISTORY_WHY]);
/* No two loads of a key overlap; what is found was loaded before its end, by a load that no other
 * had followed when it was asked for. */
bool history_check_loads(struct history *h, char why[HISTORY_WHY]);
/* In the order of the list: each client is told each number once, rising, of each publisher too,
 * and what it is not told is a gap that it was told of. */
bool history_check_relay(struct history *h, char why[HISTORY_WHY]);

#endif
