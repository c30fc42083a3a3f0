/* crowd.c -- calls that are sent and not read. */
#include "tests/crowd.h"

#include "tests/check.h"

#include <stdio.h>

int64_t
in_time(void)
{
    return now_ns() + PATIENCE;
}

/* One request on a connection of its own, left unread. */
static bool
post_info(struct http_peer *peer, int number)
{
    struct buf request = BUF_INIT;
    char *body = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%d," INFO_CALL "}", number);
    bool sent;

    buf_addf(
        &request,
        "POST %s HTTP/1.1\r\nHost: %s:%u\r\nAuthorization: Bearer %s\r\nAccept: application/json, "
        "text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\n"
        "Mcp-Name: get_server_info\r\nContent-Type: application/json\r\nContent-Length: "
        "%zu\r\n\r\n%s",
        peer->info->path, peer->info->host, peer->info->port, peer->info->token, strlen(body),
        body);
    sent = http_write(peer->fd, request.data, request.len);
    buf_fini(&request);
    free(body);
    return sent;
}

bool
get_health(struct http_peer *peer)
{
    struct http_reply reply = {.status = 0};
    bool good = http_send(peer, "GET", "/health", "", NULL, &reply) && reply.status == 200;

    http_reply_fini(&reply);
    return good;
}

/* Waits until the server's loops have taken what was sent before: both answer in order of arrival.
 */
static void
settle(struct server *s, struct http_peer *control)
{
    json_t *answer;

    CHECK(server_send(s, "{\"jsonrpc\":\"2.0\",\"id\":\"settle\",\"method\":\"ping\"}"));
    answer = server_read(s, in_time());
    CHECK_STR(json_string_value(json_object_get(answer, "id")), "settle");
    json_decref(answer);
    CHECK(get_health(control));
    CHECK(get_health(control));
}

void
crowd_fill(struct server *s, struct crowd *crowd, struct fake_git *git)
{
    http_peer_init(&crowd->control, &s->info);
    for (int i = 0; i < CROWD_EACH; i++) {
        http_peer_init(&crowd->peers[i], &s->info);
        CHECK(get_health(&crowd->peers[i]));
    }
    CHECK(get_health(&crowd->control));
    for (int i = 0; i < CROWD_EACH; i++) {
        CHECK(server_send(s, "{\"jsonrpc\":\"2.0\",\"id\":%d," INFO_CALL "}", i));
        CHECK(post_info(&crowd->peers[i], i));
    }
    settle(s, &crowd->control);
    CHECK(fake_git_wait(git, in_time()));
}

void
crowd_leave(struct crowd *crowd)
{
    http_peer_fini(&crowd->control);
    for (int i = 0; i < CROWD_EACH; i++) {
        http_peer_fini(&crowd->peers[i]);
    }
}
