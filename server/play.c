/* play.c -- a server to play with, and the messages of its clients. */
#include "server/play.h"

#include "state/base/clock.h"
#include "transports/ws_client.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINE_MAX_BYTES (16u << 20)

extern char **environ;

/* Copies one file or folder; nftw() gives no argument, so where from and where to are the thread's.
 */
static _Thread_local const char *copy_from, *copy_to;

static int
copy_file(const char *from, const char *to)
{
    char chunk[16384];
    ssize_t n = -1;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    while (in >= 0 && out >= 0 && (n = read(in, chunk, sizeof chunk)) > 0) {
        if (write(out, chunk, (size_t)n) != n) {
            n = -1;
            break;
        }
    }
    close(in);
    close(out);
    return n == 0 ? 0 : -1;
}

static int
copy_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    char *to = xasprintf("%s%s", copy_to, path + strlen(copy_from));
    const char *name = path + ftw->base;
    int result = 0;

    (void)st;
    if (kind == FTW_D) {
        result = mkdir(to, 0700) != 0 && errno != EEXIST ? -1 : 0;
    } else if (kind == FTW_F && strcmp(name, "server.json") != 0 && strcmp(name, "token") != 0) {
        result = copy_file(path, to);
    }
    free(to);
    return result;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

/* Makes a fresh folder and copies the example there. */
static enum err
copy_example(struct play *p, const char *example, struct fault *f)
{
    const char *temporary = getenv("TMPDIR");

    if (!temporary || strlen(temporary) + 24 > sizeof p->root) {
        temporary = "/tmp";
    }
    snprintf(p->root, sizeof p->root, "%s/tandem-demo-XXXXXX", temporary);
    if (!mkdtemp(p->root)) {
        p->root[0] = '\0';
        return fault_set(f, E_IO, "no temporary folder: %s", strerror(errno));
    }
    copy_from = example;
    copy_to = p->root;
    if (nftw(example, copy_one, 16, FTW_PHYS) != 0) {
        return fault_set(f, E_IO, "the example project cannot be copied: %s", strerror(errno));
    }
    return E_OK;
}

/* This environment but for settings: what somebody serves with elsewhere is not what is played.
 * New; what it points to is borrowed. */
static char **
environment_without_settings(void)
{
    size_t count = 0, kept = 0;
    char **variables;

    while (environ[count]) {
        count++;
    }
    variables = xcalloc(count + 1, sizeof *variables);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "TANDEM_", 7) != 0) {
            variables[kept++] = environ[i];
        }
    }
    return variables;
}

static enum err
spawn_server(struct play *p, struct fault *f)
{
    const char *argv[] = {"tandem",   "serve",       "--root",      p->root, "--transport", "dual",
                          "--listen", "127.0.0.1:0", "--log-level", "error", NULL};
    posix_spawn_file_actions_t actions;
    int in[2] = {-1, -1}, out[2] = {-1, -1}, failed;
    char **variables;

    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return fault_set(f, E_IO, "no pipes: %s", strerror(errno));
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    variables = environment_without_settings();
    failed = posix_spawn(&p->pid, "/proc/self/exe", &actions, NULL, (char **)(uintptr_t)argv,
                         variables); /* It does not write to argv. */
    free(variables);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    p->to_server = in[1];
    p->from_server = out[0];
    if (failed) {
        p->pid = 0;
        return fault_set(f, E_IO, "the server cannot be started: %s", strerror(failed));
    }
    return E_OK;
}

/* Reads until a whole line is there; it begins at the start of p->lines and its length goes to
 * '*len'. */
static enum err
read_line(struct play *p, size_t *len, struct fault *f)
{
    int64_t deadline = clock_mono(clock_real()) + PLAY_PATIENCE_NS;
    size_t looked = 0;

    for (;;) {
        struct pollfd ready = {.fd = p->from_server, .events = POLLIN};
        char *end = p->lines.len > looked
                        ? memchr(p->lines.data + looked, '\n', p->lines.len - looked)
                        : NULL;
        ssize_t n;

        if (end) {
            *len = (size_t)(end - p->lines.data);
            return E_OK;
        }
        looked = p->lines.len;
        if (looked > LINE_MAX_BYTES || !buf_reserve(&p->lines, 65536)) {
            return fault_set(f, E_TOO_LARGE, "a line of the server is too long");
        }
        if (clock_mono(clock_real()) > deadline || poll(&ready, 1, 1000) < 0) {
            return fault_set(f, E_TIMEOUT, "the server did not answer on stdio");
        }
        if (!ready.revents) {
            continue;
        }
        n = read(p->from_server, p->lines.data + p->lines.len, 65536);
        if (n <= 0) {
            return fault_set(f, E_IO, "the server closed its output");
        }
        p->lines.len += (size_t)n;
    }
}

