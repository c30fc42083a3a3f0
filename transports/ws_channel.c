/* ws_channel.c -- libwebsockets as a reader of frames.
 *
 * DESIGN.  Its end of a pair is adopted as a connection that has been accepted; it reads and writes
 * there by handles of its own on the same loop (a "foreign loop" in its words).  It has no port and
 * no client's socket, so whatever is wrong with its HTTP server cannot be reached.  It ends by
 * itself once its end of the pair is at its end, asynchronously: a channel lives until both its
 * owner and libwebsockets have let go of it.
 *
 * Road not taken: giving it the client's socket.  Nobody could look at the bytes before it reads
 * them, and 4.1 does not refuse frames without a mask, as RFC 6455 says a server must; it also
 * closes sockets with unread bytes, which loses the close frame it has just sent. */
#include "transports/ws_channel.h"

#include "state/base/log.h"
#include "transports/ws_late.h"

#include <assert.h>
#include <libwebsockets.h>
#include <sys/socket.h>
#include <unistd.h>

LOG_MODULE("ws");

#define READ_BYTES 4096     /* At once, and of buffer each channel has. */
#define SPARE_DESCRIPTORS 8 /* libwebsockets' own. */
#define CONTROL_MAX 125     /* Bytes of a control frame's payload. */
#define WRITE_CLOSE ((enum lws_write_protocol)4)

struct ws_library {
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct ws_channel *orphans; /* Adoption failed, and nobody said what became of them. */
};

struct ws_channel {
    unsigned refs; /* The owner's and libwebsockets'. */
    struct lws *wsi;
    const struct ws_channel_class *class; /* Null once the owner has let go. */
    void *owner;
    struct ws_channel *next_orphan;
    bool deaf;          /* Messages are not welcome. */
    enum ws_close code; /* Of the close frame to send. */
    const char *why;
    bool ping;
};

static void
unref(struct ws_channel *ch)
{
    if (--ch->refs == 0) {
        free(ch);
    }
}

/* ---- What libwebsockets calls ---- */

static void
listen_if(struct ws_channel *ch, struct lws *wsi, bool welcome)
{
    if (ch->deaf == welcome) {
        ch->deaf = !welcome;
        lws_rx_flow_control(wsi, welcome);
    }
}

static int
take_part(struct ws_channel *ch, struct lws *wsi, struct slice bytes)
{
    listen_if(ch, wsi, ch->class->part(ch->owner, bytes, lws_is_final_fragment(wsi)));
    return 0;
}

static void
write_control(struct lws *wsi, enum lws_write_protocol kind, struct slice payload)
{
    unsigned char room[LWS_PRE + CONTROL_MAX];

    assert(payload.len <= CONTROL_MAX);
    if (payload.len) {
        memcpy(room + LWS_PRE, payload.data, payload.len);
    }
    lws_write(wsi, room + LWS_PRE, payload.len, kind);
}

/* At once: where its libuv plug-in is used, Debian's build of 4.1 closes twice, the second time
 * without the frame that lws_close_reason() had it prepare.  It leaves the number of this kind of
 * frame free in lws-write.h, with a word on what it is for, but not its name. */
static void
write_close(const struct ws_channel *ch, struct lws *wsi)
{
    char payload[CONTROL_MAX] = {(char)(ch->code >> 8), (char)ch->code};
    size_t len = strlen(ch->why);

    assert(len <= sizeof payload - 2);
    memcpy(payload + 2, ch->why, len);
    write_control(wsi, WRITE_CLOSE, (struct slice){payload, len + 2});
}

static int
write_some(struct ws_channel *ch, struct lws *wsi)
{
    if (ch->ping) {
        ch->ping = false;
        write_control(wsi, LWS_WRITE_PING, SLICE_NONE);
    }
    if (ch->code) {
        write_close(ch, wsi);
        return -1; /* It writes what it has kept, and closes. */
    }
    listen_if(ch, wsi, ch->class->welcome(ch->owner));
    return 0;
}

/* What is not named here has the answer 0: go on. */
static int
on_library(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct ws_channel *ch = wsi ? lws_get_opaque_user_data(wsi) : NULL;

    (void)user;
    if (!ch) {
        return 0;
    }
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        lws_callback_on_writable(wsi); /* What was asked for meanwhile. */
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return ch->class ? take_part(ch, wsi, (struct slice){in, len}) : -1;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return ch->class ? write_some(ch, wsi) : -1;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: /* It answers by itself. */
        if (ch->class) {
            ch->class->leaving(ch->owner);
        }
        return 0;
    case LWS_CALLBACK_CLOSED:
        ch->wsi = NULL;
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        ch->wsi = NULL;
        lws_set_opaque_user_data(wsi, NULL);
        unref(ch);
        return 0;
    default:
        return 0;
    }
}

