/* mcp_session.c -- the table of legacy sessions.
 *
 * DESIGN.  Clients seldom end their sessions, so idle ones must go by themselves: the keeper has
 * them looked through, and each start looks at those that have been idle longest, so that a flood
 * finds room.  The table keeps them in order of their last use as far as
 * finds move them to the end, so a start inspects only the front.  A session with something in
 * flight is never idle. */
#include "state/mcp_session.h"

#include "state/base/hash.h"
#include "state/base/lock.h"
#include "state/base/random.h"
#include "state/mixup.h"

#include <assert.h>

/* Ids of the table are 128 random bits in hexadecimal digits: eight of these are hash enough, and
 * whoever asks cannot choose them.  A find took 985 instructions with uthash's own. */
static unsigned
hash_of(const char *id, size_t len)
{
    uint64_t digits;

    if (len < sizeof digits) {
        return 0;
    }
    memcpy(&digits, id, sizeof digits);
    return (unsigned)(digits * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}
#undef HASH_FUNCTION
#define HASH_FUNCTION(KEY, LEN, VALUE) ((VALUE) = hash_of((const char *)(KEY), LEN))

/* A session in the table.  uthash keeps insertion order, which find() renews. */
struct entry {
    struct mcp_session session; /* First: the public part. */
    UT_hash_handle hh;
};

struct mcp_sessions {
    const struct clock *clock; /* Borrowed; set once, as are the limits. */
    struct mcp_session_limits limits;
    struct mcp_streams *streams; /* Owned. */
    struct lock lock;
    struct entry *table GUARDED_BY(LC_MCP_SESSIONS);
    struct mcp_sessions_counters counters GUARDED_BY(LC_MCP_SESSIONS);
};

UNSHARED struct mcp_sessions *
mcp_sessions_create(const struct clock *clock, const struct mcp_session_limits *limits)
{
    struct mcp_sessions *s = xcalloc(1, sizeof *s);

    s->clock = clock;
    s->limits = *limits;
    s->streams = mcp_streams_create(clock, &limits->streams);
    lock_init(&s->lock, RANK_MCP_SESSIONS);
    return s;
}

struct mcp_streams *
mcp_sessions_streams(const struct mcp_sessions *s)
{
    return s->streams;
}

static struct mcp_session *
new_session(struct slice principal)
{
    struct entry *e = xcalloc(1, sizeof *e);

    e->session.principal = xstrndup(principal.data, principal.len);
    atomic_init(&e->session.refs, 1);
    atomic_init(&e->session.revision, -1);
    atomic_init(&e->session.log_level, MCP_LEVEL_INFO);
    lock_init(&e->session.sink_lock, RANK_MCP_STREAMS);
    return &e->session;
}

struct mcp_session *
mcp_session_of_connection(void)
{
    return new_session(SLICE_NONE);
}

struct mcp_session *
mcp_session_ref(struct mcp_session *session)
{
    atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed);
    return session;
}

void
mcp_session_unref(struct mcp_session *session)
{
    if (session && atomic_fetch_sub_explicit(&session->refs, 1, memory_order_acq_rel) == 1) {
        mcp_stream_set_destroy(session->streams);
        lock_fini(&session->sink_lock);
        free(session->principal);
        free(session); /* The entry begins with it. */
    }
}

static bool
is_idle(const struct mcp_sessions *s, const struct mcp_session *session, int64_t now)
{
    return atomic_load(&session->in_flight) == 0 &&
           now - atomic_load(&session->idle_since_ns) >= s->limits.idle_ns;
}

/* Takes 'e' out and marks it ended; the table's reference is the caller's to drop. */
static void
take_out_locked(struct mcp_sessions *s, struct entry *e) REQUIRES(LC_MCP_SESSIONS)
{
    HASH_DEL(s->table, e);
    s->counters.live--;
    atomic_store(&e->session.ended, true);
}

