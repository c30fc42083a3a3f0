/* quota_journal_start.c -- what was counted before: the snapshot, and the journals it does not
 * cover; and the writing of snapshots.
 *
 * Nothing that was counted is thrown away for a fault beside it: records are read one by one, each
 * by its own checksum, and where one is bad the next good one is looked for byte by byte.  A file
 * with bad records in it that no crash explains is kept aside. */
#include "state/quota_journal_private.h"

#include "state/base/clock.h"
#include "state/base/log.h"
#include "state/quota_record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

LOG_MODULE("quota");

#define READ_SIZE (256u * QUOTA_RECORD_SIZE)
#define FILES_MAX 10000u                                                    /* In the folder. */
#define SNAPSHOT_MAX ((size_t)(QUOTA_ROWS_MAX + 1) * QUOTA_RECORD_SIZE * 2) /* Bytes. */

/* Calls 'take' for each good record in 'bytes'; returns how many bytes were of none, and stores how
 * many at the end may be the beginning of one. */
static size_t
scan(struct slice bytes, enum quota_record_kind kind,
     void (*take)(void *arg, const struct quota_add *add), void *arg, size_t *rest)
{
    size_t at = 0, bad = 0;

    while (bytes.len - at >= QUOTA_RECORD_SIZE) {
        struct quota_add add;
        if (quota_record_get(kind, (const unsigned char *)bytes.data + at, &add)) {
            take(arg, &add);
            at += QUOTA_RECORD_SIZE;
        } else {
            at++;
            bad++;
        }
    }
    *rest = bytes.len - at;
    return bad;
}

static void
take_add(void *rows, const struct quota_add *add)
{
    quota_rows_add(rows, PART_BASE, add, NULL);
}

/* Reads one journal, as long as it may be, in pieces. */
static enum err
replay_file(struct quota_rows *rows, struct dir *dir, const char *name, struct fault *f)
{
    int fd = dir_open_at(dir, name, O_RDONLY | O_NOFOLLOW, 0);
    char *piece = xcalloc(1, READ_SIZE);
    size_t have = 0, bad = 0;
    ssize_t n = fd < 0 ? -1 : 1;

    while (n > 0) {
        n = read(fd, piece + have, READ_SIZE - have);
        if (n > 0) {
            size_t rest;
            have += (size_t)n;
            bad += scan((struct slice){piece, have}, RECORD_ADD, take_add, rows, &rest);
            memmove(piece, piece + have - rest, rest);
            have = rest;
        } else if (n < 0 && errno == EINTR) {
            n = 1;
        }
    }
    if (n < 0) {
        fault_set(f, E_IO, "'quota/%s' cannot be read: %s", name, strerror(errno));
    } else if (bad + have) {
        log_warn("torn record in the journal of quotas skipped", F_STR("file", name),
                 F_UINT("bytes", bad + have));
    }
    if (fd >= 0) {
        close(fd);
    }
    free(piece);
    return n < 0 ? E_IO : E_OK;
}

/* ---- The snapshot ---- */

struct snapshot {
    struct quota_rows *rows;
    size_t count;
};

static void
take_row(void *arg, const struct quota_add *row)
{
    struct snapshot *s = arg;
    struct quota_add add = *row;

    /* A row that stands for itself: that of a day is among them too. */
    add.day = add.window.start;
    add.more_today = (struct quota_amounts){0, 0};
    quota_rows_add(s->rows, PART_BASE, &add, NULL);
    s->count++;
}

static enum err
keep_aside(struct dir *dir, int64_t wall_ns, const struct buf *text, struct fault *f)
{
    char aside[80], stamp[CLOCK_TEXT_SIZE];

    clock_format_stamp(wall_ns, stamp);
    snprintf(aside, sizeof aside, SNAPSHOT_NAME ".corrupt-%s", stamp);
    log_error("the snapshot of quotas is damaged: what is whole in it counts, a copy is kept",
              F_STR("file", aside));
    return dir_write(dir, aside, buf_slice(text), f);
}

