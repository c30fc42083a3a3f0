/* test_stdio_kinds.c -- the real server on every kind of standard descriptor: pipes are usual, but
 * it may be started on files, sockets, terminals, closed descriptors, or with a standard error that
 * nobody reads.  It answers what it can, and ends by itself with status 0. */
#include "tests/check.h"

#include "tests/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PING(ID) "{\"jsonrpc\":\"2.0\",\"id\":" #ID ",\"method\":\"ping\"}"
#define PONG(ID) "{\"jsonrpc\":\"2.0\",\"id\":" #ID ",\"result\":{}}\n"
#define CLOSED (-1)

static struct tree *project;

static int
make_project(void **state)
{
    (void)state;
    project = tree_create();
    tree_mkdir(project, ".tandem");
    return 0;
}

static int
remove_project(void **state)
{
    (void)state;
    tree_destroy(project);
    return 0;
}

static void
need(bool good, const char *what)
{
    if (!good) {
        perror(what);
        abort();
    }
}

static void
place(int fd, int wanted)
{
    if (fd == CLOSED) {
        close(wanted);
    } else {
        need(dup2(fd, wanted) == wanted, "dup2");
    }
}

/* Starts the server on these three, which are closed here. */
static pid_t
start(int in, int out, int err)
{
    char *path = realpath(getenv("TANDEM") ? getenv("TANDEM") : "build/tandem", NULL);
    const char *args[] = {path, "serve", "--transport", "dual", NULL};
    pid_t pid;

    need(path != NULL, "TANDEM");
    pid = fork();
    need(pid >= 0, "fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        unsetenv("TANDEM");
        need(fchdir(dir_fd(tree_dir(project))) == 0, "fchdir");
        place(err, 2);
        place(in, 0);
        place(out, 1);
        execv(path, (char *const *)(uintptr_t)args);
        _exit(127);
    }
    for (int i = 0; i < 3; i++) {
        int fd = i == 0 ? in : i == 1 ? out : err;
        if (fd > 2 && !(i == 1 && fd == in)) {
            close(fd);
        }
    }
    free(path);
    return pid;
}

