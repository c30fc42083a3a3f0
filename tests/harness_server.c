/* harness_server.c -- servers that are children. */
#include "tests/harness_server.h"

#include "tests/tree.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define LINE_MAX_BYTES (64u << 20)

static bool
copy_member(const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));

    if (!text || strlen(text) >= size) {
        return false;
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

bool
server_info_read(const char *root, struct server_info *info, const char **why)
{
    char path[PATH_SIZE];
    json_error_t error;
    json_t *file;
    bool whole;

    snprintf(path, sizeof path, "%s/.tandem/server.json", root);
    errno = 0;
    file = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!file) {
        *why = errno == ENOENT ? "no server.json" : "server.json is not whole JSON";
        return false;
    }
    memset(info, 0, sizeof *info);
    info->pid = (pid_t)json_integer_value(json_object_get(file, "pid"));
    info->port = (unsigned)json_integer_value(json_object_get(file, "port"));
    copy_member(file, "token", info->token, sizeof info->token); /* Absent with --auth none. */
    whole = info->pid > 0 && info->port > 0 &&
            copy_member(file, "host", info->host, sizeof info->host) &&
            copy_member(file, "path", info->path, sizeof info->path) &&
            copy_member(file, "url", info->url, sizeof info->url) &&
            copy_member(file, "instance", info->instance, sizeof info->instance);
    json_decref(file);
    *why = whole ? NULL : "a member of server.json is missing";
    return whole;
}

const char *
server_left(const char *root)
{
    struct server_info info;
    const char *why;

    if (server_info_read(root, &info, &why)) {
        return "server.json";
    }
    if (strcmp(why, "no server.json") != 0) {
        return why;
    }
    return harness_count_files(root, ".tmp") ? "a temporary file" : "";
}

/* The folder that the tests were started in, where TANDEM is relative to. */
static void
binary_path(char out[PATH_SIZE])
{
    const char *name = getenv("TANDEM");

    if (!realpath(name && *name ? name : "build/tandem", out)) {
        harness_give_up("the server's binary (TANDEM)");
    }
}

static void
become_server(char *const argv[], char *const env[], int in, int out, int log)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in, 0);
    dup2(out, 1);
    dup2(log, 2);
    execve(argv[0], argv, env);
    _exit(127);
}

