/* mcp_stream_store.c -- the events that are kept for clients that come back.
 *
 * DESIGN.  One list of all events, oldest first, is what bounds memory: whoever adds one drops from
 * its front.  An event is handed on before the bounds are looked at, so one that is larger than
 * they are still reaches a connection that is there; it just cannot be replayed. */
#include "state/mcp_stream_private.h"

#include <stdio.h>

struct kept *
kept_new(struct slice body)
{
    struct bytes *copy = bytes_new(body.data, body.len);
    struct kept *k = copy ? xcalloc(1, sizeof *k) : NULL;

    if (k) {
        k->body = copy;
    }
    return k;
}

void
kept_free(struct kept *k)
{
    if (k) {
        bytes_unref(k->body);
        free(k);
    }
}

static size_t
size_of(const struct kept *k)
{
    return sizeof *k + sizeof *k->body + k->body->len;
}

void
stream_keep_locked(struct mcp_stream *stream, struct kept *k, bool last) REQUIRES(LC_MCP_STREAMS)
{
    struct mcp_stream_set *set = stream->set;
    struct mcp_streams *all = set->all;

    k->stream = stream;
    k->number = ++stream->latest;
    k->at_ns = clock_mono(all->clock);
    k->last = last;
    DL_APPEND2(stream->events, k, stream_prev, stream_next);
    DL_APPEND2(set->events, k, set_prev, set_next);
    DL_APPEND2(all->events, k, prev, next);
    if (!stream->unsent) {
        stream->unsent = k;
    }
    set->bytes += size_of(k);
    all->counters.bytes += size_of(k);
    all->counters.events++;
    all->counters.sent++;
}

void
kept_drop_locked(struct kept *k) REQUIRES(LC_MCP_STREAMS)
{
    struct mcp_stream *stream = k->stream;
    struct mcp_stream_set *set = stream->set;
    struct mcp_streams *all = set->all;

    if (stream->unsent == k) {
        stream->unsent = k->stream_next;
        if (stream->to && !stream->gap) { /* Whoever dropped it ends that connection. */
            stream->gap = true;
            DL_APPEND2(all->gaps, stream, gap_prev, gap_next);
        }
    }
    stream->dropped = k->number;
    DL_DELETE2(stream->events, k, stream_prev, stream_next);
    DL_DELETE2(set->events, k, set_prev, set_next);
    DL_DELETE2(all->events, k, prev, next);
    set->bytes -= size_of(k);
    all->counters.bytes -= size_of(k);
    all->counters.events--;
    all->counters.dropped++;
    kept_free(k);
    stream_forget_locked(stream);
}

void
stream_trim_locked(struct mcp_stream_set *set) REQUIRES(LC_MCP_STREAMS)
{
    struct mcp_streams *all = set->all;

    while (set->bytes > all->limits.each) {
        kept_drop_locked(set->events);
    }
    while (all->counters.bytes > all->limits.all) {
        kept_drop_locked(all->events);
    }
}

/* ---- Ids ---- */

uint32_t
event_id_tag(const char *session_id)
{
    uint32_t hash = 2166136261u; /* FNV-1a. */

    for (; *session_id; session_id++) {
        hash = (hash ^ (unsigned char)*session_id) * 16777619u;
    }
    return hash;
}

struct slice
event_id(char out[EVENT_ID_SIZE], uint32_t tag, uint64_t stream, uint64_t event)
{
    int n = snprintf(out, EVENT_ID_SIZE, "%08x-%llx-%llx", tag, (unsigned long long)stream,
                     (unsigned long long)event);

    return (struct slice){out, (size_t)n};
}

/* Takes a number in the form that event_id() gives it, and '-' or the end behind it. */
static bool
take_number(struct slice *text, uint64_t *number)
{
    size_t i;

    *number = 0;
    for (i = 0; i < text->len && text->data[i] != '-'; i++) {
        char c = text->data[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

        if (digit < 0 || i == 16) {
            return false;
        }
        *number = *number << 4 | (unsigned)digit;
    }
    text->data += i < text->len ? i + 1 : i;
    text->len -= i < text->len ? i + 1 : i;
    return i > 0;
}

bool
event_id_parse(struct slice id, uint32_t tag, uint64_t *stream, uint64_t *event)
{
    struct slice rest = id;
    char again[EVENT_ID_SIZE];
    uint64_t first;

    return take_number(&rest, &first) && first == tag && take_number(&rest, stream) &&
           take_number(&rest, event) && slice_equal(id, event_id(again, tag, *stream, *event));
}
