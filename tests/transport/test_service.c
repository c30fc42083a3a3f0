/* test_service.c -- the real binary under a service manager.
 *
 * The manager is this program: it opens the sockets, listens where NOTIFY_SOCKET says, reads what
 * the server writes to its "journal", sends signals, and waits.  Every wait is for something that
 * the server says. */
#include "server/client.h"
#include "state/base/mem.h"
#include "tests/check.h"
#include "tests/http_client.h"
#include "tests/serving.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_S 60

struct service {
    struct serving serving; /* Its project, process, port and token. */
    int notify;             /* Where the server's messages come in. */
    char got[4096];         /* The last one. */
    int tcp, at_path;       /* Sockets of its own, handed over unless they are -1. */
    char path[100];         /* Of the second. */
    unsigned port;          /* Of the first. */
    int journal;            /* What it writes to standard error; -1: ours. */
    struct buf told;        /* Of that, so far; */
    size_t told_at;         /* so much of it has been looked at. */
    bool notified;          /* It is given NOTIFY_SOCKET. */
    bool deaf;              /* It is started by nohup. */
    int terminal;           /* The other side of its terminal; -1: it has none. */
    const char *watchdog;   /* Microseconds; null: there is none. */
};

static int
listen_at_path(struct service *s)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(s->path, sizeof s->path, "%s/socket", tree_path(s->serving.project));
    snprintf(un.sun_path, sizeof un.sun_path, "%s", s->path);
    CHECK_INT(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    CHECK_INT(listen(fd, 100), 0);
    return fd;
}

static void
set_up(struct service *s)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    *s =
        (struct service){.tcp = -1, .at_path = -1, .journal = -1, .notified = true, .terminal = -1};
    serving_prepare(&s->serving);
    snprintf(un.sun_path, sizeof un.sun_path, "%s/notify", tree_path(s->serving.project));
    s->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(s->notify, (struct sockaddr *)&un, sizeof un), 0);
}

static void
tear_down(struct service *s)
{
    close(s->notify);
    if (s->tcp >= 0) {
        close(s->tcp);
    }
    if (s->at_path >= 0) {
        close(s->at_path);
    }
    if (s->journal >= 0) {
        close(s->journal);
    }
    buf_fini(&s->told);
    s->serving.from = -1; /* It never had pipes. */
    serving_fini(&s->serving);
}

/* ---- Starting it ---- */

static void
take_terminal(const struct service *s)
{
    int slave = s->terminal >= 0 ? open(ptsname(s->terminal), O_RDWR) : -1;

    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* A test that fails leaves no server behind. */
    if (slave >= 0 && ioctl(slave, TIOCSCTTY, 0) != 0) {
        abort();
    }
}

/* Puts the sockets where a service finds them, and says so in the environment. */
static void
hand_over(const struct service *s)
{
    const int fds[] = {s->tcp, s->at_path};
    int high[2], count = 0;
    char number[20];

    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0) {
            high[count++] = fcntl(fds[i], F_DUPFD_CLOEXEC, 100);
        }
    }
    for (int i = 0; i < count; i++) {
        dup2(high[i], 3 + i);
    }
    snprintf(number, sizeof number, "%d", count);
    setenv("LISTEN_FDS", number, 1);
    setenv("LISTEN_FDNAMES", s->tcp >= 0 ? "http:local" : "local", 1);
    snprintf(number, sizeof number, "%d", (int)getpid());
    setenv("LISTEN_PID", number, 1);
}

