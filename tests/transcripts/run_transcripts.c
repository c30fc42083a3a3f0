/* run_transcripts.c -- plays what is said and what must be answered (tests/transcript.h), on each
 * transport, against the real server.
 *
 * Usage: run_transcripts [FILE ...]     (default: all of tests/transcripts/{legacy,modern,both})
 */
#include "tests/http_client.h"
#include "tests/json_match.h"
#include "tests/serving.h"
#include "tests/traffic.h"
#include "tests/transcript.h"
#include "tests/ws_client.h"

#include <dirent.h>
#include <stdio.h>
#include <strings.h>

#define SECONDS 20 /* For an answer, also from slow builds on slow machines. */
#define MODERN "2026-07-28"
#define META "io.modelcontextprotocol/"

enum transport { STDIO, HTTP, WS, BRIDGE, TRANSPORTS };
static const char *const transport_names[] = {"stdio", "http", "ws", "bridge"};

/* One case being played on one transport. */
struct play {
    const struct transcript *transcript;
    enum transport transport;
    bool http;            /* It is that one. */
    struct client client; /* WebSocket. */
    unsigned code;        /* That it was closed with; 0: it is open. */
    struct serving server;
    struct serving first;          /* BRIDGE: the one whose project it is. */
    char *session_id, *version;    /* Of a legacy session over HTTP; owned, null before. */
    const struct line *headers[8]; /* For the next message. */
    size_t header_count;
    const char *capabilities; /* For @init; borrowed. */
    json_t *came;             /* What came last, an array. */
    json_t *kept;             /* By name; owned, as is the last. */
    bool failed;
};

static unsigned played, wrong;

/* Comparing. */

static void __attribute__((format(printf, 3, 4)))
fail(struct play *p, const struct line *line, const char *format, ...)
{
    va_list args;

    printf("tests/transcripts/%s:%u: ", p->transcript->name, line->number);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    p->failed = true;
}

/* A message that has come, with the HTTP status. */
struct message {
    char *text; /* Owned; null: an answer without one. */
    int status;
};

/* The text of a line with what was kept put in. */
static struct buf
fill_in(const struct play *p, const struct line *line)
{
    struct buf out = BUF_INIT;
    const char *text = line->text, *end = line->text + line->len, *begin;
    const char *name;
    json_t *value;

    while ((begin = memmem(text, (size_t)(end - text), "%{", 2))) {
        buf_add(&out, text, (size_t)(begin - text));
        text = begin + 2;
        json_object_foreach(p->kept, name, value) {
            size_t len = strlen(name);

            if ((size_t)(end - text) > len && memcmp(text, name, len) == 0 && text[len] == '}') {
                buf_adds(&out, json_string_value(value));
                text += len + 1;
                break;
            }
        }
        if (text == begin + 2) {
            transcript_bad(p->transcript, line->number, "nothing was kept by that name");
        }
    }
    buf_add(&out, text, (size_t)(end - text));
    buf_reserve(&out, 1);
    return out;
}

/* Keeps the string that "NAME A.B.C" finds in what came last. */
static void
keep(struct play *p, const struct line *line)
{
    char *path = xstrdup(strchr(line->text, ' ') + 1), *rest = NULL;
    char *name = xstrndup(line->text, strcspn(line->text, " "));
    json_t *message, *at;
    const char *found = NULL;
    size_t i;

    json_array_foreach(p->came, i, message) {
        char *copy = xstrdup(path);

        at = message;
        for (char *word = strtok_r(copy, ".", &rest); word; word = strtok_r(NULL, ".", &rest)) {
            at = json_object_get(at, word);
        }
        found = json_is_string(at) ? json_string_value(at) : found;
        free(copy);
    }
    if (found) {
        json_object_set_new(p->kept, name, json_string(found));
    } else {
        fail(p, line, "there is no %s", path);
    }
    free(name);
    free(path);
}

