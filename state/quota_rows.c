/* quota_rows.c -- a hash table from key and window to amounts. */
#include "state/quota_rows.h"

#include "state/base/hash.h"

#define DAY 86400
#define ID_SIZE (9u + QUOTA_KEY_SIZE)

struct row {
    struct quota_window window;
    struct quota_amounts parts[PART_COUNT];
    UT_hash_handle hh;
    unsigned id_len;
    char id[]; /* Start, period, key: what the table finds it by. */
};

struct quota_rows {
    struct row *table;
};

struct row_id {
    unsigned len;
    char bytes[ID_SIZE];
};

static void
make_id(const char *key, const struct quota_window *window, struct row_id *id)
{
    size_t len = strnlen(key, QUOTA_KEY_SIZE - 1);

    memcpy(id->bytes, &window->start, 8);
    id->bytes[8] = (char)window->period;
    memcpy(id->bytes + 9, key, len);
    id->len = 9 + (unsigned)len;
}

struct quota_rows *
quota_rows_create(void)
{
    return xcalloc(1, sizeof(struct quota_rows));
}

static void
drop(struct quota_rows *rows, struct row *row)
{
    HASH_DEL(rows->table, row);
    free(row);
}

void
quota_rows_destroy(struct quota_rows *rows)
{
    struct row *row, *next;

    if (rows) {
        HASH_ITER(hh, rows->table, row, next) {
            drop(rows, row);
        }
        free(rows);
    }
}

size_t
quota_rows_count(const struct quota_rows *rows)
{
    return HASH_COUNT(rows->table);
}

static struct row *
find(const struct quota_rows *rows, const char *key, const struct quota_window *window)
{
    struct row_id id;
    struct row *row;

    make_id(key, window, &id);
    HASH_FIND(hh, rows->table, id.bytes, id.len, row);
    return row;
}

static struct row *
find_or_add(struct quota_rows *rows, const char *key, const struct quota_window *window)
{
    struct row *row = find(rows, key, window);
    struct row_id id;

    if (!row) {
        make_id(key, window, &id);
        row = xcalloc(1, sizeof *row + id.len);
        row->window = *window;
        row->id_len = id.len;
        memcpy(row->id, id.bytes, id.len);
        HASH_ADD_KEYPTR(hh, rows->table, row->id, row->id_len, row);
    }
    return row;
}

static struct quota_amounts
sum(const struct row *row)
{
    struct quota_amounts all = {0, 0};

    for (int i = 0; row && i < PART_COUNT; i++) {
        all.used += row->parts[i].used;
        all.released += row->parts[i].released;
    }
    return all;
}

static struct quota_amounts
grow(struct row *row, enum quota_part part, const struct quota_amounts *more)
{
    row->parts[part].used += more->used;
    row->parts[part].released += more->released;
    return sum(row);
}

void
quota_rows_add(struct quota_rows *rows, enum quota_part part, const struct quota_add *add,
               struct quota_total *total)
{
    struct quota_window day = quota_window_from(PERIOD_DAY, add->day);
    struct quota_total now;

    now.window = grow(find_or_add(rows, add->key, &add->window), part, &add->more);
    now.today = quota_window_same(&add->window, &day)
                    ? now.window
                    : grow(find_or_add(rows, add->key, &day), part, &add->more_today);
    if (total) {
        *total = now;
    }
}

void
quota_rows_load(const struct quota_rows *rows, const char *key, const struct quota_window *window,
                int64_t day, struct quota_total *total)
{
    struct quota_window today = quota_window_from(PERIOD_DAY, day);

    total->window = sum(find(rows, key, window));
    total->today = sum(find(rows, key, &today));
}

void
quota_rows_fold(struct quota_rows *rows, enum quota_part part)
{
    for (struct row *row = rows->table; row; row = row->hh.next) {
        grow(row, PART_BASE, &row->parts[part]);
        row->parts[part] = (struct quota_amounts){0, 0};
    }
}

static int
by_end(const void *a, const void *b)
{
    const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;

    return (x->window.end > y->window.end) - (x->window.end < y->window.end);
}

size_t
quota_rows_expire(struct quota_rows *rows, int64_t before, size_t max)
{
    size_t gone = 0, count;
    struct row *row, *next, **oldest;

    HASH_ITER(hh, rows->table, row, next) {
        if (row->window.end <= before) {
            drop(rows, row);
            gone++;
        }
    }
    count = HASH_COUNT(rows->table);
    if (count > max) {
        size_t n = 0;
        oldest = xcalloc(count, sizeof *oldest);
        for (row = rows->table; row; row = row->hh.next) {
            oldest[n++] = row;
        }
        qsort(oldest, count, sizeof *oldest, by_end);
        for (n = 0; n < count - max; n++) {
            drop(rows, oldest[n]);
        }
        gone += n;
        free(oldest);
    }
    return gone;
}

size_t
quota_rows_copy(const struct quota_rows *rows, struct quota_row *out, size_t max)
{
    size_t count = 0;

    for (const struct row *row = rows->table; row && count < max; row = row->hh.next) {
        struct quota_row *copy = &out[count++];
        *copy = (struct quota_row){.window = row->window, .amounts = row->parts[PART_BASE]};
        memcpy(copy->key, row->id + 9, row->id_len - 9);
    }
    return count;
}
