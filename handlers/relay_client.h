/* relay_client.h -- one client of the event relay: what it says and what it is told, as JSON texts.
 *
 * It begins with "hello", and is told "welcome", what it missed ("replay", with a "gap" before it
 * if that is not all), and from then on each event that its patterns match.  The frames are those
 * of relay_frames.h.  It knows nothing of sockets: its owner brings the texts of the client, and
 * takes those for it.
 *
 * BACK-PRESSURE.  Events wait in the bus' reader, which is bounded, and are taken from there only
 * while less than RELAY_ROOM waits at the owner's, and so many bytes of them, or one, at a time. So
 * a client that does not read costs that and its reader's queue, and learns by a "gap" what it
 * lost.
 *
 * The owner's thread, but for what send() says. */
#ifndef TANDEM_RELAY_CLIENT_H
#define TANDEM_RELAY_CLIENT_H

#include "handlers/request.h"

#define RELAY_ROOM ((size_t)32 * 1024)
#define RELAY_HELLO_NS INT64_C(10000000000) /* For its first words. */

struct relay_client;

/* What the owner does for it. */
struct relay_client_class {
    /* Whether 'token' lets it in; then '*env' tells for whom, valid as long as the owner.  E_OK,
     * E_UNAUTHORIZED, E_NOT_READY. */
    enum err (*admit)(void *owner, struct slice token, struct envelope *env, struct fault *f);
    /* Takes a text, copying it.  Any thread; nothing happens once the client is gone. */
    void (*send)(void *owner, struct slice text);
    /* Takes a text in 'count' parts, copying them; it comes after what was sent before.  Only from
     * within relay_client_fill(). */
    void (*tell)(void *owner, const struct slice *parts, unsigned count);
    /* Bytes that were taken and have not left yet.  Only from within relay_client_fill(). */
    size_t (*waiting)(void *owner);
    /* Has relay_client_fill() called soon.  Any thread, the lock of the bus held; never after
     * relay_client_close(). */
    void (*wake)(void *owner);
    /* Nobody will call any of these any more.  Any thread. */
    void (*release)(void *owner);
};

struct relay_client_options {
    struct dispatcher *dispatcher; /* Borrowed; outlives the client. */
    const struct relay_client_class *class;
    void *owner;
    const struct envelope *env; /* Of the handshake; its texts are copied. */
    bool admitted;              /* It need not show a token any more. */
    bool compat;                /* Events are told as dashboards of claude-mpm expect them. */
    unsigned heartbeat_s;       /* How often the owner sees whether it is there. */
};

/* A new client, for relay_client_close(); the options are copied, with the envelope as far as it
 * is needed. */
struct relay_client *relay_client_open(const struct relay_client_options *options);
/* It has left: it is told nothing more, and may come back. */
void relay_client_close(struct relay_client *client);

/* Takes a text of the client.  relay_client_fill() is to be called soon after it. */
void relay_client_take(struct relay_client *client, struct slice text);
/* Sends what waits in the bus, as far as there is room.  True if there is more; else what comes
 * from then on wakes. */
bool relay_client_fill(struct relay_client *client);
/* Says farewell; it is told nothing more. */
void relay_client_leave(struct relay_client *client, const char *reason);
/* Why its connection is to be closed once all is sent, borrowed for ever; null: it is not. */
const char *relay_client_over(struct relay_client *client);

#endif
