/* quota_rows.h -- the counters of a store in memory: a table that adds, tells and forgets.
 *
 * Each row is in three parts: what is in the snapshot or in journals before, and what is in the
 * journals of odd and of even generations, so that what one file holds can be told from what is
 * being added to the next.  Not locked: its owner has the lock. */
#ifndef TANDEM_QUOTA_ROWS_H
#define TANDEM_QUOTA_ROWS_H

#include "state/quota_store.h"

/* Rows in memory.  Past it those whose window ended first are forgotten early, so that only the
 * history of what counts by the minute gets shorter. */
#define QUOTA_ROWS_MAX 32768u

struct quota_rows;

/* One counter. */
struct quota_row {
    char key[QUOTA_KEY_SIZE];
    struct quota_window window;
    struct quota_amounts amounts;
};

enum quota_part { PART_EVEN, PART_ODD, PART_BASE, PART_COUNT };

/* A new, empty table. */
struct quota_rows *quota_rows_create(void);
/* Null is ignored. */
void quota_rows_destroy(struct quota_rows *rows);
size_t quota_rows_count(const struct quota_rows *rows);

/* Adds to 'part' of the counter and of that of the day; tells the sums if 'total' is not null. */
void quota_rows_add(struct quota_rows *rows, enum quota_part part, const struct quota_add *add,
                    struct quota_total *total);
/* Sums; zeros where there is nothing. */
void quota_rows_load(const struct quota_rows *rows, const char *key,
                     const struct quota_window *window, int64_t day, struct quota_total *total);
/* Makes 'part' a part of the base. */
void quota_rows_fold(struct quota_rows *rows, enum quota_part part);
/* Forgets rows whose window ended at 'before' or earlier, and more of the oldest if there are too
 * many.  Returns how many went. */
size_t quota_rows_expire(struct quota_rows *rows, int64_t before, size_t max);
/* The base of all rows, at most 'max'; returns how many. */
size_t quota_rows_copy(const struct quota_rows *rows, struct quota_row *out, size_t max);

#endif
