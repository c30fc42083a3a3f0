/* test_listen.c -- addresses as they are written, and ports that no two servers share. */
#include "server/listen.h"

#include "state/base/mem.h"
#include "tests/check.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A range that little else uses, below that of outgoing connections. */
#define FIRST 21420u
#define LAST 21620u

static void
addresses_are_read(void **unused)
{
    static const struct {
        const char *text;
        enum err err;
        int family;
        unsigned port;
        bool given, local;
    } cases[] = {
        {"127.0.0.1", E_OK, AF_INET, 0, false, true},
        {"127.9.9.9:0", E_OK, AF_INET, 0, true, true},
        {"localhost:4300", E_OK, AF_INET, 4300, true, true},
        {"0.0.0.0:65535", E_OK, AF_INET, 65535, true, false},
        {"192.168.1.2", E_OK, AF_INET, 0, false, false},
        {"[::1]:80", E_OK, AF_INET6, 80, true, true},
        {"[::1]", E_OK, AF_INET6, 0, false, true},
        {"::1", E_OK, AF_INET6, 0, false, true},
        {"::", E_OK, AF_INET6, 0, false, false},
        {"unix:/tmp/x.sock", E_OK, AF_UNIX, 0, false, true},
        {"unix:x.sock", E_OK, AF_UNIX, 0, false, true},
        {"", E_ARGUMENT, 0, 0, false, false},
        {"4300", E_ARGUMENT, 0, 0, false, false},
        {":4300", E_ARGUMENT, 0, 0, false, false},
        {"example.org:80", E_ARGUMENT, 0, 0, false, false},
        {"127.0.0.1:", E_ARGUMENT, 0, 0, false, false},
        {"127.0.0.1:65536", E_ARGUMENT, 0, 0, false, false},
        {"127.0.0.1:99999999999999999999", E_ARGUMENT, 0, 0, false, false},
        {"127.0.0.1:8o", E_ARGUMENT, 0, 0, false, false},
        {"127.0.0.1:-1", E_ARGUMENT, 0, 0, false, false},
        {"[::1", E_ARGUMENT, 0, 0, false, false},
        {"[::1]80", E_ARGUMENT, 0, 0, false, false},
        {"[]:80", E_ARGUMENT, 0, 0, false, false},
        {"unix:", E_ARGUMENT, 0, 0, false, false},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", E_ARGUMENT, 0, 0,
         false, false},
    };
    char text[200] = "unix:/";
    struct listen_address a;
    struct fault f = FAULT_INIT;

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_INT(listen_parse(cases[i].text, &a, &f), cases[i].err);
        if (cases[i].err) {
            CHECK(*f.remedy);
            continue;
        }
        CHECK_INT(a.sockaddr.ss_family, cases[i].family);
        CHECK_INT(a.port_given, cases[i].given);
        CHECK_INT(listen_is_local(&a), cases[i].local);
        if (cases[i].family != AF_UNIX) {
            CHECK_INT(ntohs(((struct sockaddr_in *)&a.sockaddr)->sin_port), cases[i].port);
        }
    }
    memset(text + 6, 'x', 106); /* 107 bytes of path are the most. */
    CHECK_INT(listen_parse(text, &a, &f), E_OK);
    text[6 + 106] = 'x';
    CHECK_INT(listen_parse(text, &a, &f), E_ARGUMENT);
}

static void
open_at(const char *text, unsigned first, unsigned last, enum err err, struct listener *l)
{
    struct listen_address a;
    struct fault f = FAULT_INIT;

    CHECK_INT(listen_parse(text, &a, &f), E_OK);
    CHECK_INT(listen_open(&a, first, last, l, &f), err);
    CHECK((err == E_OK) == (l->fd >= 0));
    CHECK(!err || *f.remedy);
}