/* Ends the streams of a session that was taken out, and drops the table's reference. */
static void
let_go(struct mcp_session *session)
{
    if (session) {
        mcp_stream_set_end(session->streams);
        mcp_session_unref(session);
    }
}

/* Ends idle sessions at the front of the table.  Looks at a bounded number, so that a start stays
 * cheap. */
static void
expire_locked(struct mcp_sessions *s, int64_t now, struct mcp_session *gone[], size_t *count)
    REQUIRES(LC_MCP_SESSIONS)
{
    struct entry *e = s->table, *next;

    for (int looked = 0; e && looked < 16; e = next, looked++) {
        next = e->hh.next;
        if (is_idle(s, &e->session, now)) {
            take_out_locked(s, e);
            s->counters.expired++;
            gone[(*count)++] = &e->session;
        } else if (atomic_load(&e->session.in_flight) > 0) {
            HASH_DEL(s->table, e); /* Busy ones must not hide idle ones behind them. */
            HASH_ADD_STR(s->table, session.id, e);
        }
    }
}

static unsigned
count_of_locked(struct mcp_sessions *s, struct slice principal) REQUIRES(LC_MCP_SESSIONS)
{
    struct entry *e, *next;
    unsigned count = 0;

    HASH_ITER(hh, s->table, e, next) {
        count += slice_is(principal, e->session.principal);
    }
    return count;
}

enum err
mcp_session_start(struct mcp_sessions *s, struct slice principal, struct mcp_session **session,
                  struct fault *f)
{
    int64_t now = clock_mono(s->clock);
    struct mcp_session *gone[16], *fresh = new_session(principal);
    size_t gone_count = 0;
    unsigned live, own;
    bool full;

    *session = NULL;
    if (!random_hex(fresh->id, sizeof fresh->id)) {
        mcp_session_unref(fresh);
        return fault_set(f, E_OVERLOAD, "no random bytes for a session id");
    }
    atomic_store(&fresh->idle_since_ns, now);
    fresh->streams = mcp_stream_set_create(s->streams, fresh->id);
    LOCK(MCP_SESSIONS, &s->lock);
    expire_locked(s, now, gone, &gone_count);
    live = s->counters.live;
    own = live >= s->limits.per_principal ? count_of_locked(s, principal) : 0;
    full = live >= s->limits.sessions || own >= s->limits.per_principal;
    if (full) {
        s->counters.refused++;
    } else {
        struct entry *e = (struct entry *)fresh;
        HASH_ADD_STR(s->table, session.id, e);
        s->counters.live++;
        s->counters.started++;
        *session = mcp_session_ref(fresh);
    }
    UNLOCK(MCP_SESSIONS, &s->lock);
    for (size_t i = 0; i < gone_count; i++) {
        let_go(gone[i]);
    }
    if (full) {
        mcp_session_unref(fresh);
        fault_set(f, E_OVERLOAD, "there are %u sessions%s, and no more are allowed",
                  live >= s->limits.sessions ? live : own,
                  live >= s->limits.sessions ? "" : " of this client");
        return fault_remedy(f, "end sessions that are no longer needed with DELETE, or try later");
    }
    return E_OK;
}

enum err
mcp_session_find(struct mcp_sessions *s, struct slice id, struct slice principal,
                 struct mcp_session **session, struct fault *f)
{
    int64_t now = clock_mono(s->clock);
    struct mcp_session *gone = NULL;
    bool foreign = false;
    uint64_t owner = 0;
    struct entry *e;