/* A message has no other members than those expected of it; the elements of a batch neither. */
static json_t *
load_expected(const struct play *p, const struct line *line)
{
    json_error_t error;
    struct buf text = fill_in(p, line);
    json_t *expected = json_loads(text.data, JSON_DECODE_ANY, &error), *element;
    size_t i;

    buf_fini(&text);

    if (!expected) {
        transcript_bad(p->transcript, line->number, "%s", error.text);
    }
    if (json_is_object(expected)) {
        json_object_set_new(expected, "=", json_string(""));
    }
    json_array_foreach(expected, i, element) {
        if (json_is_object(element)) {
            json_object_set_new(element, "=", json_string(""));
        }
    }
    return expected;
}

static bool
is_expected(struct play *p, const struct line *line, const struct message *m, struct buf *why)
{
    int status = line->status ? line->status : line->len ? 200 : 202;
    json_t *expected, *got;
    bool is;

    if (p->http && m->status != status) {
        buf_addf(why, "status %d, got %d", status, m->status);
        return false;
    }
    if (line->len == 0 || !m->text) {
        if (line->len || m->text) {
            buf_adds(why, m->text ? "no message wanted" : "a message wanted");
        }
        return line->len == 0 && !m->text;
    }
    got = json_loads(m->text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (!got) {
        buf_adds(why, "it is no JSON");
        return false;
    }
    expected = load_expected(p, line);
    is = json_match(expected, got, why);
    json_decref(expected);
    json_decref(got);
    return is;
}

/* Compares what has come with the lines from 'first' to 'end' that expect, each with one, in any
 * order. */
static void
compare(struct play *p, size_t first, size_t end, const struct message *got, size_t count)
{
    bool used[TRANSCRIPT_LINES] = {false};
    const struct transcript *t = p->transcript;

    for (size_t i = first; i < end; i++) {
        struct buf why = BUF_INIT, last = BUF_INIT;
        size_t at = 0;

        for (; at < count; at++) {
            buf_reset(&why);
            if (!used[at] && is_expected(p, &t->lines[i], &got[at], &why)) {
                used[at] = true;
                break;
            }
            if (!used[at]) {
                buf_reset(&last);
                buf_add_slice(&last, buf_slice(&why));
            }
        }
        if (at == count) {
            fail(p, &t->lines[i], "%s", last.data ? last.data : "nothing came");
        }
        buf_fini(&why);
        buf_fini(&last);
    }
    for (size_t at = 0; at < count; at++) {
        /* Over HTTP every message has an answer; one for which there is nothing to say is 202 and
         * is not written down each time. */
        bool silent = p->http && !got[at].text && got[at].status == 202;
        if (!used[at] && (p->failed || !silent)) {
            fail(p, &t->lines[end - 1], "came: %d %.2000s", got[at].status,
                 got[at].text ? got[at].text : "(no message)");
        }
    }
}

/* Talking: HTTP. */

/* The member of a message's _meta, or null. */
static const char *
meta_of(const json_t *message, const char *key)
{
    return json_string_value(
        json_object_get(json_object_get(json_object_get(message, "params"), "_meta"), key));
}

static bool
is_overridden(const struct play *p, const char *name)
{
    for (size_t i = 0; i < p->header_count; i++) {
        if (strncasecmp(p->headers[i]->text, name, strlen(name)) == 0 &&
            p->headers[i]->text[strlen(name)] == ':') {
            return true;
        }
    }
    return false;
}

static void
add_header(const struct play *p, struct buf *head, const char *name, const char *value)
{
    if (value && !is_overridden(p, name)) {
        buf_addf(head, "%s: %s\r\n", name, value);
    }
}

/* The headers that a client of the message's era sends. */
static void
add_mcp_headers(const struct play *p, struct buf *head, const json_t *message)
{
    const json_t *params = json_object_get(message, "params");
    const json_t *meta = json_object_get(params, "_meta");
    const char *method = json_string_value(json_object_get(message, "method"));
    const char *name = json_string_value(json_object_get(params, "name"));
    const char *version = meta_of(message, META "protocolVersion");

    if (version || json_object_get(meta, META "clientCapabilities") ||
        (method && strcmp(method, "server/discover") == 0)) {
        add_header(p, head, "MCP-Protocol-Version", version ? version : MODERN);
        add_header(p, head, "Mcp-Method", method);
        if (method && (strcmp(method, "tools/call") == 0 || strcmp(method, "prompts/get") == 0)) {
            add_header(p, head, "Mcp-Name", name);
        } else if (method && strncmp(method, "tasks/", 6) == 0) {
            add_header(p, head, "Mcp-Name", json_string_value(json_object_get(params, "taskId")));
        } else if (method && strcmp(method, "resources/read") == 0) {
            add_header(p, head, "Mcp-Name", json_string_value(json_object_get(params, "uri")));
        }
    } else {
        add_header(p, head, "Mcp-Session-Id", p->session_id);
        if (p->version && strcmp(p->version, "2025-06-18") >= 0) {
            add_header(p, head, "MCP-Protocol-Version", p->version);
        }
    }
}

/* What initialize agreed is what the headers say from then on. */
static void
note_session(struct play *p, const struct response *r, const char *text)
{
    char *id = client_header(r, "Mcp-Session-Id");
    json_t *answer = id[0] && text ? json_loads(text, 0, NULL) : NULL;
    const char *version =
        json_string_value(json_object_get(json_object_get(answer, "result"), "protocolVersion"));

    if (version) {
        free(p->session_id);
        free(p->version);
        p->session_id = xstrdup(id);
        p->version = xstrdup(version);
    }
    json_decref(answer);
    free(id);
}

/* Takes the messages out of an event stream; returns how many there were. */
static size_t
take_events(const char *text, int status, struct message *got, size_t max)
{
    size_t count = 0;

    while (count < max && (text = strstr(text, "data: "))) {
        text += 6;
        if (*text != '\n') { /* Else it only says where the stream can be taken up again. */
            got[count++] =
                (struct message){.text = xstrndup(text, strcspn(text, "\n")), .status = status};
        }
    }
    return count;
}

/* Posts one line, and stores the messages that come: the answer, if any, and what went ahead of it.
 */
static size_t
post(struct play *p, struct slice line, struct message *got, size_t max)
{
    struct client c;
    struct response r;
    struct message m = {.text = NULL};
    struct buf head = BUF_INIT;
    json_t *message = json_loadb(line.data, line.len, JSON_ALLOW_NUL, NULL);
    size_t count = 1;
    char *type;

    buf_addf(&head,
             "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: %zu\r\n"
             "Authorization: Bearer %s\r\nConnection: close\r\n",
             p->server.port, line.len, p->server.token ? p->server.token : "none");
    add_header(p, &head, "Content-Type", "application/json");
    add_header(p, &head, "Accept", "application/json, text/event-stream");
    add_mcp_headers(p, &head, message);
    for (size_t i = 0; i < p->header_count; i++) {
        const char *value = strchr(p->headers[i]->text, ':');
        if (value && value[1 + strspn(value + 1, " ")]) {
            buf_addf(&head, "%s\r\n", p->headers[i]->text);
        }
    }
    buf_adds(&head, "\r\n");
    client_open(&c, p->server.port);
    client_send(&c, buf_slice(&head));
    client_send(&c, line);
    traffic_sent(buf_slice(&head), line);
    r = client_read(&c, false, SECONDS);
    m.status = r.status;
    if (r.status > 0 && r.body.len) {
        type = client_header(&r, "Content-Type");
        m.text = xstrndup(r.body.data, r.body.len);
        if (strncmp(type, "text/event-stream", 17) == 0) {
            count = take_events(m.text, m.status, got, max);
            free(m.text);
            m = got[0];
        }
        free(type);
    }
    got[0] = m;
    for (size_t i = 0; i < count && got[i].text; i++) {
        char *id = client_header(&r, "Mcp-Session-Id");

        traffic_got(r.status, id, got[i].text);
        free(id);
    }
    if (r.status > 0) {
        note_session(p, &r, m.text);
    }
    client_close(&c);
    buf_fini(&head);
    json_decref(message);
    p->header_count = 0;
    return count;
}

/* Talking: connections that are sessions. */

static void
say(struct play *p, struct slice line)
{
    traffic_sent(SLICE_NONE, line);
    if (p->transport == WS) {
        ws_send(&p->client, WS_FIN | WS_TEXT, line);
    } else {
        serving_send(&p->server, line);
    }
}

/* The next message, new; null if none comes. */
static char *
hear(struct play *p)
{
    char *message = p->transport == WS ? ws_message(&p->client, SECONDS, &p->code)
                                       : serving_line(&p->server, SECONDS);

    if (message) {
        traffic_got(0, NULL, message);
    }
    return message;
}

/* Talking: all. */

/* Sends the lines from 'first' to 'expects', then takes what is expected up to 'end', and compares.
 */
static void
exchange(struct play *p, size_t first, size_t expects, size_t end)
{
    struct message got[TRANSCRIPT_LINES] = {{.text = NULL}};
    size_t count = 0;

    for (size_t i = first; i < expects; i++) {
        const struct line *line = &p->transcript->lines[i];
        struct buf text = fill_in(p, line);

        if (line->kind == LINE_HEADER) {
            if (p->header_count == 8) {
                transcript_bad(p->transcript, line->number, "too many headers");
            }
            p->headers[p->header_count++] = line;
        } else if (line->kind == LINE_END) {
            serving_end_input(&p->server);
        } else if (p->http) {
            count += post(p, buf_slice(&text), got + count, TRANSCRIPT_LINES - count);
        } else {
            say(p, buf_slice(&text));
        }
        buf_fini(&text);
    }
    for (size_t i = expects; i < end && !p->http; i++) {
        if (p->transcript->lines[i].len == 0) {
            transcript_bad(p->transcript, p->transcript->lines[i].number,
                           "a status alone is for @only http");
        }
        got[count].text = hear(p);
        if (!got[count].text) {
            break;
        }
        count++;
    }
    compare(p, expects, end, got, count);
    json_array_clear(p->came);
    while (count) {
        const char *text = got[--count].text;

        json_array_append_new(p->came, text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL);
        free(got[count].text);
    }
}

/* The handshake of any legacy client. */
static void
handshake(struct play *p, const struct line *line)
{
    static const char initialized[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
    char *first = xasprintf(
        "{\"jsonrpc\":\"2.0\",\"id\":\"init\",\"method\":\"initialize\",\"params\":{"
        "\"protocolVersion\":"
        "\"%s\",\"capabilities\":%s,\"clientInfo\":{\"name\":\"transcripts\",\"version\":\"1\"}}}",
        line->text, p->capabilities ? p->capabilities : "{}");
    char *expected =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":\"init\",\"result\":{\"protocolVersion\":\"%s\"}}",
                  line->text);
    const struct line want = {
        .kind = LINE_EXPECT, .number = line->number, .text = expected, .len = strlen(expected)};
    struct message m = {.text = NULL};
    struct buf why = BUF_INIT;

    if (p->http) {
        post(p, slice_of(first), &m, 1);
    } else {
        say(p, slice_of(first));
        m.text = hear(p);
    }
    if (!is_expected(p, &want, &m, &why)) {
        fail(p, line, "initialize: %s", why.data);
    }
    free(m.text);
    if (p->http) {
        post(p, slice_of(initialized), &m, 1);
        free(m.text);
    } else {
        say(p, slice_of(initialized));
    }
    buf_fini(&why);
    free(expected);
    free(first);
}

/* Copies what the lines from 'first' to 'end' say, into a project that is not served yet. */
static void
copy_folders(struct play *p, const struct serving *server, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        const struct line *line = &p->transcript->lines[i];
        char *from, *to;

        if (line->kind != LINE_COPY) {
            continue;
        }
        to = strchr(line->text, ' ');
        if (!to) {
            transcript_bad(p->transcript, line->number, "@copy FROM TO");
        }
        from = xstrndup(line->text, (size_t)(to - line->text));
        tree_copy(server->project, from, to + 1);
        free(from);
    }
}

