/* test_activation.c -- sockets that were handed over are taken, checked, and nobody else's. */
#include "server/activation.h"

#include "server/listen.h"
#include "tests/check.h"
#include "tests/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3

static void
say(const char *pid, const char *count, const char *names)
{
    char me[20];

    snprintf(me, sizeof me, "%d", (int)getpid());
    setenv("LISTEN_PID", strcmp(pid, "me") == 0 ? me : pid, 1);
    setenv("LISTEN_FDS", count, 1);
    unsetenv("LISTEN_FDNAMES");
    if (names) {
        setenv("LISTEN_FDNAMES", names, 1);
    }
}

/* Puts 'fd' where the i-th one is looked for. */
static void
hand_over(int i, int fd)
{
    CHECK(fd >= 0);
    if (fd != FIRST_FD + i) {
        CHECK_INT(dup2(fd, FIRST_FD + i), FIRST_FD + i);
        close(fd);
    }
}

static int
tcp(bool listens)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), high;

    CHECK_INT(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    CHECK(!listens || listen(fd, 5) == 0);
    high = fcntl(fd, F_DUPFD, 100); /* Out of the way of those that are handed over. */
    close(fd);
    return high;
}

static int
at_path(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), high;
    socklen_t len = sizeof un;

    if (*path == '@') {
        len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
        memcpy(un.sun_path + 1, path + 1, strlen(path) - 1);
    } else {
        snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    }
    CHECK_INT(bind(fd, (struct sockaddr *)&un, len), 0);
    CHECK_INT(listen(fd, 5), 0);
    high = fcntl(fd, F_DUPFD, 100);
    close(fd);
    return high;
}

static void
both_kinds_are_taken(void **unused)
{
    struct tree *folder = tree_create();
    char path[200];
    struct activation a;
    struct fault f = FAULT_INIT;

    (void)unused;
    snprintf(path, sizeof path, "%s/socket", tree_path(folder));
    hand_over(0, tcp(true));
    hand_over(1, at_path(path));
    say("me", "2", "http:");
    CHECK_INT(activation_take(&a, &f), E_OK);
    CHECK_INT(a.count, 2);
    CHECK_STR(a.all[0].name, "http");
    CHECK_STR(a.all[1].name, "4"); /* Nobody has named it. */
    for (int i = 0; i < 2; i++) {
        CHECK_INT(a.all[i].fd, FIRST_FD + i);
        CHECK(fcntl(a.all[i].fd, F_GETFD) & FD_CLOEXEC);
        CHECK(fcntl(a.all[i].fd, F_GETFL) & O_NONBLOCK);
    }
    CHECK(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES"));
    activation_close(&a);
    CHECK(fcntl(FIRST_FD, F_GETFD) < 0 && fcntl(FIRST_FD + 1, F_GETFD) < 0);
    tree_destroy(folder);
}

static void
what_is_for_others_is_left_alone(void **unused)
{
    struct activation a;
    struct fault f = FAULT_INIT;

    (void)unused;
    hand_over(0, tcp(true));
    say("1", "1", NULL);
    CHECK_INT(activation_take(&a, &f), E_OK);
    CHECK_INT(a.count, 0);
    CHECK(!getenv("LISTEN_FDS"));
    CHECK_INT(activation_take(&a, &f), E_OK); /* Without any variable. */
    CHECK_INT(a.count, 0);
    say("me", "0", NULL);
    CHECK_INT(activation_take(&a, &f), E_OK);
    CHECK_INT(a.count, 0);
    CHECK(fcntl(FIRST_FD, F_GETFD) >= 0);
    close(FIRST_FD);
}

static void
refuse(const char *count, const char *why)
{
    struct activation a;
    struct fault f = FAULT_INIT;

    say("me", count, "odd");
    CHECK_INT(activation_take(&a, &f), E_ARGUMENT);
    CHECK_INT(a.count, 0);
    CHECK(strstr(f.text, why) != NULL);
    CHECK(*fault_next_step(&f));
    CHECK(!getenv("LISTEN_FDS"));
}

static void
what_cannot_be_served_is_refused(void **unused)
{
    int fd;

    (void)unused;
    refuse("9", "LISTEN_FDS");
    refuse("x", "LISTEN_FDS");
    refuse("-1", "LISTEN_FDS");
    close(FIRST_FD);
    refuse("1", "not open");
    hand_over(0, open("/dev/null", O_RDONLY));
    refuse("1", "no socket");
    hand_over(0, tcp(false));
    refuse("1", "does not listen");
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    hand_over(0, fd);
    refuse("1", "no stream socket");
    hand_over(0, at_path("@tandem-test-activation"));
    refuse("1", "no absolute path");
    hand_over(0, tcp(true)); /* All or none. */
    hand_over(1, open("/dev/null", O_RDONLY));
    refuse("2", "no socket");
    CHECK(fcntl(FIRST_FD, F_GETFD) < 0);
}

static void
an_adopted_socket_tells_where_it_is(void **unused)
{
    struct tree *folder = tree_create();
    char path[200], url[LISTEN_URL_SIZE], wanted[LISTEN_URL_SIZE];
    struct listen_address address;
    struct listener l;
    struct fault f = FAULT_INIT;

    (void)unused;
    CHECK_INT(listen_adopt(tcp(true), &address, &l, &f), E_OK);
    CHECK(listen_is_local(&address));
    listen_url(&l, "/mcp", url);
    snprintf(wanted, sizeof wanted, "http://127.0.0.1:%u/mcp",
             ntohs(((struct sockaddr_in *)&address.sockaddr)->sin_port));
    CHECK_STR(url, wanted);
    listen_close(&l);

    snprintf(path, sizeof path, "%s/socket", tree_path(folder));
    CHECK_INT(listen_adopt(at_path(path), &address, &l, &f), E_OK);
    CHECK(listen_is_local(&address));
    CHECK_STR(l.socket_path, path);
    listen_close(&l);
    CHECK_INT(access(path, F_OK), 0); /* Whoever made it has it still. */

    CHECK_INT(listen_adopt(open("/dev/null", O_RDONLY | O_CLOEXEC), &address, &l, &f), E_IO);
    CHECK_INT(l.fd, -1);
    tree_destroy(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_are_taken),
        cmocka_unit_test(what_is_for_others_is_left_alone),
        cmocka_unit_test(what_cannot_be_served_is_refused),
        cmocka_unit_test(an_adopted_socket_tells_where_it_is),
    };

    return CHECK_RUN(tests);
}
