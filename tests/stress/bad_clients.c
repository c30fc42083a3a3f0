/* bad_clients.c -- clients that are slow, silent, deaf or gone: the others do not notice, and
 * nothing of them stays. */
#include "tests/check.h"
#include "tests/crowd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const packs[] = {PACK_BUG_FIX, NULL};

#define SLOW_EACH 15

#define HEAD_TIME (2 * SECOND)

/* One byte at a time, with a look at nothing in between: until its request is whole and answered.
 */
struct dripper {
    const struct server_info *info;
    struct findings *findings;
    atomic_bool *go_on; /* Keep a byte back while others are served. */
};

static void *
drip(void *arg)
{
    struct dripper *d = arg;
    struct http_peer peer;
    struct http_reply reply = {.status = 0};
    char *request =
        xasprintf("GET /api/tools HTTP/1.1\r\nHost: %s:%u\r\nAuthorization: Bearer %s\r\n\r\n",
                  d->info->host, d->info->port, d->info->token);
    size_t len = strlen(request), taken = 0;
    int64_t start = now_ns();

    http_peer_init(&peer, d->info);
    peer.fd = http_connect(d->info);
    while (taken + 1 < len && peer.fd >= 0 && http_write(peer.fd, request + taken, 1)) {
        taken++;
        sched_yield();
    }
    if (taken + 1 < len && now_ns() - start < HEAD_TIME) {
        finding(d->findings, "byte %zu of %zu was not taken", taken, len);
    }
    while (atomic_load(d->go_on)) {
        sched_yield();
    }
    if (peer.fd < 0 || taken + 1 < len || !http_write(peer.fd, request + taken, 1) ||
        !http_read(&peer, &reply) || reply.status != 200) {
        /* On a machine that is busy with others it may have taken all of its time. */
        if (now_ns() - start < HEAD_TIME) {
            finding(d->findings, "byte by byte: status %d", reply.status);
        }
    }
    http_reply_fini(&reply);
    http_peer_fini(&peer);
    free(request);
    return NULL;
}

/* Serves 'count' calls to a client that behaves, and returns their times. */
static void
serve_plain(const struct server_info *info, unsigned count, struct samples *samples,
            struct findings *findings)
{
    struct mcp_peer peer;

    CHECK(mcp_open(&peer, info, MCP_LEGACY, 0, findings));
    samples_fini(&peer.samples);
    for (unsigned i = 0; i < count; i++) {
        struct mcp_outcome outcome = mcp_call(&peer, "current_date", "{}");
        CHECK(outcome.result && !outcome.is_error);
        outcome_fini(&outcome);
    }
    samples_merge(samples, &peer.samples);
    mcp_close(&peer);
    samples_fini(&peer.samples);
}

static void
wait_for_408(int fd)
{
    char answer[512];
    ssize_t n = recv(fd, answer, sizeof answer - 1, 0);

    CHECK(n >= 0);
    answer[n] = '\0';
    CHECK(n == 0 || strncmp(answer, "HTTP/1.1 408 ", 13) == 0);
    while (n > 0) {
        n = recv(fd, answer, sizeof answer, 0);
    }
    CHECK_INT(n, 0);
    close(fd);
}

/* The beginning of the 'i'th request that never ends: in its first line, in its head, in its body.
 */