/* The server behind HTTP is one for all; that it answers on stdio shows that it is up. */
static void
begin(struct play *p, const char *const *options, size_t from, size_t to)
{
    static const char probe[] = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"ping\"}";
    struct serving *first = p->transport == BRIDGE ? &p->first : &p->server;
    char *answer;

    serving_prepare(first);
    copy_folders(p, first, from, to);
    serving_start_prepared(first, p->transport == STDIO ? "stdio" : "dual", options);
    if (p->transport != STDIO) {
        serving_send(first, slice_of(probe));
        answer = serving_line(first, SECONDS);
        if (!answer) {
            fprintf(stderr, "the server does not start\n");
            exit(2);
        }
        free(answer);
        serving_discover(first);
    }
    if (p->transport == BRIDGE) {
        serving_join(&p->server, first, options);
    }
    if (p->transport == WS) {
        ws_open(&p->client, p->server.port, p->server.token);
    }
}

/* The server has ended. */
static void
finish_websocket(struct play *p, const struct line *last)
{
    for (char *more; !p->code && (more = hear(p));) {
        fail(p, last, "came, unexpected: %.2000s", more);
        free(more);
    }
    if (p->code != 1001) {
        fail(p, last, "the WebSocket was closed with %u", p->code);
    }
    client_close(&p->client);
}

