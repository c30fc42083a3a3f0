/* lines.c -- lines in, answers out, whatever carries them. */
#include "transports/lines.h"

#include "state/base/log.h"
#include "state/settings.h"

#include <errno.h>

#define WRITE_MESSAGES 64

LOG_MODULE("lines");

void
lines_init(struct lines *l, const struct transport_context *context,
           const struct peer_options *peer,
           ssize_t (*writev)(void *arg, const struct iovec *parts, int count))
{
    struct peer_options options = *peer;

    options.dispatcher = context->dispatcher;
    options.transport = TRANSPORT_STDIO;
    options.lines = true;
    *l = (struct lines){
        .peer = peer_create(&options),
        .output_max = context->settings->limits_stdout,
        .writev = writev,
        .arg = peer->arg,
    };
    l->outbox = peer_outbox(l->peer);
    framing_init(&l->framing, context->settings->limits_message);
}

void
lines_fini(struct lines *l)
{
    framing_fini(&l->framing);
    peer_unref(l->peer);
}

/* Drops what 'n' more written bytes complete.  True if that was all there is. */
static bool
count_written(struct lines *l, struct bytes *const *messages, size_t n)
{
    size_t done = 0;

    for (l->written += n; n && l->written >= messages[done]->len; done++) {
        l->written -= messages[done]->len;
        if (l->written == 0) {
            done++;
            break;
        }
    }
    return done && outbox_pop_and_look(l->outbox, done);
}

enum lines_flushed
lines_flush(struct lines *l)
{
    struct bytes *messages[WRITE_MESSAGES];
    struct iovec parts[WRITE_MESSAGES];
    size_t count;

    while (!l->lost && (count = outbox_peek(l->outbox, messages, WRITE_MESSAGES)) > 0) {
        ssize_t n;

        for (size_t i = 0; i < count; i++) {
            size_t skip = i == 0 ? l->written : 0;
            parts[i] = (struct iovec){messages[i]->data + skip, messages[i]->len - skip};
        }
        n = l->writev(l->arg, parts, (int)count);
        if (n < 0) {
            return errno == EAGAIN ? LINES_BLOCKED : LINES_BROKEN;
        }
        if (count_written(l, messages, (size_t)n)) {
            break;
        }
    }
    return LINES_FLUSHED;
}

void
lines_feed(struct lines *l, struct slice bytes)
{
    framing_feed(&l->framing, bytes);
}

void
lines_write_too_long(struct buf *out, size_t limit)
{
    buf_addf(out,
             "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":%d,\"message\":\"the message is longer than "
             "%zu bytes (limits.message); send large content in parts, or in a file\"}}",
             err_info(E_MESSAGE_LARGE)->rpc_code, limit);
}

static void
refuse_long_line(struct lines *l)
{
    struct buf body = BUF_INIT;

    log_warn_rl("line too long", F_UINT("limit", l->framing.max_line));
    lines_write_too_long(&body, l->framing.max_line);
    peer_send(l->peer, buf_slice(&body));
    buf_fini(&body);
}

static void
take_event(struct lines *l, enum framing_event event, struct slice line)
{
    switch (event) {
    case FRAMING_LINE:
        peer_dispatch(l->peer, line);
        break;
    case FRAMING_TOO_LONG:
        refuse_long_line(l);
        break;
    case FRAMING_MORE:
        break;
    }
}

/* Whether the peer reads too little, even once it has been given what it takes. */
static bool
is_full(struct lines *l)
{
    if (outbox_bytes(l->outbox) <= l->output_max) {
        return false;
    }
    lines_flush(l);
    return outbox_bytes(l->outbox) > l->output_max;
}

bool
lines_take(struct lines *l)
{
    enum framing_event event = FRAMING_LINE;
    struct slice line;

    while (event != FRAMING_MORE && !l->lost) {
        if (is_full(l)) {
            return false;
        }
        event = framing_next(&l->framing, &line);
        take_event(l, event, line);
    }
    return true;
}

void
lines_take_last(struct lines *l)
{
    struct slice line;
    enum framing_event event = framing_end(&l->framing, &line);

    take_event(l, event, line);
}

bool
lines_may_resume(const struct lines *l)
{
    return outbox_bytes(l->outbox) <= l->output_max / 2;
}

void
lines_lose(struct lines *l)
{
    l->lost = true;
    outbox_close(l->outbox);
    peer_gone(l->peer);
}