static void
a_port_is_found_and_kept(void **unused)
{
    struct listener one, two, three;
    char url[LISTEN_URL_SIZE], text[40];

    (void)unused;
    open_at("127.0.0.1", FIRST, LAST, E_OK, &one);
    CHECK(one.port >= FIRST && one.port <= LAST && !one.moved);
    CHECK_STR(one.host, "127.0.0.1");
    CHECK(fcntl(one.fd, F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(one.fd, F_GETFL) & O_NONBLOCK);
    open_at("127.0.0.1", one.port, LAST, E_OK, &two);
    CHECK(two.port > one.port);
    /* A given port that is taken: the range is next, and it is told. */
    snprintf(text, sizeof text, "127.0.0.1:%u", one.port);
    open_at(text, one.port, LAST, E_OK, &three);
    CHECK(three.moved && three.port > one.port && three.port != two.port);
    listen_url(&three, "/mcp", url);
    snprintf(text, sizeof text, "http://127.0.0.1:%u/mcp", three.port);
    CHECK_STR(url, text);
    listen_close(&three);
    listen_close(&three);
    listen_close(&two);
    listen_close(&one);
}

static void
exhaustion_names_range_and_remedy(void **unused)
{
    struct listener one, two;
    struct listen_address a;
    struct fault f = FAULT_INIT;
    char text[100];

    (void)unused;
    open_at("127.0.0.1:0", FIRST, LAST, E_OK, &one);
    listen_parse("127.0.0.1", &a, &f);
    CHECK_INT(listen_open(&a, one.port, one.port, &two, &f), E_LIMIT);
    snprintf(text, sizeof text, "listen: all ports from %u to %u are taken", one.port, one.port);
    CHECK_STR(f.text, text);
    CHECK(strstr(f.remedy, "--listen") && strstr(f.remedy, "--ports-first"));
    snprintf(text, sizeof text, "127.0.0.1:%u", one.port);
    listen_parse(text, &a, &f);
    CHECK_INT(listen_open(&a, one.port, one.port, &two, &f), E_LIMIT);
    CHECK(strstr(f.text, "and so is the one that was given"));
    listen_close(&one);
    listen_close(&two);
}

static void
addresses_of_others_are_refused(void **unused)
{
    struct listener l;

    (void)unused;
    open_at("192.0.2.1:4300", FIRST, LAST, E_IO, &l);
    open_at("unix:/nonexistent-folder/x.sock", FIRST, LAST, E_IO, &l);
}

static void
every_address_has_a_url(void **unused)
{
    struct listener l = {.fd = -1, .host = "0.0.0.0", .port = 1};
    char url[LISTEN_URL_SIZE];

    (void)unused;
    listen_url(&l, "/", url);
    CHECK_STR(url, "http://127.0.0.1:1/");
    strcpy(l.host, "[::]");
    listen_url(&l, "/mcp", url);
    CHECK_STR(url, "http://[::1]:1/mcp");
    strcpy(l.socket_path, "/run/a b-1.sock");
    listen_url(&l, "/mcp", url);
    CHECK_STR(url, "http+unix://%2Frun%2Fa%20b-1.sock/mcp");
    l.socket_path[0] = '\0';
    open_at("[::1]:0", FIRST, LAST, E_OK, &l);
    CHECK_STR(l.host, "[::1]");
    listen_close(&l);
}

static void
a_unix_socket_is_private_and_cleared(void **unused)
{
    char folder[] = "/tmp/tandem-listen-XXXXXX", text[80], path[64];
    struct listener one, two;
    struct stat st;
    int fd;

    (void)unused;
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/t.sock", folder);
    snprintf(text, sizeof text, "unix:%s", path);
    open_at(text, FIRST, LAST, E_OK, &one);
    CHECK_STR(one.socket_path, path);
    CHECK_INT(one.port, 0);
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    open_at(text, FIRST, LAST, E_CONFLICT, &two); /* Somebody listens. */
    close(one.fd);                                /* As if it had been killed. */
    open_at(text, FIRST, LAST, E_OK, &two);
    listen_close(&two);
    CHECK_INT(access(path, F_OK), -1);
    fd = open(path, O_WRONLY | O_CREAT, 0600); /* No socket: not ours to remove. */
    close(fd);
    open_at(text, FIRST, LAST, E_CONFLICT, &two);
    CHECK_INT(access(path, F_OK), 0);
    unlink(path);
    rmdir(folder);
}

#define SERVERS 20
struct race {
    pthread_barrier_t barrier;
    struct listener listeners[SERVERS];
    _Atomic unsigned next, failed;
};

static void *
start_one(void *arg)
{
    struct race *r = arg;
    unsigned mine = atomic_fetch_add(&r->next, 1);
    struct listen_address a;

    listen_parse("127.0.0.1", &a, NULL);
    pthread_barrier_wait(&r->barrier);
    if (listen_open(&a, FIRST, LAST, &r->listeners[mine], NULL)) {
        atomic_fetch_add(&r->failed, 1);
    }
    return NULL;
}

static void
twenty_at_once_get_twenty_ports(void **unused)
{
    (void)unused;
    for (int round = 0; round < 20; round++) {
        struct race r = {.next = 0};
        pthread_t threads[SERVERS];

        pthread_barrier_init(&r.barrier, NULL, SERVERS);
        for (int i = 0; i < SERVERS; i++) {
            pthread_create(&threads[i], NULL, start_one, &r);
        }
        for (int i = 0; i < SERVERS; i++) {
            pthread_join(threads[i], NULL);
        }
        CHECK_INT(r.failed, 0);
        for (int i = 0; i < SERVERS; i++) {
            for (int j = 0; j < i; j++) {
                CHECK(r.listeners[i].port != r.listeners[j].port);
            }
        }
        for (int i = 0; i < SERVERS; i++) {
            listen_close(&r.listeners[i]);
        }
        pthread_barrier_destroy(&r.barrier);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(a_port_is_found_and_kept),
        cmocka_unit_test(exhaustion_names_range_and_remedy),
        cmocka_unit_test(addresses_of_others_are_refused),
        cmocka_unit_test(every_address_has_a_url),
        cmocka_unit_test(a_unix_socket_is_private_and_cleared),
        cmocka_unit_test(twenty_at_once_get_twenty_ports),
    };
    return CHECK_RUN(tests);
}