static void
finish(struct play *p, const struct line *last)
{
    int status = serving_stop(&p->server);
    char *more = serving_line(&p->server, 0);

    if (status != 0) {
        fail(p, last, "the server's exit status is %d", status);
    }
    for (; more; more = serving_line(&p->server, 0)) {
        fail(p, last, "came on stdio, unexpected: %.2000s", more);
        free(more);
    }
    if (p->transport == WS) {
        finish_websocket(p, last);
    }
    serving_fini(&p->server);
    if (p->transport == BRIDGE) {
        if (serving_stop(&p->first) != 0) {
            fail(p, last, "the first server's exit status is not 0");
        }
        serving_fini(&p->first);
    }
    free(p->session_id);
    free(p->version);
}

/* Splits the options of a case at blanks. */
static void
split_options(char *text, const char **options, size_t max)
{
    char *rest = NULL;
    size_t count = 0;

    for (char *word = strtok_r(text, " ", &rest); word && count < max;
         word = strtok_r(NULL, " ", &rest)) {
        options[count++] = word;
    }
    options[count] = NULL;
}

/* Plays the case that begins at line 'first' and ends before 'end'. */
static void
play_case(const struct transcript *t, size_t first, size_t end, enum transport transport)
{
    const char *name = transport_names[transport];
    const char *kind = transport_names[transport == BRIDGE ? STDIO : transport];
    struct play p = {.transcript = t,
                     .transport = transport,
                     .http = transport == HTTP,
                     .came = json_array(),
                     .kept = json_object()};
    const char *options[16] = {NULL};
    char *option_text = NULL;
    size_t i = first + 1;

    for (; i < end && t->lines[i].kind >= LINE_ONLY && t->lines[i].kind <= LINE_OPTIONS; i++) {
        if (t->lines[i].kind == LINE_ONLY && !strstr(t->lines[i].text, kind)) {
            goto out;
        }
        if (t->lines[i].kind == LINE_CAPABILITIES) {
            p.capabilities = t->lines[i].text;
        }
        if (t->lines[i].kind == LINE_OPTIONS) {
            free(option_text);
            option_text = xstrdup(t->lines[i].text);
            split_options(option_text, options, 15);
        }
    }
    begin(&p, options, first, i);
    traffic_begin(name, t->lines[first].text);
    while (i < end && !p.failed) {
        size_t sent = i, expects;

        if (t->lines[i].kind == LINE_INIT) {
            handshake(&p, &t->lines[i++]);
            continue;
        }
        if (t->lines[i].kind == LINE_KEEP) {
            keep(&p, &t->lines[i++]);
            continue;
        }
        while (i < end && t->lines[i].kind >= LINE_HEADER && t->lines[i].kind <= LINE_END) {
            i++;
        }
        expects = i;
        while (i < end && t->lines[i].kind == LINE_EXPECT) {
            i++;
        }
        if (i == sent) {
            transcript_bad(t, t->lines[i].number, "not here");
        }
        exchange(&p, sent, expects, i);
    }
    finish(&p, &t->lines[end - 1]);
    played++;
    wrong += p.failed;
    printf("%s %s %s: %s\n", p.failed ? "not ok" : "ok", name, t->name, t->lines[first].text);
    fflush(stdout);
out:
    json_decref(p.kept);
    json_decref(p.came);
    free(option_text);
}