static bool
begin_request(int fd, size_t i, const struct server_info *info)
{
    char *text =
        xasprintf("POST /api/tools/current_date HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                  "application/json\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{",
                  info->token);
    const size_t lens[] = {20, 60, strlen(text)};
    bool good = http_write(fd, text, lens[i % 3]);

    free(text);
    return good;
}

static void
slow_clients_hold_nobody_up(void **state)
{
    static const char *const args[] = {"--limits-head-time",
                                       "2s" /* HEAD_TIME */,
                                       "--limits-body-idle",
                                       "2s",
                                       "--limits-call-rate",
                                       "0",
                                       NULL};
    struct findings findings = FINDINGS_INIT;
    struct samples alone = {.ns = NULL}, among = {.ns = NULL};
    unsigned calls = stress_count(2000, 100);
    pthread_t threads[SLOW_EACH];
    int held[SLOW_EACH * 3], silent[SLOW_EACH];
    atomic_bool go_on = true;
    struct dripper dripper = {.findings = &findings, .go_on = &go_on};
    char root[HARNESS_ROOT];
    struct server s;

    (void)state;
    harness_project(root, packs);
    server_start(&s, root, &(struct server_options){.args = args});
    dripper.info = &s.info;
    serve_plain(&s.info, calls, &alone, &findings);
    for (size_t i = 0; i < SLOW_EACH * 3; i++) {
        held[i] = http_connect(&s.info);
        CHECK(held[i] >= 0);
        CHECK(begin_request(held[i], i, &s.info));
    }
    for (size_t i = 0; i < SLOW_EACH; i++) {
        silent[i] = http_connect(&s.info);
        CHECK(silent[i] >= 0);
        CHECK_INT(pthread_create(&threads[i], NULL, drip, &dripper), 0);
    }
    serve_plain(&s.info, calls, &among, &findings);
    atomic_store(&go_on, false);
    for (size_t i = 0; i < SLOW_EACH; i++) {
        pthread_join(threads[i], NULL);
    }
    for (size_t i = 0; i < SLOW_EACH * 3; i++) {
        wait_for_408(held[i]);
    }
    for (size_t i = 0; i < SLOW_EACH; i++) {
        wait_for_408(silent[i]);
    }
    printf("%d slow and silent clients: p99 of others %.2f ms, without them %.2f ms\n",
           SLOW_EACH * 5, (double)samples_percentile(&among, 99) / MS,
           (double)samples_percentile(&alone, 99) / MS);
    CHECK_INT(findings_tell(&findings), 0);
    CHECK_INT(server_end(&s), 0);
    CHECK_STR(server_left(root), "");
    samples_fini(&alone);
    samples_fini(&among);
    harness_remove(root);
}

/* Waits until the server has 'want' descriptors open, no more. */
static void
wait_for_descriptors(pid_t pid, unsigned want)
{
    int64_t deadline = in_time();

    while (harness_descriptors(pid) > want) {
        CHECK(now_ns() < deadline);
        look_again_soon();
    }
}

static void
clients_that_vanish_leave_nothing(void **state)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    char root[HARNESS_ROOT];
    struct findings findings = FINDINGS_INIT;
    struct mcp_outcome outcome;
    struct mcp_peer peer;
    struct fake_git git;
    struct server s;
    struct crowd crowd;
    unsigned descriptors;

    (void)state;
    harness_project(root, packs);
    fake_git_init(&git, root);
    server_start(&s, root, &(struct server_options){.path_first = git.folder});
    CHECK(mcp_open(&peer, &s.info, MCP_LEGACY, 0, &findings));
    descriptors = harness_descriptors(s.pid) + 1; /* The control connection. */
    crowd_fill(&s, &crowd, &git);
    for (int i = 0; i < CROWD_EACH; i++) {
        if (i % 2) { /* Half of them with a reset. */
            setsockopt(crowd.peers[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        http_peer_fini(&crowd.peers[i]);
    }
    CHECK(get_health(&crowd.control)); /* Served while their calls still wait. */
    CHECK(fake_git_waits(&git));
    fake_git_release(&git);
    for (int i = 0; i < CROWD_EACH; i++) { /* The calls of stdio are not theirs. */
        json_t *answer = server_read(&s, in_time());
        CHECK(json_object_get(answer, "result"));
        json_decref(answer);
    }
    wait_for_descriptors(s.pid, descriptors);
    outcome = mcp_call(&peer, "get_server_info", "{}");
    CHECK_INT(findings_tell(&findings), 0);
    CHECK_INT(json_integer_value(
                  json_object_get(json_object_get(outcome.result, "requests_in_flight"), "http")),
              1);
    outcome_fini(&outcome);
    mcp_close(&peer);
    samples_fini(&peer.samples);
    crowd_leave(&crowd);
    CHECK_INT(server_end(&s), 0);
    CHECK_STR(server_left(root), "");
    harness_remove(root);
}

static void
an_ide_that_vanishes_ends_the_server(void **state)
{
    char root[HARNESS_ROOT];
    struct fake_git git;
    struct server s;

    (void)state;
    harness_project(root, packs);
    fake_git_init(&git, root);
    server_start(&s, root, &(struct server_options){.path_first = git.folder});
    CHECK(server_send(&s, "{\"jsonrpc\":\"2.0\",\"id\":1," INFO_CALL "}"));
    CHECK(fake_git_wait(&git, in_time()));
    close(s.out); /* Nobody reads the answer any more: SIGPIPE must not be what ends it. */
    s.out = -1;
    server_close_stdin(&s);
    fake_git_release(&git);
    CHECK_INT(server_wait(&s, in_time()), 0);
    CHECK_STR(server_left(root), "");
    harness_remove(root);
}

#define DEAF_MOST \
    (64u << 20) /* Bytes of questions that no server may take without giving answers away. */

/* Writes what it can of question after question; '*sent' whole ones so far, 'rest' what is left of
 * the last. */
static size_t
write_questions(const struct server *s, unsigned *sent, struct buf *rest)
{
    size_t total = 0;
    ssize_t n;

    for (;;) {
        if (!rest->len) {
            buf_addf(
                rest,
                "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/list\",\"params\":{" MODERN_META
                "}}\n",
                (*sent)++);
        }
        n = write(s->in, rest->data, rest->len);
        if (n < 0) {
            CHECK_INT(errno, EAGAIN);
            return total;
        }
        total += (size_t)n;
        memmove(rest->data, rest->data + n, rest->len - (size_t)n);
        rest->len -= (size_t)n;
    }
}

/* Takes the answers to all questions, in their order, writing on what is left of the last. */
static void
take_answers(struct server *s, unsigned count, struct buf *rest)
{
    size_t written = 0;

    for (unsigned i = 0; i < count; i++) {
        json_t *answer;
        while (written < rest->len && !server_has_line(s, now_ns())) {
            ssize_t n = write(s->in, rest->data + written, rest->len - written);
            written += n > 0 ? (size_t)n : 0;
        }
        answer = server_read(s, in_time());
        CHECK_INT(json_integer_value(json_object_get(answer, "id")), i);
        CHECK(json_is_array(json_object_get(json_object_get(answer, "result"), "tools")));
        json_decref(answer);
    }
}

static void
an_ide_that_does_not_read_is_not_read_either(void **state)
{
    static const char *const args[] = {"--limits-stdout", "64KiB", "--limits-call-rate", "0", NULL};
    struct findings findings = FINDINGS_INIT;
    struct samples others = {.ns = NULL};
    struct buf rest = BUF_INIT;
    char root[HARNESS_ROOT];
    unsigned sent = 0;
    size_t total = 0, before;
    struct server s;

    (void)state;
    harness_project(root, packs);
    server_start(&s, root, &(struct server_options){.args = args});
    before = server_resident(&s);
    fcntl(s.in, F_SETFL, O_NONBLOCK);
    for (size_t last = 1; last > 0; total += last) {
        last = write_questions(&s, &sent, &rest);
        serve_plain(&s.info, 50, &others,
                    &findings); /* Meanwhile it has time to take more, if it will. */
        CHECK(total < DEAF_MOST);
    }
    printf("an IDE that does not read: %zu KiB of questions taken, %zu KiB more memory; p99 of "
           "others %.2f ms\n",
           total / 1024, (server_resident(&s) - before) / 1024,
           (double)samples_percentile(&others, 99) / MS);
    take_answers(&s, sent, &rest);
    CHECK_INT(findings_tell(&findings), 0);
    CHECK_INT(server_end(&s), 0);
    CHECK_STR(server_left(root), "");
    samples_fini(&others);
    buf_fini(&rest);
    harness_remove(root);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_clients_hold_nobody_up),
        cmocka_unit_test(an_ide_that_does_not_read_is_not_read_either),
        cmocka_unit_test(clients_that_vanish_leave_nothing),
        cmocka_unit_test(an_ide_that_vanishes_ends_the_server),
    };

    return CHECK_RUN(tests);
}