/* The result in a response; or null, telling its error. */
static json_t *
result_of(json_t *response, struct fault *f)
{
    json_t *result = json_incref(json_object_get(response, "result"));
    const char *message =
        json_string_value(json_object_get(json_object_get(response, "error"), "message"));

    if (!result) {
        fault_set(f, E_IO, "the server answered with an error: %s", message ? message : "(none)");
    }
    json_decref(response);
    return result;
}

/* The next message of the server that answers something; what it says unasked is passed over. */
static json_t *
read_answer(struct play *p, struct fault *f)
{
    json_t *message;
    size_t len = 0;

    do {
        if (read_line(p, &len, f)) {
            return NULL;
        }
        message = json_loadb(p->lines.data, len, 0, NULL);
        memmove(p->lines.data, p->lines.data + len + 1, p->lines.len - len - 1);
        p->lines.len -= len + 1;
        if (json_object_get(message, "method")) {
            json_decref(message);
            message = NULL;
        } else if (!message) {
            fault_set(f, E_IO, "the server wrote a line that is no JSON");
            return NULL;
        }
    } while (!message);
    return message;
}

json_t *
play_ide(struct play *p, const char *method, json_t *params, struct fault *f)
{
    json_t *message = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id",
                                (json_int_t)++p->next_id, "method", method, "params", params);
    char *text = json_dumps(message, JSON_COMPACT);
    char *line = xasprintf("%s\n", text);
    json_t *response = NULL;

    json_decref(message);
    if (write(p->to_server, line, strlen(line)) != (ssize_t)strlen(line)) {
        fault_set(f, E_IO, "the server's input is closed");
    } else {
        response = read_answer(p, f);
        if (response &&
            json_integer_value(json_object_get(response, "id")) != (json_int_t)p->next_id) {
            fault_set(f, E_IO, "the answer has another request's id");
            json_decref(response);
            response = NULL;
        }
    }
    free(text);
    free(line);
    return response ? result_of(response, f) : NULL;
}

/* The structured result of tools/call, also of one that failed: then it is the JSON in its text. */
static json_t *
tool_result(json_t *result, struct fault *f)
{
    json_t *structured = json_incref(json_object_get(result, "structuredContent"));
    const char *text = json_string_value(
        json_object_get(json_array_get(json_object_get(result, "content"), 0), "text"));

    if (!structured && text) {
        structured = json_loads(text, 0, NULL);
    }
    if (!structured && result) {
        fault_set(f, E_IO, "the tool's answer has no JSON");
    }
    json_decref(result);
    return structured;
}

json_t *
play_ide_tool(struct play *p, const char *tool, json_t *args, struct fault *f)
{
    return tool_result(
        play_ide(p, "tools/call", json_pack("{s:s, s:o}", "name", tool, "arguments", args), f), f);
}

static struct client_request
post(const struct play *p, const char *path)
{
    return (struct client_request){
        .method = "POST", .path = path, .token = p->server.token, .timeout_ns = PLAY_PATIENCE_NS};
}

/* A modern request as text, new.  Steals 'params'. */
static char *
modern_request(const char *method, json_t *params)
{
    json_t *message;
    char *text;

    json_object_set_new(params, "_meta",
                        json_pack("{s:s, s:{}}", "io.modelcontextprotocol/protocolVersion",
                                  "2026-07-28", "io.modelcontextprotocol/clientCapabilities"));
    message = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method", method,
                        "params", params);
    text = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    return text;
}