/* What libwebsockets has to say goes where everything goes, without its line end. */
static void
on_log(int level, const char *line)
{
    size_t len = strcspn(line, "\n");
    char text[200];

    len = len < sizeof text ? len : sizeof text - 1;
    memcpy(text, line, len);
    text[len] = '\0';
    if (level == LLL_ERR) {
        log_warn_rl("libwebsockets", F_STR("says", text));
    } else {
        log_debug("libwebsockets", F_STR("says", text));
    }
}

/* ---- The library ---- */

struct ws_library *
ws_library_create(uv_loop_t *loop, unsigned channels)
{
    static const struct lws_protocols protocols[] = {
        {.name = "mcp", .callback = on_library, .rx_buffer_size = READ_BYTES}, {.name = NULL}};
    static const lws_retry_bo_t no_pings = {.secs_since_valid_hangup = 0}; /* They are ours. */
    void *loops[] = {loop};
    const struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .foreign_loops = loops,
        .gid = -1,
        .uid = -1,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_VALIDATE_UTF8 |
                   LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_IPV6 |
                   LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME,
        .fd_limit_per_thread = channels + SPARE_DESCRIPTORS,
        .pt_serv_buf_size = READ_BYTES + LWS_PRE,
        .max_http_header_data = 1024,
        .retry_and_idle_policy = &no_pings,
    };
    struct ws_library *library;

    if (!ws_late_load()) {
        log_warn_rl("libwebsockets cannot be loaded; is it installed?");
        return NULL;
    }
    library = xcalloc(1, sizeof *library);
    lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
    library->context = lws_create_context(&info);
    library->vhost = library->context ? lws_create_vhost(library->context, &info) : NULL;
    if (!library->vhost) {
        log_error("libwebsockets cannot be used; is its libuv plug-in installed?");
        ws_library_stop(library);
    }
    return library;
}

bool
ws_library_works(const struct ws_library *library)
{
    return library->vhost != NULL;
}

void
ws_library_stop(struct ws_library *library)
{
    if (library && library->context) {
        lws_context_destroy(library->context); /* Begins: its handles close as the loop runs. */
    }
}

void
ws_library_destroy(struct ws_library *library)
{
    struct ws_channel *next;

    if (library) {
        lws_context_destroy(library->context); /* Ends. */
        for (struct ws_channel *ch = library->orphans; ch; ch = next) {
            next = ch->next_orphan;
            free(ch);
        }
        free(library);
    }
}

/* ---- Channels ---- */

/* The handshake as libwebsockets has to see it, into the owner's end. */
static bool
send_handshake(int fd, struct slice key, const char *subprotocol)
{
    char text[400];
    int len = snprintf(text, sizeof text,
                       "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: %.*s\r\n%s%s%s\r\n",
                       (int)key.len, key.data, subprotocol ? "Sec-WebSocket-Protocol: " : "",
                       subprotocol ? subprotocol : "", subprotocol ? "\r\n" : "");

    return len > 0 && (size_t)len < sizeof text && send(fd, text, (size_t)len, MSG_NOSIGNAL) == len;
}

static bool
adopt(struct ws_library *library, struct ws_channel *ch, int fd)
{
    lws_adopt_desc_t info = {
        .vh = library->vhost,
        .type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP,
        .fd.sockfd = fd,
        .opaque = ch,
    };

    ch->refs++;
    ch->wsi = lws_adopt_descriptor_vhost_via_info(&info);
    if (!ch->wsi) {
        ch->class = NULL;
        ch->next_orphan = library->orphans;
        library->orphans = ch;
    }
    return ch->wsi != NULL;
}

struct ws_channel *
ws_channel_open(struct ws_library *library, struct slice key, const char *subprotocol,
                const struct ws_channel_class *class, void *owner, int *fd)
{
    struct ws_channel *ch;
    int pair[2];

    if (!library->vhost ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
        return NULL;
    }
    ch = xcalloc(1, sizeof *ch);
    ch->refs = 1;
    ch->class = class;
    ch->owner = owner;
    if (!send_handshake(pair[0], key, subprotocol)) {
        close(pair[1]);
        unref(ch);
        ch = NULL;
    } else if (!adopt(library, ch, pair[1])) {
        ch = NULL;
    }
    if (!ch) {
        close(pair[0]);
        return NULL;
    }
    *fd = pair[0];
    return ch;
}

void
ws_channel_release(struct ws_channel *ch)
{
    ch->class = NULL;
    unref(ch);
}

/* Has libwebsockets ask for what is to be written. */
static void
wake(struct ws_channel *ch)
{
    if (ch->wsi) {
        lws_callback_on_writable(ch->wsi);
    }
}

bool
ws_channel_is_partial(const struct ws_channel *ch)
{
    return ch->wsi && lws_partial_buffered(ch->wsi);
}

void
ws_channel_listen(struct ws_channel *ch)
{
    if (ch->deaf) {
        wake(ch);
    }
}

void
ws_channel_ping(struct ws_channel *ch)
{
    ch->ping = true;
    wake(ch);
}

void
ws_channel_fail(struct ws_channel *ch, enum ws_close code, const char *why)
{
    if (!ch->code) {
        ch->code = code;
        ch->why = why;
    }
    wake(ch);
}
