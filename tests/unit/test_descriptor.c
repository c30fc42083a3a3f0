/* Descriptors of every kind: nothing waits, nothing is lost, and the flags that others share stay.
 */
#include "tests/check.h"

#include "state/base/mem.h"
#include "transports/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static struct iovec
part(const char *text, size_t len)
{
    return (struct iovec){(void *)(uintptr_t)text, len};
}

static void
must_open(struct descriptor *d, int fd, enum descriptor_use use, enum descriptor_kind kind)
{
    struct fault f = FAULT_INIT;
    int before = fcntl(fd, F_GETFL);

    CHECK(descriptor_open(d, fd, use, &f) == E_OK);
    CHECK_INT(d->kind, kind);
    CHECK(d->fd != fd);
    CHECK(fcntl(d->fd, F_GETFD) & FD_CLOEXEC);
    CHECK_INT(fcntl(fd, F_GETFL), before);
    CHECK(!(before & O_NONBLOCK));
}

/* Writes and reads through a pair, empties and overfills it; neither end may ever wait. */
static void
exercise(const struct descriptor *in, const struct descriptor *out, bool message_whole)
{
    static char large[256 * 1024];
    char got[8192];
    struct iovec parts[2] = {part("one ", 4), part("two", 3)};
    size_t sent = 0, received = 0;
    ssize_t n;

    CHECK_INT(descriptor_read(in, got, sizeof got), -1);
    CHECK_INT(errno, EAGAIN);
    n = descriptor_writev(out, parts, 2);
    CHECK_INT(n, message_whole ? 7 : 4); /* A polled one writes one part at a time. */
    CHECK_INT(descriptor_read(in, got, sizeof got), n);
    CHECK(memcmp(got, "one two", (size_t)n) == 0);

    for (size_t i = 0; i < sizeof large; i++) {
        large[i] = (char)('a' + i % 23);
    }
    do {
        struct iovec rest = part(large + sent % sizeof large, sizeof large - sent % sizeof large);
        n = descriptor_writev(out, &rest, 1);
        sent += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    CHECK_INT(errno, EAGAIN);
    CHECK(sent >= PIPE_BUF);
    while ((n = descriptor_read(in, got, sizeof got)) > 0) {
        for (ssize_t i = 0; i < n; i++, received++) {
            CHECK_INT(got[i], 'a' + received % sizeof large % 23);
        }
    }
    CHECK_INT(errno, EAGAIN);
    CHECK_INT(received, sent);
}

static void
pair_of_pipes(int pipe_fds[2], struct descriptor *in, struct descriptor *out)
{
    CHECK_INT(pipe(pipe_fds), 0);
    must_open(in, pipe_fds[0], DESCRIPTOR_IN, DESCRIPTOR_OWN);
    must_open(out, pipe_fds[1], DESCRIPTOR_OUT, DESCRIPTOR_OWN);
}

static void
a_pipe_is_opened_anew(void **state)
{
    struct descriptor in, out;
    struct iovec p = part("x", 1);
    int fds[2];
    char c;

    (void)state;
    pair_of_pipes(fds, &in, &out);
    exercise(&in, &out, true);
    /* Both writers gone: end of input.  The reader gone: EPIPE. */
    close(fds[1]);
    CHECK_INT(descriptor_read(&in, &c, 1), -1);
    CHECK_INT(errno, EAGAIN);
    descriptor_close(&out);
    descriptor_close(&out);
    CHECK_INT(descriptor_read(&in, &c, 1), 0);
    descriptor_close(&in);
    close(fds[0]);

    pair_of_pipes(fds, &in, &out);
    descriptor_close(&in);
    close(fds[0]);
    CHECK_INT(descriptor_writev(&out, &p, 1), -1);
    CHECK_INT(errno, EPIPE);
    descriptor_close(&out);
    close(fds[1]);
}

static void
a_pipe_that_cannot_be_opened_anew_is_polled(void **state)
{
    int fds[2];
    char c;

    (void)state;
    CHECK_INT(pipe(fds), 0);
    struct descriptor in = {.fd = fds[0], .kind = DESCRIPTOR_POLLED};
    struct descriptor out = {.fd = fds[1], .kind = DESCRIPTOR_POLLED};
    exercise(&in, &out, false);
    close(fds[1]);
    CHECK_INT(descriptor_read(&in, &c, 1), 0);
    close(fds[0]);
}

static void
a_socket_is_asked_at_each_call(void **state)
{
    struct descriptor in, out;
    struct iovec p = part("x", 1);
    int fds[2];

    (void)state;
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    must_open(&in, fds[0], DESCRIPTOR_IN, DESCRIPTOR_SOCKET);
    must_open(&out, fds[1], DESCRIPTOR_OUT, DESCRIPTOR_SOCKET);
    exercise(&in, &out, true);
    descriptor_close(&in);
    close(fds[0]);
    signal(SIGPIPE, SIG_DFL); /* A socket never raises it. */
    CHECK_INT(descriptor_writev(&out, &p, 1), -1);
    CHECK_INT(errno, EPIPE);
    signal(SIGPIPE, SIG_IGN);
    descriptor_close(&out);
    close(fds[1]);
}

static void
a_file_goes_on_where_it_was(void **state)
{
    char name[] = "/tmp/tandem-test-XXXXXX";
    int fd = mkstemp(name);
    struct descriptor in, out;
    struct iovec parts[2] = {part("more ", 5), part("text", 4)};
    char got[32];

    (void)state;
    CHECK(fd >= 0);
    CHECK_INT(write(fd, "before ", 7), 7);
    must_open(&out, fd, DESCRIPTOR_OUT, DESCRIPTOR_FILE);
    CHECK_INT(descriptor_writev(&out, parts, 2), 9);
    CHECK_INT(write(fd, ".", 1), 1);
    lseek(fd, 3, SEEK_SET);
    must_open(&in, fd, DESCRIPTOR_IN, DESCRIPTOR_FILE);
    CHECK_INT(descriptor_read(&in, got, sizeof got), 14);
    CHECK(memcmp(got, "ore more text.", 14) == 0);
    CHECK_INT(descriptor_read(&in, got, sizeof got), 0);
    descriptor_close(&in);
    descriptor_close(&out);
    close(fd);
    unlink(name);
}

static void
dev_null_is_empty(void **state)
{
    int fd = open("/dev/null", O_RDWR);
    struct descriptor in, out;
    struct iovec p = part("x", 1);
    char c;

    (void)state;
    must_open(&in, fd, DESCRIPTOR_IN, DESCRIPTOR_FILE);
    must_open(&out, fd, DESCRIPTOR_OUT, DESCRIPTOR_FILE);
    CHECK_INT(descriptor_read(&in, &c, 1), 0);
    CHECK_INT(descriptor_writev(&out, &p, 1), 1);
    descriptor_close(&in);
    descriptor_close(&out);
    close(fd);
}

static void
a_named_pipe_tells_its_end(void **state)
{
    char folder[] = "/tmp/tandem-test-XXXXXX", name[64], got[8];
    struct descriptor in;
    int reader, writer;

    (void)state;
    CHECK(mkdtemp(folder) != NULL);
    snprintf(name, sizeof name, "%s/fifo", folder);
    CHECK_INT(mkfifo(name, 0600), 0);
    reader = open(name, O_RDONLY | O_NONBLOCK);
    writer = open(name, O_WRONLY);
    CHECK_INT(fcntl(reader, F_SETFL, 0), 0);
    CHECK_INT(write(writer, "last", 4), 4);
    close(writer); /* Gone before we open: its end must still be seen. */
    must_open(&in, reader, DESCRIPTOR_IN, DESCRIPTOR_POLLED);
    CHECK_INT(descriptor_read(&in, got, sizeof got), 4);
    CHECK_INT(descriptor_read(&in, got, sizeof got), 0);
    descriptor_close(&in);
    close(reader);
    unlink(name);
    rmdir(folder);
}

static void
a_terminal_is_polled(void **state)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    struct descriptor in, out;
    struct iovec p = part("out\n", 4);
    struct termios mode;
    char got[32];
    int slave;

    (void)state;
    CHECK(master >= 0);
    CHECK_INT(grantpt(master), 0);
    CHECK_INT(unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
    CHECK_INT(tcgetattr(slave, &mode), 0);
    mode.c_lflag &= ~(tcflag_t)ECHO;
    CHECK_INT(tcsetattr(slave, TCSANOW, &mode), 0);
    must_open(&in, slave, DESCRIPTOR_IN, DESCRIPTOR_POLLED);
    must_open(&out, slave, DESCRIPTOR_OUT, DESCRIPTOR_POLLED);
    CHECK_INT(descriptor_read(&in, got, sizeof got), -1);
    CHECK_INT(errno, EAGAIN);
    CHECK_INT(write(master, "line\nunfinished", 15), 15);
    CHECK_INT(descriptor_read(&in, got, sizeof got), 5);
    CHECK(memcmp(got, "line\n", 5) == 0);
    CHECK_INT(descriptor_read(&in, got, sizeof got), -1);
    CHECK_INT(errno, EAGAIN);
    CHECK_INT(descriptor_writev(&out, &p, 1), 4);
    CHECK_INT(read(master, got, sizeof got), 5);
    CHECK(memcmp(got, "out\r\n", 5) == 0);
    close(master); /* The terminal hangs up: an end or an error, but no waiting. */
    CHECK(descriptor_read(&in, got, sizeof got) == 0 || errno != EAGAIN);
    descriptor_close(&in);
    descriptor_close(&out);
    close(slave);
}

static void
what_is_not_open_is_told(void **state)
{
    struct descriptor d;
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK(descriptor_open(&d, -1, DESCRIPTOR_IN, &f) == E_IO);
    CHECK_INT(d.fd, -1);
    CHECK(strstr(f.text, "standard input") != NULL);
    CHECK(descriptor_open(&d, 999, DESCRIPTOR_OUT, &f) == E_IO);
    CHECK(strstr(f.text, "standard output") != NULL);
}

static void
a_pipe_holds_more_than_one_message_of_64_kib(void **unused)
{
    struct descriptor d;
    int own[2], other[2];

    (void)unused;
    CHECK_INT(pipe(own), 0);
    CHECK_INT(pipe(other), 0);
    must_open(&d, own[0], DESCRIPTOR_IN, DESCRIPTOR_OWN);
    if (fcntl(other[0], F_SETPIPE_SZ, 256 * 1024) > 0) { /* Else the system refuses it to us too. */
        CHECK_INT(fcntl(own[1], F_GETPIPE_SZ), 256 * 1024);
    }
    descriptor_close(&d);
    CHECK(fcntl(other[0], F_SETPIPE_SZ, 512 * 1024) <= 0 ||
          (descriptor_open(&d, other[1], DESCRIPTOR_OUT, NULL) == E_OK &&
           fcntl(other[0], F_GETPIPE_SZ) == 512 * 1024)); /* What is larger stays. */
    descriptor_close(&d);
    for (size_t i = 0; i < 2; i++) {
        close(own[i]);
        close(other[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_is_opened_anew),
        cmocka_unit_test(a_pipe_that_cannot_be_opened_anew_is_polled),
        cmocka_unit_test(a_socket_is_asked_at_each_call),
        cmocka_unit_test(a_file_goes_on_where_it_was),
        cmocka_unit_test(dev_null_is_empty),
        cmocka_unit_test(a_named_pipe_tells_its_end),
        cmocka_unit_test(a_terminal_is_polled),
        cmocka_unit_test(what_is_not_open_is_told),
        cmocka_unit_test(a_pipe_holds_more_than_one_message_of_64_kib),
    };
    signal(SIGPIPE, SIG_IGN);
    return CHECK_RUN(tests);
}