/* Reads the snapshot, if there is one, and tells the first generation that it does not cover. */
static enum err
read_snapshot(struct dir *dir, struct quota_rows *rows, int64_t wall_ns, uint64_t *generation,
              bool *damaged, struct fault *f)
{
    struct snapshot snapshot = {.rows = rows};
    struct buf text = BUF_INIT;
    struct quota_add head;
    size_t rest = 0, bad = 0;
    enum err err = dir_read(dir, SNAPSHOT_NAME, SNAPSHOT_MAX, &text, NULL, f);

    *generation = 1;
    *damaged = false;
    if (err == E_NOT_FOUND) {
        return E_OK;
    }
    if (!err && text.len >= QUOTA_RECORD_SIZE &&
        quota_record_get(RECORD_HEAD, (const unsigned char *)text.data, &head)) {
        *generation = head.id;
        bad = scan((struct slice){text.data + QUOTA_RECORD_SIZE, text.len - QUOTA_RECORD_SIZE},
                   RECORD_ROW, take_row, &snapshot, &rest);
        *damaged = bad + rest > 0 || snapshot.count != head.more.used;
    } else if (!err) {
        scan(buf_slice(&text), RECORD_ROW, take_row, &snapshot, &rest);
        *damaged = true; /* Which journals it covers is not known: those that are there count. */
    }
    if (*damaged) {
        err = keep_aside(dir, wall_ns, &text, f);
    }
    buf_fini(&text);
    return err;
}

enum err
journal_write_snapshot(struct dir *dir, uint64_t generation, const struct quota_row *rows,
                       size_t count, struct fault *f)
{
    struct buf text = BUF_INIT;
    struct quota_add add = {.id = generation, .more = {.used = count}};
    unsigned char record[QUOTA_RECORD_SIZE];
    enum err err;

    quota_record_put(RECORD_HEAD, &add, record);
    buf_add(&text, record, sizeof record);
    for (size_t i = 0; i < count; i++) {
        add = (struct quota_add){.window = rows[i].window, .more = rows[i].amounts};
        memcpy(add.key, rows[i].key, sizeof add.key);
        quota_record_put(RECORD_ROW, &add, record);
        buf_add(&text, record, sizeof record);
    }
    err = text.failed ? fault_set(f, E_OVERLOAD, "there is no memory for a snapshot of quotas")
                      : dir_write(dir, SNAPSHOT_NAME, buf_slice(&text), f);
    buf_fini(&text);
    return err;
}

/* Writes what was saved of a damaged snapshot, and what came after it, as a whole one. */
static enum err
heal(struct quota_journal *j, struct dir *dir, struct fault *f)
{
    size_t count = quota_rows_count(j->rows);
    struct quota_row *rows = xcalloc(count + 1, sizeof *rows);
    enum err err;

    count = quota_rows_copy(j->rows, rows, count);
    err = journal_write_snapshot(dir, atomic_load(&j->generation), rows, count, f);
    free(rows);
    return err;
}

/* The generation in a journal's name; 0 if it is none. */
static uint64_t
generation_of(const char *name)
{
    char again[JOURNAL_NAME_SIZE];
    uint64_t generation = 0;

    if (strncmp(name, "journal-", 8) == 0) {
        generation = strtoull(name + 8, NULL, 10);
        journal_name(generation, again);
        generation = strcmp(again, name) == 0 ? generation : 0;
    }
    return generation;
}

enum err
journal_replay(struct quota_journal *j, struct dir *dir, int64_t wall_ns, struct fault *f)
{
    struct dir_list list = {.count = 0};
    uint64_t first, last = 0;
    bool damaged;
    enum err err;

    dir_sweep(dir);
    err = read_snapshot(dir, j->rows, wall_ns, &first, &damaged, f);
    err = err ? err : dir_list(dir, ".", FILES_MAX, &list, f);
    j->oldest = 0;
    for (size_t i = 0; !err && i < list.count; i++) { /* Sorted: by generation too. */
        uint64_t generation = generation_of(list.entries[i].name);
        if (generation == 0 || generation < first) {
            if (generation) {
                dir_remove_volatile(dir, list.entries[i].name, NULL); /* Covered. */
            }
            continue;
        }
        err = replay_file(j->rows, dir, list.entries[i].name, f);
        j->oldest = j->oldest ? j->oldest : generation;
        last = generation;
    }
    dir_list_fini(&list);
    /* Never a name that was there: its file would be covered, or torn at its end. */
    atomic_store(&j->generation, last >= first ? last + 1 : first);
    j->oldest = j->oldest ? j->oldest : atomic_load(&j->generation);
    quota_rows_expire(j->rows, wall_ns / 1000000000 - QUOTA_KEEP_S, QUOTA_ROWS_MAX);
    return err || !damaged ? err : heal(j, dir, f); /* The next sync removes the journals. */
}
