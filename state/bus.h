/* bus.h -- what happens in the server, told to whoever listens, without knowing who that is.
 *
 * Every event gets the next number of one sequence under one lock, in memory only: so every
 * consumer sees them in the same order and without holes, and whoever publishes waits for no
 * socket, no subscriber and no disk.  The last ones are kept, for those who come back.
 *
 * An event is made once, with the JSON text that all consumers are sent, and is immutable.  Who
 * consumes: subscribers in the process (bus_subscribe.h), on a thread of the bus; readers
 * (bus_reader.h), each with a bounded queue that its owner drains: those behind sockets.
 *
 * Any thread that holds no lock, but where it says otherwise; takes BUS. */
#ifndef TANDEM_BUS_H
#define TANDEM_BUS_H

#include "state/base/clock.h"
#include "state/base/err.h"
#include "state/base/mem.h"
#include "state/bus_event.h"
#include "state/bus_pattern.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct bus;
struct keeper_job;

struct bus_options {
    const struct clock *clock; /* Borrowed; must outlive it. */
    /* Identifies this run of the server, 1 to BUS_EPOCH_MAX characters of [A-Za-z0-9_]; copied. */
    const char *epoch;
    unsigned history;     /* Events that are kept; */
    size_t history_bytes; /* and at most so much of their text. */
    /* What readers may read, copied; null: all. */
    const struct bus_patterns *outside;
    unsigned readers;     /* At a time. */
    unsigned queue;       /* Unread events of a reader; */
    size_t queue_bytes;   /* and of their text. */
    bool end_on_overflow; /* A reader that falls behind is over; else its oldest are dropped. */
    int64_t replay_ns;    /* Events older than that are not told to who comes back. */
};
#define BUS_OPTIONS_INIT                                                                 \
    {                                                                                    \
        .clock = NULL, .epoch = "0", .history = 1000, .history_bytes = (size_t)16 << 20, \
        .readers = 100, .queue = 1000, .queue_bytes = (size_t)4 << 20,                   \
        .replay_ns = INT64_C(300000000000)                                               \
    }

/* A new one; the options are copied. */
struct bus *bus_create(const struct bus_options *options);
/* Stops the thread, if there is one.  All readers must be closed.  Null is ignored. */
void bus_destroy(struct bus *bus);

/* An event to be.  All borrowed for the call of bus_publish(), but 'data'. */
struct bus_draft {
    const char *topic;          /* See bus_pattern.h; the first segment is the type. */
    const char *tenant;         /* Whose it is; null: the server's, for all to see. */
    const char *session_id;     /* May be null, as may the next two. */
    const char *correlation_id; /* What the publisher knows it by. */
    const char *source;         /* Who tells; null: "server". */
    json_t *data;               /* Stolen in any case; null: {}. */
};

enum published {
    PUBLISHED_ACCEPTED,
    PUBLISHED_DISABLED,
    PUBLISHED_FILTERED, /* The filters allow no such topic. */
    PUBLISHED_INVALID,  /* The topic is none. */
    PUBLISHED_FAILED,   /* There is no memory. */
};

/* Publishes.  Never waits for a consumer.  A null bus tells nobody: PUBLISHED_DISABLED.  Data whose
 * text is over BUS_DATA_MAX is replaced by {"truncated":true,"size":N}. */
enum published bus_publish(struct bus *bus, const struct bus_draft *draft);
/* The same; '*seq' is its number, if it was accepted. */
enum published bus_publish_seq(struct bus *bus, const struct bus_draft *draft, uint64_t *seq);
/* "accepted", ...  Borrowed for ever. */
const char *published_name(enum published published);

/* Whether a client may publish that: a topic, and none whose first segment is reserved for the
 * server's own events ("hook" is not: records of hooks come from clients).
 * E_ARGUMENT. */
enum err bus_check_topic(struct slice topic, struct fault *f);

/* Names this run of the sequence; borrowed, set once. */
const char *bus_epoch(const struct bus *bus);
/* The number of the newest event; 0 before the first. */
uint64_t bus_seq(struct bus *bus);
/* Has 'job' stirred after each event from now on; null: none. */
void bus_stirs(struct bus *bus, struct keeper_job *job);

/* ---- Filters, and on and off ---- */

/* The filters are an allow list for all who publish: none of them allows everything. */
enum err bus_add_filter(struct bus *bus, struct slice pattern, struct fault *f);
/* False if there was none. */
bool bus_remove_filter(struct bus *bus, struct slice pattern);
/* Puts 'filters' in the place of all. */
void bus_set_filters(struct bus *bus, const struct bus_patterns *filters);
/* Stores a copy in '*filters', which must be empty and is the caller's to free. */
void bus_filters(struct bus *bus, struct bus_patterns *filters);

/* While it is off nothing is published. */
void bus_enable(struct bus *bus, bool enabled);
/* As it was made, for tests: what is kept and counted is forgotten, as are filters; the sequence
 * goes on, and subscribers and readers stay. */
void bus_reset(struct bus *bus);

/* ---- What there is to know ---- */

/* Which of the events that are kept. */
struct bus_query {
    const struct bus_patterns *patterns; /* Null: all. */
    const char *tenant;                  /* Its events and the server's; null: the latter only. */
    uint64_t after;                      /* Those with a greater number; */
    uint64_t before;                     /* and, but for 0, with a smaller one than this. */
    bool outside;                        /* What readers may read, and no more. */
};
/* Stores up to 'max' of the newest that are asked for, oldest first, counted, and returns how
 * many. */
size_t bus_recent(struct bus *bus, const struct bus_query *query, struct bus_event **events,
                  size_t max);

struct bus_stats {
    uint64_t seq; /* Of the newest event; 0 before the first. */
    uint64_t published, filtered, disabled, invalid;
    uint64_t failed;    /* Not made for want of memory, or of callbacks that failed. */
    uint64_t dropped;   /* Not told in the process, for too many waited. */
    uint64_t truncated; /* Of those published: data too large to be told. */
    int64_t last_ns;    /* When the newest was published; 0 before the first.  Wall time. */
    bool enabled;
    unsigned filters, subscribers, readers;
    size_t history, history_bytes, waiting; /* Kept; waiting for the subscribers' thread. */
    uint64_t generation;                    /* How often it was reset. */
    /* Of all readers there were: handed to them; dropped since they were slow; and how often one
     * was refused, or ended because of that. */
    uint64_t read, unread, refused, overflows;
    uint64_t lock_acquisitions, lock_waits;
};
/* What is counted, as it is now. */
struct bus_stats bus_stats(struct bus *bus);

#endif
