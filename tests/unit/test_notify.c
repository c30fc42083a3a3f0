/* test_notify.c -- what a service manager is told, byte by byte, and what it cannot be told. */
#include "server/notify.h"

#include "state/base/log.h"
#include "state/base/mem.h"
#include "tests/check.h"
#include "tests/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The manager's end. */
struct manager {
    struct tree *folder; /* Where its socket is; null if that has an abstract name. */
    int fd;
    char name[100]; /* As NOTIFY_SOCKET has it. */
    char got[2048];
};

static void
manager_start(struct manager *m, bool abstract)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len;

    *m = (struct manager){.folder = abstract ? NULL : tree_create()};
    if (abstract) {
        snprintf(m->name, sizeof m->name, "@tandem-test-%d", (int)getpid());
    } else {
        snprintf(m->name, sizeof m->name, "%s/notify", tree_path(m->folder));
    }
    len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(m->name));
    memcpy(un.sun_path, m->name, strlen(m->name));
    un.sun_path[0] = abstract ? '\0' : un.sun_path[0];
    m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(m->fd >= 0);
    CHECK_INT(bind(m->fd, (struct sockaddr *)&un, len), 0);
    setenv("NOTIFY_SOCKET", m->name, 1);
}

static void
manager_end(struct manager *m)
{
    close(m->fd);
    if (m->folder) {
        tree_destroy(m->folder);
    }
}

/* What has come; "" if nothing has. */
static const char *
next(struct manager *m)
{
    ssize_t n = recv(m->fd, m->got, sizeof m->got - 1, MSG_DONTWAIT);

    CHECK(n >= 0 || errno == EAGAIN);
    m->got[n > 0 ? n : 0] = '\0';
    return m->got;
}

static void
moments_are_told(void **unused)
{
    (void)unused;
    for (int abstract = 0; abstract < 2; abstract++) {
        struct manager m;
        struct notify n;

        manager_start(&m, abstract);
        notify_open(&n);
        CHECK(notify_on(&n));
        CHECK(n.watchdog_ns == 0);
        CHECK(!getenv("NOTIFY_SOCKET"));
        notify_ready(&n, "serving");
        CHECK_STR(next(&m), "READY=1\nSTATUS=serving");
        notify_reloading(&n);
        CHECK(strncmp(next(&m), "RELOADING=1\nMONOTONIC_USEC=", 27) == 0);
        CHECK(strtoull(m.got + 27, NULL, 10) > 0);
        CHECK(strstr(m.got, "\nSTATUS=") != NULL);
        notify_status(&n, "two\nREADY=1");
        CHECK_STR(next(&m), "STATUS=two READY=1"); /* One line, whatever is in it. */
        notify_alive(&n);
        CHECK_STR(next(&m), "WATCHDOG=1");
        notify_stopping(&n, INT64_C(5500000000), "ending");
        CHECK_STR(next(&m), "STOPPING=1\nEXTEND_TIMEOUT_USEC=5500000\nWATCHDOG=1\nSTATUS=ending");
        CHECK_STR(next(&m), "");
        notify_close(&n);
        CHECK(!notify_on(&n));
        notify_alive(&n);
        CHECK_STR(next(&m), "");
        manager_end(&m);
    }
}

static void
long_statuses_are_cut(void **unused)
{
    char status[2000];
    struct manager m;
    struct notify n;

    (void)unused;
    memset(status, 'x', sizeof status);
    status[sizeof status - 1] = '\0';
    manager_start(&m, false);
    notify_open(&n);
    notify_stopping(&n, INT64_MAX, status);
    CHECK(strncmp(next(&m), "STOPPING=1\n", 11) == 0);
    CHECK_INT(strlen(strstr(m.got, "STATUS=")), strlen("STATUS=") + NOTIFY_STATUS_MAX - 1);
    notify_close(&n);
    manager_end(&m);
}