/* A copy of the environment with another PATH; free both levels. */
static char **
environment_with(const char *path_first)
{
    extern char **environ;
    size_t count = 0;
    char **env;

    while (environ[count]) {
        count++;
    }
    env = xcalloc(count + 2, sizeof *env);
    for (size_t i = 0, n = 0; i < count; i++) {
        if (strncmp(environ[i], "TANDEM", 6) == 0 ||
            (path_first && strncmp(environ[i], "PATH=", 5) == 0)) {
            continue;
        }
        env[n++] = xstrdup(environ[i]);
    }
    for (size_t n = 0; path_first; n++) {
        if (!env[n]) {
            env[n] = xasprintf("PATH=%s:%s", path_first,
                               getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
            break;
        }
    }
    return env;
}

void
server_spawn(struct server *s, const char *root, const struct server_options *options)
{
    static const struct server_options none = {.args = NULL};
    char binary[PATH_SIZE], log_path[PATH_SIZE];
    const char *argv[32] = {binary, "serve", "--root", root};
    size_t argc = 4;
    int in[2] = {-1, -1}, out[2], log;
    char **env;

    options = options ? options : &none;
    binary_path(binary);
    *s = (struct server){.in = -1, .out = -1};
    snprintf(s->root, sizeof s->root, "%s", root);
    snprintf(log_path, sizeof log_path, "%s/server.log", root);
    log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (options->no_stdin) {
        argv[argc++] = "--transport";
        argv[argc++] = "http";
        in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    } else if (pipe2(in, O_CLOEXEC) != 0) {
        harness_give_up("pipe");
    }
    if (pipe2(out, O_CLOEXEC) != 0 || log < 0) {
        harness_give_up(log_path);
    }
    for (size_t i = 0; options->args && options->args[i]; i++) {
        assert(argc < sizeof argv / sizeof argv[0] - 1);
        argv[argc++] = options->args[i];
    }
    env = environment_with(options->path_first);
    s->pid = fork();
    if (s->pid == 0) {
        become_server((char *const *)(uintptr_t)argv, env, in[0], out[1], log);
    }
    if (s->pid < 0) {
        harness_give_up("fork");
    }
    for (size_t i = 0; env[i]; i++) {
        free(env[i]);
    }
    free(env);
    s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
    close(in[0]);
    close(out[1]);
    close(log);
    s->in = in[1];
    s->out = out[0];
    fcntl(s->out, F_SETFL, O_NONBLOCK);
}

bool
server_alive(const struct server *s)
{
    struct pollfd p = {.fd = s->pidfd, .events = POLLIN};

    return s->pidfd >= 0 && poll(&p, 1, 0) == 0;
}

/* Without stdio there is no answer to wait for: looks until the file is there. */
static bool
wait_for_file(struct server *s, int64_t deadline_ns)
{
    const char *why = "";

    while (now_ns() < deadline_ns && server_alive(s)) {
        if (server_info_read(s->root, &s->info, &why) && s->info.pid == s->pid) {
            return true;
        }
        look_again_soon();
    }
    return false;
}

bool
server_ready(struct server *s)
{
    const char *why = "it did not answer";
    bool good = false;

    if (s->in < 0) {
        good = wait_for_file(s, now_ns() + PATIENCE);
    } else if (server_send(s, "{\"jsonrpc\":\"2.0\",\"id\":\"ready\",\"method\":\"ping\"}")) {
        json_t *answer = server_read(s, now_ns() + PATIENCE);
        if (answer) {
            good = server_info_read(s->root, &s->info, &why) && s->info.pid == s->pid;
        }
        json_decref(answer);
    }
    if (!good) {
        printf("the server on %s is not ready: %s\n", s->root, server_alive(s) ? why : "it ended");
        harness_show_log(s->root);
    }
    return good;
}

void
server_start(struct server *s, const char *root, const struct server_options *options)
{
    files_settle(); /* Of what the test has written so far, nobody is told late that it is new. */
    server_spawn(s, root, options);
    if (!server_ready(s)) {
        abort();
    }
}

bool
server_send(struct server *s, const char *format, ...)
{
    struct buf line = BUF_INIT;
    va_list args;
    char *text;
    size_t done = 0;
    int len;

    va_start(args, format);
    len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0) {
        harness_give_up("vasprintf");
    }
    buf_add(&line, text, (size_t)len);
    buf_addc(&line, '\n');
    free(text);
    while (done < line.len) {
        ssize_t n = write(s->in, line.data + done, line.len - done);
        if (n < 0 && errno != EINTR) {
            break;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    len = done == line.len;
    buf_fini(&line);
    return len;
}

/* Drops the first line if it is whole and only says that a list has changed, which a server may do
 * at any time: a pack was put where it looks.  True if there was one. */
static bool
drop_unasked(struct server *s)
{
    const char *end = s->lines.len ? memchr(s->lines.data, '\n', s->lines.len) : NULL;
    size_t len = end ? (size_t)(end - s->lines.data) : 0;

    if (!len || !memmem(s->lines.data, len, "/list_changed\"", 14)) {
        return false;
    }
    s->lines.len -= len + 1;
    memmove(s->lines.data, end + 1, s->lines.len);
    return true;
}

bool
server_has_line(struct server *s, int64_t deadline_ns)
{
    while (drop_unasked(s) || !s->lines.len || !memchr(s->lines.data, '\n', s->lines.len)) {
        struct pollfd p = {.fd = s->out, .events = POLLIN};
        int64_t left = (deadline_ns - now_ns() + MS - 1) / MS;
        ssize_t n;

        if (s->lines.len && memchr(s->lines.data, '\n', s->lines.len)) {
            continue;
        }
        if (s->out < 0 || (poll(&p, 1, left > 0 ? (int)left : 0) <= 0 && left <= 0)) {
            return false;
        }
        buf_reserve(&s->lines, 65536);
        n = read(s->out, s->lines.data + s->lines.len, s->lines.size - s->lines.len - 1);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            return false; /* It closed its stdout. */
        }
        s->lines.len += n > 0 ? (size_t)n : 0;
        assert(s->lines.len < LINE_MAX_BYTES);
    }
    return true;
}

json_t *
server_read(struct server *s, int64_t deadline_ns)
{
    json_t *message;
    size_t len;

    if (!server_has_line(s, deadline_ns)) {
        return NULL;
    }
    len = (size_t)((char *)memchr(s->lines.data, '\n', s->lines.len) - s->lines.data);
    message = json_loadb(s->lines.data, len, JSON_REJECT_DUPLICATES, NULL);
    if (!message) {
        printf("no JSON on stdout: %.*s\n", (int)len, s->lines.data);
    }
    memmove(s->lines.data, s->lines.data + len + 1, s->lines.len - len - 1);
    s->lines.len -= len + 1;
    return message;
}

void
server_close_stdin(struct server *s)
{
    if (s->in >= 0) {
        close(s->in);
        s->in = -1;
    }
}

int
server_wait(struct server *s, int64_t deadline_ns)
{
    struct pollfd p = {.fd = s->pidfd, .events = POLLIN};
    int64_t left = (deadline_ns - now_ns()) / MS;
    bool ended = poll(&p, 1, left > 0 ? (int)left : 0) == 1;
    int status = 0;

    if (!ended) {
        printf("the server on %s did not end\n", s->root);
        kill(s->pid, SIGKILL);
    }
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR) {
    }
    server_close_stdin(s);
    close(s->out);
    close(s->pidfd);
    s->out = s->pidfd = -1;
    buf_fini(&s->lines);
    if (!ended) {
        harness_show_log(s->root);
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
server_end(struct server *s)
{
    server_close_stdin(s);
    return server_wait(s, now_ns() + PATIENCE);
}

void
server_kill(struct server *s)
{
    kill(s->pid, SIGKILL);
    server_wait(s, now_ns() + PATIENCE);
}

size_t
server_resident(const struct server *s)
{
    char path[64], text[128];
    unsigned long pages = 0;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)s->pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n > 0) {
        text[n] = '\0';
        sscanf(text, "%*u %lu", &pages);
    }
    if (fd >= 0) {
        close(fd);
    }
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The first line of a file of a thread's in /proc; empty if it has gone. */
static void
read_of_thread(pid_t pid, const char *thread, const char *name, char text[128])
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/task/%.20s/%s", (int)pid, thread, name);
    file = fopen(path, "r");
    if (!file || !fgets(text, 128, file)) {
        *text = '\0';
    }
    if (file) {
        fclose(file);
    }
}

int64_t
server_waited(const struct server *s)
{
    char path[64], text[128];
    long long longest = 0;
    struct dirent *entry;
    DIR *tasks;

    snprintf(path, sizeof path, "/proc/%d/task", (int)s->pid);
    tasks = opendir(path);
    while (tasks && (entry = readdir(tasks)) != NULL) {
        bool main_thread = atoi(entry->d_name) == s->pid;

        read_of_thread(s->pid, entry->d_name, "comm", text);
        if (main_thread || strcmp(text, "tandem-stdio\n") == 0) {
            long long waited = 0;

            read_of_thread(s->pid, entry->d_name, "schedstat", text);
            sscanf(text, "%*u %lld", &waited);
            longest = waited > longest ? waited : longest;
        }
    }
    if (tasks) {
        closedir(tasks);
    }
    return longest;
}