    *session = NULL;
    LOCK(MCP_SESSIONS, &s->lock);
    HASH_FIND(hh, s->table, id.data, (unsigned)id.len, e);
    if (e && is_idle(s, &e->session, now)) {
        take_out_locked(s, e);
        s->counters.expired++;
        gone = &e->session;
    } else if (e && slice_is(principal, e->session.principal)) {
        if (e->hh.next) { /* Who was asked for last is the last in the table. */
            HASH_DEL(s->table, e);
            HASH_ADD_KEYPTR_BYHASHVALUE(hh, s->table, e->session.id, id.len, e->hh.hashv, e);
        }
        *session = mcp_session_ref(&e->session);
    } else if (e) { /* Another's is as unknown as none. */
        foreign = true;
        owner = mixup_tag(slice_of(e->session.principal));
    }
    UNLOCK(MCP_SESSIONS, &s->lock);
    let_go(gone);
    if (foreign) {
        mixup_log("session", mixup_tag(principal), owner);
    }
    if (*session) {
        return E_OK;
    }
    fault_set(f, E_NO_SESSION, "the session is unknown or has ended");
    return fault_remedy(f, "send initialize without a session id to begin a new one");
}

bool
mcp_session_end(struct mcp_sessions *s, struct mcp_session *session)
{
    bool ended = false;
    struct entry *e;

    LOCK(MCP_SESSIONS, &s->lock);
    HASH_FIND_STR(s->table, session->id, e);
    if (e && &e->session == session) {
        take_out_locked(s, e);
        s->counters.ended++;
        ended = true;
    }
    UNLOCK(MCP_SESSIONS, &s->lock);
    if (ended) {
        let_go(session);
    }
    return ended;
}

unsigned
mcp_sessions_expire(struct mcp_sessions *s)
{
    int64_t now = clock_mono(s->clock);
    struct mcp_session *gone[64];
    size_t count;
    unsigned live;

    do {
        struct entry *e, *next;

        count = 0;
        LOCK(MCP_SESSIONS, &s->lock);
        HASH_ITER(hh, s->table, e, next) {
            if (count < sizeof gone / sizeof *gone && is_idle(s, &e->session, now)) {
                take_out_locked(s, e);
                s->counters.expired++;
                gone[count++] = &e->session;
            }
        }
        live = s->counters.live;
        UNLOCK(MCP_SESSIONS, &s->lock);
        for (size_t i = 0; i < count; i++) {
            let_go(gone[i]);
        }
    } while (count == sizeof gone / sizeof *gone);
    return live;
}

UNSHARED void
mcp_sessions_destroy(struct mcp_sessions *s)
{
    struct entry *e, *next;

    if (!s) {
        return;
    }
    HASH_ITER(hh, s->table, e, next) {
        take_out_locked(s, e);
        let_go(&e->session);
    }
    mcp_streams_destroy(s->streams);
    lock_fini(&s->lock);
    free(s);
}

struct mcp_sessions_counters
mcp_sessions_counters(struct mcp_sessions *s)
{
    struct mcp_sessions_counters c;

    LOCK(MCP_SESSIONS, &s->lock);
    c = s->counters;
    UNLOCK(MCP_SESSIONS, &s->lock);
    return c;
}

void
mcp_session_busy(struct mcp_session *session)
{
    atomic_fetch_add(&session->in_flight, 1);
}

void
mcp_session_idle(struct mcp_session *session, int64_t now_ns)
{
    atomic_store(&session->idle_since_ns, now_ns);
    atomic_fetch_sub(&session->in_flight, 1);
}

void
mcp_session_set_sink(struct mcp_session *session, struct sink *sink)
{
    LOCK(MCP_STREAMS, &session->sink_lock);
    session->sink = sink;
    UNLOCK(MCP_STREAMS, &session->sink_lock);
}

enum err
mcp_session_send(struct mcp_session *session, struct slice body)
{
    enum err err = E_CANCELLED;

    if (session->streams) {
        return mcp_stream_tell(session->streams, body);
    }
    LOCK(MCP_STREAMS, &session->sink_lock);
    if (session->sink) {
        err = session->sink->class->send(session->sink, &(struct event){.body = body});
    }
    UNLOCK(MCP_STREAMS, &session->sink_lock);
    return err;
}
