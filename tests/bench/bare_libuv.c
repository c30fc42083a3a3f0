/* bare_libuv.c -- the least that a libuv server does: it answers each read with the same bytes.
 *
 * "make bench" puts it beside tandem to tell what the loop and the sockets cost without any HTTP;
 * it is right only for who sends requests small enough to come in one read, one at a time.
 * bare_libuv PORT LENGTH: the answer's body has LENGTH bytes. */
#include "state/base/mem.h"

#include <stdio.h>
#include <uv.h>

static struct buf answer;

struct conn {
    uv_tcp_t tcp;
    char bytes[65536];
};

static void
closed(uv_handle_t *handle)
{
    free(handle);
}

static void
give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    struct conn *c = (struct conn *)handle;

    (void)wanted;
    *out = uv_buf_init(c->bytes, sizeof c->bytes);
}

static void
have_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    uv_buf_t out = uv_buf_init(answer.data, (unsigned)answer.len);

    (void)bytes;
    /* The answer is small and its reader waits for it: it always fits the socket's buffer. */
    if (n < 0 || (n > 0 && uv_try_write(stream, &out, 1) != (int)answer.len)) {
        uv_close((uv_handle_t *)stream, closed);
    }
}

static void
accept_one(uv_stream_t *listener, int status)
{
    struct conn *c = xcalloc(1, sizeof *c);

    uv_tcp_init(listener->loop, &c->tcp);
    if (status < 0 || uv_accept(listener, (uv_stream_t *)&c->tcp) != 0) {
        uv_close((uv_handle_t *)&c->tcp, closed);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, give_room, have_read);
}

int
main(int argc, char **argv)
{
    struct sockaddr_in address;
    uv_tcp_t listener;
    size_t len;

    if (argc != 3) {
        fprintf(stderr, "usage: bare_libuv PORT LENGTH\n");
        return 2;
    }
    len = strtoul(argv[2], NULL, 10);
    buf_addf(&answer,
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             len);
    while (len-- > 0) {
        buf_addc(&answer, 'x');
    }
    uv_tcp_init(uv_default_loop(), &listener);
    if (uv_ip4_addr("127.0.0.1", (int)strtol(argv[1], NULL, 10), &address) != 0 ||
        uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) != 0 ||
        uv_listen((uv_stream_t *)&listener, 511, accept_one) != 0) {
        fprintf(stderr, "bare_libuv: port %s cannot be had\n", argv[1]);
        return 1;
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return 0;
}
