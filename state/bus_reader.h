/* bus_reader.h -- a queue of events for one who reads at his own pace: a socket, mostly.
 *
 * A reader is opened from a place in the past, or from now on; being registered and picking what is
 * told of the past are one step, so nothing is missed or told twice between them.  What it is
 * handed, in order of the numbers:
 *
 *     what is kept of the past (replay), with a gap before it if more is asked for than is kept;
 *     then what is published, with a gap where it did not read fast enough.
 *
 * Its unread events are bounded, by number and by bytes, and publishers never wait for it: the
 * oldest are dropped, and the gap tells which; or, by a setting, it is over.  The past does not
 * count there: it is not more than the bus keeps anyway.
 *
 * THREADS.  Whoever opened it owns it and closes it; taking is for one thread at a time, the other
 * functions for any that holds no lock.  'wake' makes the owner take soon.  It is called by
 * whoever publishes, under the lock of the bus, so that it is never called once the reader is
 * closed: it may send a wake (uv_async_send, keeper_stir, an outbox's), take locks behind BUS, and
 * nothing else.  It comes once until the owner has taken all there is.  The events that are
 * handed out are counted, and are let go whenever and wherever the owner likes: all readers share
 * one text. */
#ifndef TANDEM_BUS_READER_H
#define TANDEM_BUS_READER_H

#include "state/base/err.h"
#include "state/bus_event.h"
#include "state/bus_pattern.h"
#include "state/tenant_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bus;
struct bus_reader;

enum bus_from {
    BUS_FROM_NOW,
    BUS_FROM_LAST, /* The newest 'last' that match, first. */
    BUS_FROM_SEQ,  /* All that came after 'seq' of 'epoch'; if that is another run's, as above. */
};

struct bus_reader_options {
    const struct bus_patterns *patterns; /* Copied; null or empty: all. */
    const char *tenant; /* Copied.  Its events are seen and the server's; null: the latter only. */
    enum bus_from from;
    unsigned last;
    const char *epoch; /* Borrowed for the call; null: this run's. */
    uint64_t seq;
    size_t take_bytes; /* Of text that is handed out at once, or one event; 0: any. */
    void (*wake)(void *arg);
    void *arg;
};

/* Where it begins. */
struct bus_reader_start {
    const char *epoch; /* Borrowed from the bus. */
    uint64_t seq;      /* The newest number when it was opened; 0 before the first. */
    bool resumed;      /* BUS_FROM_SEQ, and it was this run's. */
    size_t replay;     /* Events of the past that it will be handed. */
    uint64_t from;     /* The number of the first of them; 0 without. */
    bool complete;     /* None is missing: there is no gap before them. */
};

/* A new reader in '*reader'.  Its owner takes at once: what is there already wakes nobody.
 * E_OVERLOAD over the number of readers. */
enum err bus_reader_open(struct bus *bus, const struct bus_reader_options *options,
                         struct bus_reader **reader, struct bus_reader_start *start,
                         struct fault *f);
/* Whose events it is handed besides the server's; null: nobody's.  Borrowed from it. */
const char *bus_reader_tenant(const struct bus_reader *reader);
/* Frees it; it is woken no more.  Null is ignored. */
void bus_reader_close(struct bus_reader *reader);

enum bus_item_kind {
    BUS_ITEM_EVENT,
    BUS_ITEM_GAP,  /* What matched of the numbers 'from' to 'to' is not to be had any more. */
    BUS_ITEM_OVER, /* Nothing more comes.  Once. */
};
enum bus_over {
    BUS_OVER_SLOW,   /* It fell behind. */
    BUS_OVER_TENANT, /* bus_readers_end(). */
};
struct bus_item {
    enum bus_item_kind kind;
    enum bus_over over;      /* Why, of the last. */
    bool replay;             /* Of the past. */
    struct bus_event *event; /* Counted: the caller's. */
    uint64_t from, to;
};

struct bus_reader_stats {
    uint64_t taken, dropped;
    size_t waiting, waiting_bytes; /* Of what is published; */
    size_t replay;                 /* and of the past. */
    uint64_t last_seq;             /* Of the newest event that was taken; 0 before the first. */
    bool empty;                    /* There is nothing to take. */
};
/* What is counted, as it is now. */
struct bus_reader_stats bus_reader_stats(struct bus_reader *reader);

/* Stores up to 'max' of what comes next, within 'take_bytes', and returns how many; and what is
 * known of it then in '*stats' (may be null): where that is empty, what comes from then on
 * wakes. */
size_t bus_reader_take(struct bus_reader *reader, struct bus_item *items, size_t max,
                       struct bus_reader_stats *stats);

/* Begins anew behind 'seq' of this run, in one step, without giving up its place: what it has is
 * dropped, and told again as far as it is kept.  Its owner takes at once.  By the thread that
 * takes. */
void bus_reader_rewind(struct bus_reader *reader, uint64_t seq, struct bus_reader_start *start);

/* Has it told of what matches 'patterns', copied, from now on; what it has is handed out still. */
void bus_reader_choose(struct bus_reader *reader, const struct bus_patterns *patterns);

/* Stores the tenant, of those of whose events there are readers, whose id is next behind 'after'
 * (null: the first).  False if there is none. */
bool bus_readers_next_tenant(struct bus *bus, const char *after, char tenant[TENANT_ID_SIZE]);
/* All readers of 'tenant' are over, and what they have not taken is dropped.  Returns how many. */
unsigned bus_readers_end(struct bus *bus, const char *tenant);

#endif
