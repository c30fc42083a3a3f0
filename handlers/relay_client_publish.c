/* relay_client_publish.c -- what a client of the relay publishes, and the answer to it. */
#include "handlers/relay_client_private.h"

/* Where the answer to an event goes that the client publishes. */
struct publishing {
    struct sink sink; /* First. */
    struct relay_client *client;
};

static enum err
pass_over(struct sink *sink, const struct event *event)
{
    (void)sink, (void)event;
    return E_REFUSED;
}

/* Any thread: only what never changes is used of the client. */
static void
answer_published(struct sink *sink, const struct reply *reply)
{
    struct relay_client *c = ((struct publishing *)sink)->client;
    struct buf frame = BUF_INIT;

    if (reply->status < 300) {
        relay_write_published(&frame);
    } else {
        relay_write_error_of(&frame, reply->body);
    }
    if (!frame.failed) {
        c->options.class->send(c->options.owner, buf_slice(&frame));
    }
    buf_fini(&frame);
}

static void
end_publishing(struct sink *sink)
{
    struct publishing *p = (struct publishing *)sink;

    relay_client_unref(p->client);
    free(p);
}

void
relay_take_publish(struct relay_client *c, struct slice text)
{
    static const struct sink_class class = {
        .send = pass_over, .answer = answer_published, .unref = end_publishing};
    struct publishing *p = xcalloc(1, sizeof *p);

    p->sink.class = &class;
    p->client = c;
    atomic_fetch_add(&c->refs, 1);
    dispatch_event(c->options.dispatcher, &c->env, text, &p->sink);
}