json_t *
play_agent(const struct play *p, const char *method, json_t *params, struct fault *f)
{
    const char *name = json_string_value(json_object_get(params, "name"));
    char *headers =
        xasprintf("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: %s\r\n%s%s%s", method,
                  name ? "Mcp-Name: " : "", name ? name : "", name ? "\r\n" : "");
    struct client_request request = post(p, p->target.path);
    struct client_reply reply = CLIENT_REPLY_INIT;
    char *text = modern_request(method, params);
    json_t *response = NULL;

    request.headers = headers;
    request.body = slice_of(text);
    if (client_exchange(&p->target, &request, &reply, f) == E_OK) {
        response = json_loadb(reply.body.data ? reply.body.data : "", reply.body.len, 0, NULL);
        if (!response) {
            fault_set(f, E_IO, "the server answered %d without JSON", reply.status);
        }
    }
    buf_fini(&reply.body);
    free(headers);
    free(text);
    return response ? result_of(response, f) : NULL;
}

json_t *
play_agent_tool(const struct play *p, const char *tool, json_t *args, struct fault *f)
{
    return tool_result(
        play_agent(p, "tools/call", json_pack("{s:s, s:o}", "name", tool, "arguments", args), f),
        f);
}

json_t *
play_second_tool(const struct play *p, const char *tool, json_t *args, struct fault *f)
{
    json_t *params = json_pack("{s:s, s:o}", "name", tool, "arguments", args);
    char *text = modern_request("tools/call", params);
    struct buf answer = BUF_INIT;
    json_t *response = NULL;

    if (ws_client_exchange(p->websocket, slice_of(text), PLAY_PATIENCE_NS, &answer, f) == E_OK) {
        response = json_loadb(answer.data ? answer.data : "", answer.len, 0, NULL);
        if (!response) {
            fault_set(f, E_IO, "the server answered without JSON");
        }
    }
    buf_fini(&answer);
    free(text);
    return response ? tool_result(result_of(response, f), f) : NULL;
}

static enum err
open_websocket(struct play *p, struct fault *f)
{
    const struct ws_client_target target = {
        .host = p->server.host,
        .port = p->server.port,
        .path = p->server.path,
        .token = p->server.token,
        .subprotocol = "mcp",
    };

    return ws_client_open(&target, PLAY_PATIENCE_NS, &p->websocket, f);
}

enum err
play_open(struct play *p, const char *example, int64_t *first_ns, struct fault *f)
{
    char *data = NULL;
    json_t *answer;
    int64_t start;
    enum err err;

    *p = (struct play){.to_server = -1, .from_server = -1, .server = DISCOVERY_INIT};
    err = copy_example(p, example, f);
    if (err) {
        return err;
    }
    start = clock_mono(clock_real());
    err = spawn_server(p, f);
    if (err) {
        return err;
    }
    answer = play_ide(p, "initialize",
                      json_pack("{s:s, s:{}, s:{s:s, s:s}}", "protocolVersion", "2025-11-25",
                                "capabilities", "clientInfo", "name", "demo-ide", "version", "1"),
                      f);
    *first_ns = clock_mono(clock_real()) - start;
    if (!answer) {
        return E_IO;
    }
    json_decref(answer);
    data = xasprintf("%s/.tandem", p->root);
    err = dir_open(data, false, &p->data, f);
    free(data);
    if (!err) {
        err = discovery_read(p->data, &p->server, f);
    }
    if (!err) {
        err = client_parse_url(p->server.url, &p->target, f);
    }
    return err ? err : open_websocket(p, f);
}

bool
play_close(struct play *p)
{
    bool well = true;
    int status = 0;

    ws_client_close(p->websocket);
    close(p->to_server);
    if (p->pid) {
        while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR) {
        }
        well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    close(p->from_server);
    if (p->data) {
        well = well && !dir_is_file(p->data, "server.json");
    }
    dir_unref(p->data);
    discovery_fini(&p->server);
    buf_fini(&p->lines);
    if (p->root[0]) {
        nftw(p->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    return well;
}

unsigned
play_memory_kib(const struct play *p)
{
    char path[64], line[256];
    unsigned kib = 0;
    FILE *status;

    snprintf(path, sizeof path, "/proc/%d/status", (int)p->pid);
    status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status)) {
        if (sscanf(line, "VmRSS: %u", &kib) == 1) {
            break;
        }
    }
    if (status) {
        fclose(status);
    }
    return kib;
}
