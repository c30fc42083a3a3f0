/* workflow_index.c -- summaries of sessions by id, with the order of news kept right. */
#include "state/workflow_index.h"

#include "state/base/clock.h"
#include "state/base/hash.h"

struct entry {
    struct session_summary *summary; /* Counted. */
    struct file_identity identity;   /* Of the file it was read from; zero if it came otherwise. */
    uint64_t changed;                /* Tick of the last news that did not come from a reading. */
    uint64_t seen;                   /* The newest reading that saw the file. */
    UT_hash_handle hh;
};

struct workflow_index {
    struct entry *entries; /* By id. */
    uint64_t tick;         /* Grows with each news and each reading. */
    struct workflow_index_counts counts;
};

struct session_summary *
session_summary_of(const json_t *record)
{
    struct session_summary *s = xcalloc(1, sizeof *s);

    atomic_init(&s->refs, 1);
    memcpy(s->id, record_id(record), RECORD_ID_SIZE);
    s->pack = xstrdup(record_pack(record));
    s->target = xstrdup(record_target(record));
    s->created_at = xstrdup(record_text(record, "created_at"));
    s->updated_at = xstrdup(record_text(record, "updated_at"));
    s->state = record_state(record);
    s->current_phase = record_current(record);
    s->revision = record_revision(record);
    s->updated_ns = clock_parse(s->updated_at);
    return s;
}

struct session_summary *
session_summary_ref(struct session_summary *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void
session_summary_unref(struct session_summary *s)
{
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
        free(s->pack);
        free(s->target);
        free(s->created_at);
        free(s->updated_at);
        free(s);
    }
}

struct workflow_index *
workflow_index_create(void)
{
    return xcalloc(1, sizeof(struct workflow_index));
}

static void
count(struct workflow_index *ix, const struct session_summary *s, size_t by)
{
    ix->counts.all += by;
    ix->counts.by_state[s->state] += by;
}

static void
remove_entry(struct workflow_index *ix, struct entry *entry)
{
    HASH_DEL(ix->entries, entry);
    count(ix, entry->summary, (size_t)-1);
    session_summary_unref(entry->summary);
    free(entry);
}

void
workflow_index_destroy(struct workflow_index *ix)
{
    struct entry *entry, *next;

    if (!ix) {
        return;
    }
    HASH_ITER(hh, ix->entries, entry, next) {
        remove_entry(ix, entry);
    }
    free(ix);
}

static struct entry *
find(const struct workflow_index *ix, const char *id)
{
    struct entry *entry;

    HASH_FIND(hh, ix->entries, id, RECORD_ID_SIZE - 1, entry);
    return entry;
}

static void
set_summary(struct workflow_index *ix, struct entry *entry, struct session_summary *summary)
{
    if (entry->summary) {
        HASH_DEL(ix->entries, entry);
        count(ix, entry->summary, (size_t)-1);
        session_summary_unref(entry->summary);
    }
    entry->summary = summary;
    count(ix, summary, 1);
    /* The key is inside the summary, so that the entry is hashed anew. */
    HASH_ADD_KEYPTR(hh, ix->entries, summary->id, RECORD_ID_SIZE - 1, entry);
}

void
workflow_index_add(struct workflow_index *ix, struct session_summary *summary)
{
    struct entry *entry = find(ix, summary->id);

    if (entry && entry->summary->revision > summary->revision) {
        session_summary_unref(summary);
        return;
    }
    if (!entry) {
        entry = xcalloc(1, sizeof *entry);
    }
    entry->changed = ++ix->tick;
    entry->identity = (struct file_identity){.size = -1};
    set_summary(ix, entry, summary);
}

bool
workflow_index_update(struct workflow_index *ix, struct session_summary *summary)
{
    struct entry *entry = find(ix, summary->id);
    bool other;

    if (!entry || entry->summary->revision >= summary->revision) {
        session_summary_unref(summary);
        return false;
    }
    other = entry->summary->state != summary->state ||
            entry->summary->current_phase != summary->current_phase;
    entry->changed = ++ix->tick;
    entry->identity = (struct file_identity){.size = -1};
    set_summary(ix, entry, summary);
    return other;
}

void
workflow_index_remove(struct workflow_index *ix, const char *id)
{
    struct entry *entry = find(ix, id);

    if (entry) {
        remove_entry(ix, entry);
    }
}

uint64_t
workflow_index_begin(struct workflow_index *ix)
{
    return ++ix->tick;
}

bool
workflow_index_known(struct workflow_index *ix, uint64_t reading, const char *id,
                     const struct file_identity *identity)
{
    struct entry *entry = find(ix, id);

    if (!entry || !file_identity_equal(&entry->identity, identity)) {
        return false;
    }
    entry->seen = entry->seen > reading ? entry->seen : reading;
    return true;
}

void
workflow_index_found(struct workflow_index *ix, uint64_t reading,
                     const struct file_identity *identity, struct session_summary *summary)
{
    struct entry *entry = find(ix, summary->id);

    if (!entry) {
        entry = xcalloc(1, sizeof *entry);
    }
    entry->seen = entry->seen > reading ? entry->seen : reading;
    if (entry->summary && entry->changed > reading &&
        entry->summary->revision >= summary->revision) {
        session_summary_unref(summary); /* It was changed since: what is known is newer. */
        return;
    }
    entry->identity = *identity;
    set_summary(ix, entry, summary);
}

void
workflow_index_end(struct workflow_index *ix, uint64_t reading)
{
    struct entry *entry, *next;

    HASH_ITER(hh, ix->entries, entry, next) {
        if (entry->seen < reading && entry->changed < reading) {
            remove_entry(ix, entry);
        }
    }
}

bool
workflow_index_unfinished(struct workflow_index *ix, const char *pack, const char *target,
                          char id[RECORD_ID_SIZE])
{
    const struct session_summary *best = NULL;

    for (struct entry *entry = ix->entries; entry; entry = entry->hh.next) {
        const struct session_summary *s = entry->summary;
        if (s->state != RECORD_COMPLETED && (!best || s->updated_ns > best->updated_ns) &&
            strcmp(s->target, target) == 0 && strcmp(s->pack, pack) == 0) {
            best = s;
        }
    }
    if (best) {
        memcpy(id, best->id, RECORD_ID_SIZE);
    }
    return best != NULL;
}

struct workflow_index_counts
workflow_index_counts(const struct workflow_index *ix)
{
    return ix->counts;
}

struct session_summary **
workflow_index_all(const struct workflow_index *ix, size_t *n)
{
    struct session_summary **all = xcalloc(ix->counts.all + 1, sizeof(struct session_summary *));

    *n = 0;
    for (struct entry *entry = ix->entries; entry; entry = entry->hh.next) {
        all[(*n)++] = session_summary_ref(entry->summary);
    }
    return all;
}