static void
set_environment(const struct service *s, int journal)
{
    char text[300];
    struct stat st;

    unsetenv("NOTIFY_SOCKET");
    if (s->notified) {
        snprintf(text, sizeof text, "%s/notify", tree_path(s->serving.project));
        setenv("NOTIFY_SOCKET", text, 1);
    }
    if (s->watchdog) {
        setenv("WATCHDOG_USEC", s->watchdog, 1);
        snprintf(text, sizeof text, "%d", (int)getpid());
        setenv("WATCHDOG_PID", text, 1);
    }
    if (journal >= 0 && fstat(journal, &st) == 0 && dup2(journal, STDERR_FILENO) >= 0) {
        snprintf(text, sizeof text, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
        setenv("JOURNAL_STREAM", text, 1);
    }
}

static void __attribute__((noreturn))
become(const struct service *s, int journal, const char *const *options)
{
    const char *binary = getenv("TANDEM") ? getenv("TANDEM") : "build/tandem";
    const char *args[20] = {"tandem", "serve", "--transport", "http"};
    char *path = realpath(binary, NULL);
    int count = 4, null_fd = open("/dev/null", O_RDWR);

    while (*options && count < 19) {
        args[count++] = *options++;
    }
    unsetenv("TANDEM");
    if (!path || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ||
        fchdir(dir_fd(tree_dir(s->serving.project))) != 0) {
        abort();
    }
    take_terminal(s);
    signal(SIGHUP, s->deaf ? SIG_IGN : SIG_DFL);
    set_environment(s, journal);
    hand_over(s);
    execv(path, (char *const *)(uintptr_t)args);
    abort();
}

static void
start(struct service *s, const char *const *options)
{
    int ends[2] = {-1, -1};

    if (s->journal == -2) {
        buf_fini(&s->told);
        s->told_at = 0;
        CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
        s->journal = ends[0];
    }
    fflush(NULL);
    s->serving.pid = fork();
    CHECK(s->serving.pid >= 0);
    if (s->serving.pid == 0) {
        become(s, ends[1], options);
    }
    if (ends[1] >= 0) {
        close(ends[1]);
    }
}

static const char *const no_options[] = {NULL};
static const char *const quiet[] = {"--log-level", "off", NULL};

/* ---- What it says ---- */

/* The next message; "" if there is none in time. */
static const char *
next(struct service *s)
{
    struct pollfd in = {.fd = s->notify, .events = POLLIN};
    ssize_t n = 0;

    if (poll(&in, 1, PATIENCE_S * 1000) > 0) {
        n = recv(s->notify, s->got, sizeof s->got - 1, MSG_DONTWAIT);
    }
    s->got[n > 0 ? n : 0] = '\0';
    return s->got;
}

/* The value of a line of the last message, or null. */
static const char *
value_of(const struct service *s, const char *name)
{
    const char *at = s->got;

    while (at && strncmp(at, name, strlen(name)) != 0) {
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    return at ? at + strlen(name) : NULL;
}

/* Reads messages up to one that has the line; false if it does not come. */
static bool
await(struct service *s, const char *line)
{
    while (*next(s)) {
        if (value_of(s, line)) {
            return true;
        }
    }
    return false;
}

/* Up to one whose status has 'text'. */
static bool
await_status(struct service *s, const char *text)
{
    while (await(s, "STATUS=")) {
        if (strstr(value_of(s, "STATUS="), text)) {
            return true;
        }
    }
    return false;
}

/* Ends it as a manager does; its exit status, or -1. */
static int
end(struct service *s)
{
    int status = 0;

    kill(s->serving.pid, SIGTERM);
    waitpid(s->serving.pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What "GET /health" is answered there, or 0. */
static int
health(const char *url)
{
    const struct client_request request = {
        .method = "GET", .path = "/health", .timeout_ns = PATIENCE_S * INT64_C(1000000000)};
    struct client_reply reply = CLIENT_REPLY_INIT;
    struct client_target target;
    struct fault f = FAULT_INIT;

    if (client_parse_url(url, &target, &f) ||
        client_exchange(&target, &request, &reply, &f) != E_OK) {
        fprintf(stderr, "%s: %s\n", url, f.text);
    }
    buf_fini(&reply.body);
    return reply.status;
}

static int
health_at_port(unsigned port)
{
    char url[100];

    snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    return health(url);
}

static int
health_at_path(const char *path)
{
    char url[700] = "http+unix://";
    size_t n = strlen(url);

    for (; *path; path++) {
        n += (size_t)snprintf(url + n, sizeof url - n, *path == '/' ? "%%2F" : "%c", *path);
    }
    snprintf(url + n, sizeof url - n, "/");
    return health(url);
}

/* ---- Tests ---- */

static void
it_is_ready_when_it_answers(void **unused)
{
    struct service s;

    (void)unused;
    set_up(&s);
    start(&s, quiet);
    CHECK(strncmp(next(&s), "READY=1\n", 8) == 0);
    serving_discover(&s.serving);
    CHECK(s.serving.port > 0);
    CHECK_INT(health_at_port(s.serving.port), 200);
    CHECK(strstr(value_of(&s, "STATUS="), "serving ") != NULL);
    CHECK(strstr(s.got, "/mcp") != NULL);
    CHECK_INT(end(&s), 0);
    CHECK(await(&s, "STOPPING=1"));
    CHECK(strtoull(value_of(&s, "EXTEND_TIMEOUT_USEC="), NULL, 10) >= 5000000); /* "drain". */
    CHECK(strstr(value_of(&s, "STATUS="), "SIGTERM") != NULL);
    tear_down(&s);
}

/* Who asks before there is a server waits in the socket's queue, and is answered by the first; and
 * so is who asks between two servers. */
static void
sockets_that_are_handed_over_are_served(void **unused)
{
    static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct service s;
    struct client early;

    (void)unused;
    set_up(&s);
    s.tcp = client_listen(&s.port);
    s.at_path = listen_at_path(&s);
    for (int i = 0; i < 2; i++) {
        client_open(&early, s.port);
        CHECK(client_sends(&early, request));
        start(&s, quiet);
        CHECK_INT(client_read(&early, false, PATIENCE_S).status, 200);
        CHECK(await(&s, "READY=1"));
        serving_discover(&s.serving);
        free(s.serving.token);
        s.serving.token = NULL;
        CHECK_INT(s.serving.port, s.port); /* The first is the one that is announced. */
        CHECK_INT(health_at_port(s.port), 200);
        CHECK_INT(health_at_path(s.path), 200);
        client_close(&early);
        CHECK_INT(end(&s), 0);
        CHECK_INT(access(s.path, F_OK), 0); /* It is the manager's. */
        CHECK(await(&s, "STOPPING=1"));
    }
    tear_down(&s);
}

/* Reads its standard error up to 'text', and steps over it; false if that ends before. */
static bool
journal_has(struct service *s, const char *text)
{
    struct pollfd in = {.fd = s->journal, .events = POLLIN};

    for (;;) {
        const char *from = s->told.data ? s->told.data + s->told_at : "";
        const char *found = memmem(from, s->told.len - s->told_at, text, strlen(text));
        char piece[4096];
        ssize_t n;

        if (found) {
            s->told_at += (size_t)(found - from) + strlen(text);
            return true;
        }
        n = poll(&in, 1, PATIENCE_S * 1000) > 0 ? read(s->journal, piece, sizeof piece) : 0;
        if (n <= 0) {
            fprintf(stderr, "not told: %s\nbut: %.*s\n", text, (int)(s->told.len - s->told_at),
                    from);
            return false;
        }
        buf_add(&s->told, piece, (size_t)n);
    }
}

/* A socket does not open what the settings would not. */
static void
what_may_not_be_served_is_refused(void **unused)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    struct service s;
    int status = 0;

    (void)unused;
    set_up(&s);
    s.journal = -2;
    s.tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(bind(s.tcp, (struct sockaddr *)&any, sizeof any), 0);
    CHECK_INT(listen(s.tcp, 5), 0);
    start(&s, no_options);
    CHECK(journal_has(&s, "<3>tandem: listen: http://"));
    CHECK(waitpid(s.serving.pid, &status, 0) == s.serving.pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    close(s.tcp);

    close(s.journal);
    s.journal = -2;
    s.tcp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    start(&s, no_options);
    CHECK(journal_has(&s, "<3>tandem: the socket \"http\" that was handed over"));
    CHECK(waitpid(s.serving.pid, &status, 0) == s.serving.pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    tear_down(&s);
}

/* ---- Reload ---- */

static void
reload(struct service *s)
{
    kill(s->serving.pid, SIGHUP);
    CHECK(await(s, "RELOADING=1"));
    CHECK(strtoull(value_of(s, "MONOTONIC_USEC="), NULL, 10) > 0);
    CHECK(await(s, "READY=1"));
}

static void
a_hangup_reads_everything_anew(void **unused)
{
    struct service s;

    (void)unused;
    set_up(&s);
    s.journal = -2;
    start(&s, no_options);
    CHECK(await(&s, "READY=1"));
    tree_write(s.serving.project, ".tandem/config.json",
               "{\"drain\": \"2s\",\n \"listen\": \"127.0.0.1:0\"}");
    reload(&s);
    CHECK(!strstr(s.got, "refused"));
    CHECK(journal_has(&s, "<4>level=warn module=serve event=settings "
                          "where=.tandem/config.json line=2 "
                          "text=\"listen takes effect at the next start\""));
    CHECK(journal_has(&s, "changed=drain\n"));
    tree_write(s.serving.project, ".tandem/config.json", "{\"drain\": \"3s\", \"drian\": 1}");
    reload(&s);
    CHECK(strstr(value_of(&s, "STATUS="), "settings refused: ") != NULL);
    CHECK(strstr(value_of(&s, "STATUS="), "drian") != NULL);
    CHECK(journal_has(&s, "<3>level=error module=serve event=\"the settings stay as they were\""));
    tree_write(s.serving.project, ".tandem/config.json", "{\"drain\": \"1s\"}");
    reload(&s);
    CHECK(!strstr(s.got, "refused"));
    CHECK(journal_has(&s, "changed=drain\n")); /* From 2s: what was refused never counted. */
    CHECK_INT(end(&s), 0);
    tear_down(&s);
}

/* ---- Terminals ---- */

/* Starts it on a terminal of its own, which hangs up as soon as it serves. */
static void
start_and_hang_up(struct service *s)
{
    s->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(s->terminal >= 0 && grantpt(s->terminal) == 0 && unlockpt(s->terminal) == 0);
    start(s, no_options);
    CHECK(journal_has(s, "event=serving "));
    close(s->terminal);
    s->terminal = -1;
}

/* A hangup of the terminal ends a server that a person has started there; not one that nohup, or a
 * manager, has started: that reads its settings anew. */
static void
only_a_persons_server_ends_with_its_terminal(void **unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++) {
        struct service s;
        int status = 0;

        set_up(&s);
        s.journal = -2;
        s.deaf = i == 1;
        s.notified = i == 2;
        start_and_hang_up(&s);
        if (i == 0) {
            CHECK(journal_has(&s, "event=ending reason=SIGHUP"));
            CHECK(waitpid(s.serving.pid, &status, 0) == s.serving.pid);
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        } else {
            CHECK(journal_has(&s, "event=\"settings read anew\""));
            CHECK_INT(end(&s), 0);
        }
        tear_down(&s);
    }
}

/* ---- The watchdog, and the end ---- */

static void
signs_of_life_come_while_it_serves(void **unused)
{
    struct service s;

    (void)unused;
    set_up(&s);
    s.watchdog = "400000";
    start(&s, quiet);
    CHECK(await(&s, "READY=1"));
    for (int i = 0; i < 5; i++) {
        CHECK(await(&s, "WATCHDOG=1"));
        CHECK(!value_of(&s, "STOPPING="));
    }
    CHECK_INT(end(&s), 0);
    tear_down(&s);
}

/* A call that is in flight is told of, waited for as long as "drain" says, and answered. */
static void
the_drain_is_told(void **unused)
{
    static const char *const options[] = {"--log-level", "off",     "--auth", "none", "--groups",
                                          "conformance", "--drain", "2s",     NULL};
    static const char call[] = "POST /api/tools/slow_compute HTTP/1.1\r\nHost: localhost\r\n"
                               "Content-Type: application/json\r\nContent-Length: 17\r\n\r\n"
                               "{\"seconds\": 3000}";
    struct service s;
    struct client c;
    int status = 0;

    (void)unused;
    set_up(&s);
    s.watchdog = "400000";
    s.tcp = client_listen(&s.port);
    start(&s, options);
    CHECK(await(&s, "READY=1"));
    client_open(&c, s.port);
    CHECK(client_sends(&c, call));
    CHECK(await_status(&s, "1 calls in flight"));
    kill(s.serving.pid, SIGTERM);
    CHECK(await(&s, "STOPPING=1"));
    CHECK(strstr(value_of(&s, "STATUS="), "ending (SIGTERM): 1 calls in flight, ") != NULL);
    CHECK(value_of(&s, "WATCHDOG=1") != NULL);
    CHECK(client_read(&c, false, PATIENCE_S).status >= 400); /* Given up, and told so. */
    CHECK(waitpid(s.serving.pid, &status, 0) == s.serving.pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    client_close(&c);
    tear_down(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_ready_when_it_answers),
        cmocka_unit_test(sockets_that_are_handed_over_are_served),
        cmocka_unit_test(what_may_not_be_served_is_refused),
        cmocka_unit_test(a_hangup_reads_everything_anew),
        cmocka_unit_test(only_a_persons_server_ends_with_its_terminal),
        cmocka_unit_test(signs_of_life_come_while_it_serves),
        cmocka_unit_test(the_drain_is_told),
    };

    signal(SIGPIPE, SIG_IGN);
    return CHECK_RUN(tests);
}