static void
the_watchdog_is_for_the_process_that_it_names(void **unused)
{
    static const struct {
        const char *usec, *pid; /* "me": this one's. */
        int64_t ns;
    } cases[] = {
        {"60000000", NULL, INT64_C(60000000000)},
        {"60000000", "me", INT64_C(60000000000)},
        {"60000000", "1", 0},
        {"60000000", "", 0},
        {NULL, "me", 0},
        {"0", "me", 0},
        {"-5", "me", 0},
        {"5x", "me", 0},
        {"", "me", 0},
        {"99999999999999999999", "me", 0},
        {"9223372036854775807", "me", 0}, /* More nanoseconds than there are. */
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct manager m;
        struct notify n;
        char me[20];

        manager_start(&m, false);
        snprintf(me, sizeof me, "%d", (int)getpid());
        if (cases[i].usec) {
            setenv("WATCHDOG_USEC", cases[i].usec, 1);
        }
        if (cases[i].pid) {
            setenv("WATCHDOG_PID", strcmp(cases[i].pid, "me") == 0 ? me : cases[i].pid, 1);
        }
        notify_open(&n);
        CHECK(n.watchdog_ns == cases[i].ns);
        CHECK(!getenv("WATCHDOG_USEC") && !getenv("WATCHDOG_PID"));
        notify_close(&n);
        manager_end(&m);
    }
}

static void
without_a_manager_nothing_is_told(void **unused)
{
    static const char *const names[] = {NULL, "", "relative", "@", "/", "vsock:2:1234"};
    char longer[200];
    struct notify n;

    (void)unused;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsetenv("NOTIFY_SOCKET");
        if (names[i]) {
            setenv("NOTIFY_SOCKET", names[i], 1);
        }
        setenv("WATCHDOG_USEC", "1000000", 1);
        notify_open(&n);
        CHECK(!notify_on(&n));
        CHECK(n.watchdog_ns == 0);
        notify_ready(&n, "nobody hears that");
        notify_close(&n);
    }
    memset(longer, 'x', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    setenv("NOTIFY_SOCKET", longer, 1);
    notify_open(&n);
    CHECK(!notify_on(&n));
}

/* It is told again once it listens again, as after it was started anew. */
static void
a_manager_may_go_and_come_back(void **unused)
{
    struct manager m;
    struct notify n;
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    (void)unused;
    manager_start(&m, false);
    notify_open(&n);
    close(m.fd);
    notify_alive(&n);
    CHECK(n.complained);
    unlink(m.name);
    notify_alive(&n);
    snprintf(un.sun_path, sizeof un.sun_path, "%s", m.name);
    m.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(m.fd, (struct sockaddr *)&un, sizeof un), 0);
    notify_alive(&n);
    CHECK_STR(next(&m), "WATCHDOG=1");
    CHECK(!n.complained);
    notify_close(&n);
    manager_end(&m);
}

/* One that does not take its messages holds up nobody for ever. */
static void
a_manager_that_reads_nothing_is_given_up(void **unused)
{
    struct manager m;
    struct notify n;

    (void)unused;
    manager_start(&m, false);
    notify_open(&n);
    for (int i = 0; i < 100000 && !n.complained; i++) {
        notify_alive(&n);
    }
    CHECK(n.complained);
    CHECK_STR(next(&m), "WATCHDOG=1");
    notify_close(&n);
    manager_end(&m);
}

static void
numbers_are_numbers(void **unused)
{
    (void)unused;
    setenv("TANDEM_TEST_NUMBER", "12", 1);
    CHECK_INT(notify_number("TANDEM_TEST_NUMBER", 12), 12);
    CHECK_INT(notify_number("TANDEM_TEST_NUMBER", 11), -1);
    setenv("TANDEM_TEST_NUMBER", "+1", 1);
    CHECK_INT(notify_number("TANDEM_TEST_NUMBER", 12), -1);
    setenv("TANDEM_TEST_NUMBER", " 1", 1);
    CHECK_INT(notify_number("TANDEM_TEST_NUMBER", 12), -1);
    unsetenv("TANDEM_TEST_NUMBER");
    CHECK_INT(notify_number("TANDEM_TEST_NUMBER", 12), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_told),
        cmocka_unit_test(long_statuses_are_cut),
        cmocka_unit_test(the_watchdog_is_for_the_process_that_it_names),
        cmocka_unit_test(without_a_manager_nothing_is_told),
        cmocka_unit_test(a_manager_may_go_and_come_back),
        cmocka_unit_test(a_manager_that_reads_nothing_is_given_up),
        cmocka_unit_test(numbers_are_numbers),
    };

    log_configure(LOG_OFF, LOG_TEXT);
    return CHECK_RUN(tests);
}