static void
play_everywhere(const struct transcript *t, size_t first, size_t end)
{
    for (enum transport transport = STDIO; transport < TRANSPORTS; transport++) {
        play_case(t, first, end, transport);
    }
}

/* Plays a case on each transport, for each version that its first @init names. */
static void
play_versions(struct transcript *t, size_t first, size_t end)
{
    size_t init = first;
    char *versions, *version, *rest = NULL;

    while (init < end && t->lines[init].kind != LINE_INIT) {
        init++;
    }
    if (init == end) {
        play_everywhere(t, first, end);
        return;
    }
    versions = t->lines[init].text;
    for (version = strtok_r(versions, " ", &rest); version; version = strtok_r(NULL, " ", &rest)) {
        t->lines[init].text = version;
        play_everywhere(t, first, end);
    }
    t->lines[init].text = versions;
}

static void
play_file(const char *name)
{
    struct transcript *t = xcalloc(1, sizeof *t);

    transcript_read(t, name);
    for (size_t i = 0; i < t->count;) {
        size_t end = i + 1;

        if (t->lines[i].kind != LINE_CASE) {
            transcript_bad(t, t->lines[i].number, "before the first '=='");
        }
        while (end < t->count && t->lines[end].kind != LINE_CASE) {
            end++;
        }
        play_versions(t, i, end);
        i = end;
    }
    for (size_t i = 0; i < t->count; i++) {
        free(t->lines[i].text);
    }
    free(t);
}

static int
is_text(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && strcmp(entry->d_name + len - 4, ".txt") == 0;
}

static void
play_folder(const char *folder)
{
    char *path = xasprintf("tests/transcripts/%s", folder);
    struct dirent **entries;
    int count = scandir(path, &entries, is_text, alphasort);

    if (count <= 0) {
        perror(path);
        exit(2);
    }
    for (int i = 0; i < count; i++) {
        char *name = xasprintf("%s/%s", folder, entries[i]->d_name);

        play_file(name);
        free(name);
        free(entries[i]);
    }
    free(entries);
    free(path);
}

int
main(int argc, char **argv)
{
    static const char folder[] = "tests/transcripts/";
    const size_t len = sizeof folder - 1;

    for (int i = 1; i < argc; i++) {
        play_file(strncmp(argv[i], folder, len) == 0 ? argv[i] + len : argv[i]);
    }
    if (argc == 1) {
        play_folder("legacy");
        play_folder("modern");
        play_folder("both");
    }
    printf("%u cases played, %u wrong\n", played, wrong);
    return wrong || !played;
}