static int
exit_status(pid_t pid)
{
    int status;

    need(waitpid(pid, &status, 0) == pid, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct duct {
    int read, write;
};

static struct duct
new_pipe(void)
{
    int fds[2];

    need(pipe2(fds, O_CLOEXEC) == 0, "pipe");
    return (struct duct){fds[0], fds[1]};
}

static int
quiet(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    need(fd >= 0, "/dev/null");
    return fd;
}

static void
put(int fd, const char *text)
{
    need(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

/* All that comes until the end, or until 'enough' is there; new. */
static char *
read_all(int fd, const char *enough)
{
    struct buf got = BUF_INIT;
    ssize_t n = 1;

    while (n > 0 && !(enough && got.data && strstr(got.data, enough))) {
        char chunk[4096];

        n = read(fd, chunk, sizeof chunk);
        buf_add(&got, chunk, n > 0 ? (size_t)n : 0);
    }
    return buf_steal(&got);
}

/* What the server writes to a pipe when its input is 'in', which it reads to its end. */
static void
expect_output(int in, const char *want)
{
    struct duct out = new_pipe();
    pid_t pid = start(in, out.write, quiet());
    char *got = read_all(out.read, NULL);

    CHECK_STR(got, want);
    CHECK_INT(exit_status(pid), 0);
    close(out.read);
    free(got);
}

static void
a_file_is_read_to_its_end(void **state)
{
    (void)state;
    tree_write(project, "input", PING(1) "\n" PING(2) "\n");
    expect_output(dir_open_at(tree_dir(project), "input", O_RDONLY, 0), PONG(1) PONG(2));
    expect_output(open("/dev/null", O_RDONLY | O_CLOEXEC), "");
}

static void
the_last_line_may_lack_its_end(void **state)
{
    static const char *const cases[][2] = {
        {PING(1), PONG(1)},
        {PING(1) "\r\n\r\n\n", PONG(1)},
        {PING(1) "\n{\"jsonrpc\":\"2.0\",\"id\":2,\"meth",
         PONG(1) "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"not JSON as tandem "
                 "takes "
                 "it: the text ends in the middle of a value, at byte 29\"}}\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct duct in = new_pipe();

        put(in.write, cases[i][0]);
        close(in.write);
        expect_output(in.read, cases[i][1]);
    }
}

/* Some clients give one socket for both. */
static void
a_socket_goes_both_ways(void **state)
{
    int ends[2];
    char *got;
    pid_t pid;

    (void)state;
    need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    pid = start(ends[1], ends[1], quiet());
    put(ends[0], PING(1) "\n" PING(2) "\n");
    shutdown(ends[0], SHUT_WR);
    got = read_all(ends[0], NULL);
    CHECK_STR(got, PONG(1) PONG(2));
    CHECK_INT(exit_status(pid), 0);
    close(ends[0]);
    free(got);
}

/* Somebody at a terminal: a line, then the end-of-file character; or the terminal goes away. */
static void
a_terminal_ends_by_its_own_means(void **state)
{
    (void)state;
    for (int hang_up = 0; hang_up < 2; hang_up++) {
        int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
        struct duct out = new_pipe();
        char *got;
        pid_t pid;

        need(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0, "terminal");
        slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
        need(slave >= 0, "terminal");
        pid = start(slave, out.write, quiet());
        put(master, PING(1) "\n");
        got = read_all(out.read, "\n");
        CHECK_STR(got, PONG(1));
        if (hang_up) {
            close(master);
        } else {
            put(master, "\x04");
        }
        CHECK_INT(exit_status(pid), 0);
        if (!hang_up) {
            close(master);
        }
        close(out.read);
        free(got);
    }
}

/* What is opened later must not be taken for a standard descriptor that was not there. */
static void
closed_descriptors_stay_nobodys(void **state)
{
    struct duct in = new_pipe(), out = new_pipe();
    char *got;
    pid_t pid;

    (void)state;
    expect_output(CLOSED, "");
    pid = start(in.read, CLOSED, quiet());
    put(in.write, PING(1) "\n");
    close(in.write);
    CHECK_INT(exit_status(pid), 0);
    in = new_pipe();
    pid = start(in.read, out.write, CLOSED);
    put(in.write, PING(1) "\nno JSON\n" PING(2) "\n");
    close(in.write);
    got = read_all(out.read, NULL);
    CHECK(strncmp(got, PONG(1), strlen(PONG(1))) == 0 && strstr(got, "-32700") &&
          strstr(got, PONG(2)));
    CHECK_INT(exit_status(pid), 0);
    close(out.read);
    free(got);
}

/* A pipe that is full, and stays so. */
static struct duct
full_pipe(void)
{
    static const char block[4096];
    struct duct d = new_pipe();

    fcntl(d.write, F_SETFL, O_NONBLOCK);
    while (write(d.write, block, sizeof block) > 0) {
    }
    need(errno == EAGAIN, "a full pipe");
    fcntl(d.write, F_SETFL, 0);
    return d;
}

/* pitfall: stderr */
static void
nobody_has_to_read_standard_error(void **state)
{
    (void)state;
    for (int gone = 0; gone < 2; gone++) {
        struct duct in = new_pipe(), out = new_pipe(), err = gone ? new_pipe() : full_pipe();
        char *got;
        pid_t pid;

        if (gone) {
            close(err.read);
        }
        pid = start(in.read, out.write, err.write);
        put(in.write, "no JSON\n" PING(1) "\n");
        close(in.write);
        got = read_all(out.read, NULL);
        CHECK(strstr(got, "-32700") && strstr(got, PONG(1)));
        CHECK_INT(exit_status(pid), 0);
        if (!gone) {
            close(err.read);
        }
        close(out.read);
        free(got);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_read_to_its_end, make_project, remove_project),
        cmocka_unit_test_setup_teardown(the_last_line_may_lack_its_end, make_project,
                                        remove_project),
        cmocka_unit_test_setup_teardown(a_socket_goes_both_ways, make_project, remove_project),
        cmocka_unit_test_setup_teardown(a_terminal_ends_by_its_own_means, make_project,
                                        remove_project),
        cmocka_unit_test_setup_teardown(closed_descriptors_stay_nobodys, make_project,
                                        remove_project),
        cmocka_unit_test_setup_teardown(nobody_has_to_read_standard_error, make_project,
                                        remove_project),
    };

    signal(SIGPIPE, SIG_IGN); /* A server that ended early is seen by what it did not say. */
    alarm(300);
    return CHECK_RUN(tests);
}
