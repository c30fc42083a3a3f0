/* serving.c -- starts, talks to and ends a server. */
#include "tests/serving.h"

#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void __attribute__((noreturn)) give_up(const char *what)
{
    perror(what);
    abort();
}

static void __attribute__((noreturn)) run_server(int in, int out, const struct tree *project,
                                                 const char *transport, const char *const *options)
{
    const char *binary = getenv("TANDEM") ? getenv("TANDEM") : "build/tandem";
    const char *args[24] = {binary, "serve", "--transport", transport, "--log-level", "warn"};
    char *path = realpath(binary, NULL);
    int count = 6;

    while (*options && count < 23) {
        args[count++] = *options++;
    }
    unsetenv("TANDEM");
    if (!path || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        fchdir(dir_fd(tree_dir(project))) != 0) {
        give_up(binary);
    }
    execv(path, (char *const *)(uintptr_t)args);
    give_up(path);
}

static void
spawn(struct serving *s, const char *transport, const char *const *options)
{
    int in[2], out[2];

    signal(SIGPIPE, SIG_IGN);
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        give_up("pipe");
    }
    fflush(NULL);
    files_settle(); /* Of what the test has written so far, nobody is told late that it is new. */
    s->pid = fork();
    if (s->pid < 0) {
        give_up("fork");
    }
    if (s->pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        run_server(in[0], out[1], s->project, transport, options);
    }
    close(in[0]);
    close(out[1]);
    s->to = in[1];
    s->from = out[0];
}

void
serving_prepare(struct serving *s)
{
    *s = (struct serving){.project = tree_create()};
    tree_mkdir(s->project, ".tandem");
}

void
serving_start_prepared(struct serving *s, const char *transport, const char *const *options)
{
    spawn(s, transport, options);
}

void
serving_start(struct serving *s, const char *transport, const char *const *options)
{
    serving_prepare(s);
    spawn(s, transport, options);
}

void
serving_join(struct serving *s, const struct serving *first, const char *const *options)
{
    *s = (struct serving){.project = first->project, .guest = true};
    spawn(s, "stdio", options);
}

static void
send_all(struct serving *s, struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = write(s->to, bytes.data, bytes.len);

        if (n < 0) {
            perror("the server reads no more");
            return; /* What it does not answer is told by who waits for it. */
        }
        bytes.data += n;
        bytes.len -= (size_t)n;
    }
}

void
serving_send(struct serving *s, struct slice line)
{
    send_all(s, line);
    send_all(s, SLICE("\n"));
}

char *
serving_line(struct serving *s, int seconds)
{
    for (;;) {
        const char *start = s->got.data ? s->got.data + s->at : NULL;
        const char *end = start ? memchr(start, '\n', s->got.len - s->at) : NULL;
        struct pollfd from = {.fd = s->from, .events = POLLIN};
        ssize_t n;

        if (end) {
            s->at += (size_t)(end - start) + 1;
            return xstrndup(start, (size_t)(end - start));
        }
        if (poll(&from, 1, seconds * 1000) <= 0 || !buf_reserve(&s->got, 65536)) {
            return NULL;
        }
        n = read(s->from, s->got.data + s->got.len, 65536);
        if (n <= 0) {
            return NULL;
        }
        s->got.len += (size_t)n;
        s->got.data[s->got.len] = '\0';
    }
}

void
serving_discover(struct serving *s)
{
    struct buf text = BUF_INIT;
    struct fault f = FAULT_INIT;
    json_t *state = NULL;
    const char *token = NULL;

    if (dir_read(tree_dir(s->project), ".tandem/server.json", 65536, &text, NULL, &f) == E_OK) {
        state = json_loads(text.data, 0, NULL);
    }
    if (json_unpack(state, "{s?s}", "token", &token) != 0) {
        fprintf(stderr, "server.json: %s %s\n", f.text, text.data ? text.data : "");
        abort();
    }
    s->port = (unsigned)json_integer_value(json_object_get(state, "port"));
    s->token = token ? xstrdup(token) : NULL;
    json_decref(state);
    buf_fini(&text);
}

void
serving_end_input(struct serving *s)
{
    if (s->to >= 0) {
        close(s->to);
        s->to = -1;
    }
}

int
serving_stop(struct serving *s)
{
    int status = 0;

    serving_end_input(s);
    waitpid(s->pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void
serving_fini(struct serving *s)
{
    if (s->from >= 0) {
        close(s->from);
    }
    buf_fini(&s->got);
    free(s->token);
    if (!s->guest) {
        tree_destroy(s->project);
    }
}
