/* fault_play.c -- what scenarios ask a server that may fail, and how its answers are judged. */
#include "tests/fault_rig.h"

#include "state/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum said
play_wrong(struct play *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(p->why, sizeof p->why, format, args);
    va_end(args);
    return SAID_WRONG;
}

void
play_write(struct play *p, const char *path, const char *text)
{
    char full[HARNESS_ROOT + 256];
    FILE *file;

    snprintf(full, sizeof full, "%s/%s", p->root, path);
    for (char *s = full + strlen(p->root) + 1; (s = strchr(s, '/')) != NULL; s++) {
        *s = '\0';
        if (mkdir(full, 0700) != 0 && errno != EEXIST) {
            harness_give_up(full);
        }
        *s = '/';
    }
    file = fopen(full, "we");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        harness_give_up(full);
    }
}

bool
play_holds(const struct play *p, const char *path, const char *text)
{
    struct fault f;
    struct buf all = BUF_INIT;
    struct dir *dir;
    bool holds = false;

    if (dir_open(p->root, false, &dir, &f) == E_OK) {
        holds = dir_read(dir, path, 1u << 20, &all, NULL, &f) == E_OK && all.data &&
                strstr(all.data, text);
        dir_unref(dir);
    }
    buf_fini(&all);
    return holds;
}

enum said
play_http(struct play *p, const char *method, const char *path, const char *headers,
          const char *body, struct http_reply *reply)
{
    struct http_peer peer;
    int64_t start = now_ns();
    bool good;

    http_peer_init(&peer, &p->server.info);
    good = http_send(&peer, method, path, headers, body, reply);
    http_peer_fini(&peer);
    if (!good) {
        return now_ns() - start > STEP_PATIENCE ? SAID_NOTHING : SAID_CLOSED;
    }
    return SAID_RIGHT;
}

/* An error must say what, and what next. */
static enum said
judge_error(struct play *p, const json_t *what, const json_t *remedy)
{
    const char *text = json_string_value(what), *next = json_string_value(remedy);

    if (!text || !*text || !next || !*next) {
        return play_wrong(p, "an error that does not tell %s: %s",
                          text && *text ? "the next step" : "what", text ? text : "");
    }
    snprintf(p->why, sizeof p->why, "%s; %s", text, next);
    return SAID_ERROR;
}

enum said
play_call(struct play *p, const char *tool, const char *body, json_t **answer)
{
    struct http_reply reply = {.status = 0};
    char path[96];
    enum said said;

    snprintf(path, sizeof path, "/api/tools/%s", tool);
    said = play_http(p, "POST", path, "", body, &reply);
    *answer = said ? NULL
                   : json_loadb(reply.body.data ? reply.body.data : "", reply.body.len,
                                JSON_REJECT_DUPLICATES, NULL);
    if (!said && !json_is_object(*answer)) {
        said = play_wrong(p, "%s: status %d, body '%.200s'", tool, reply.status,
                          reply.body.data ? reply.body.data : "");
    } else if (!said && reply.status >= 400) {
        const json_t *what = json_object_get(*answer, "message"),
                     *next = json_object_get(*answer, "remedy");
        said = what ? judge_error(p, what, next)
                    : judge_error(p, json_object_get(*answer, "error"),
                                  json_object_get(*answer, "remediation"));
    }
    http_reply_fini(&reply);
    return said;
}

enum said
play_expect(struct play *p, const char *tool, const char *body, const char *text)
{
    json_t *answer;
    enum said said = play_call(p, tool, body, &answer);
    char *all = said ? NULL : json_dumps(answer, JSON_COMPACT);

    if (all && !strstr(all, text)) {
        said = play_wrong(p, "%s: no %s in %.400s", tool, text, all);
    }
    free(all);
    json_decref(answer);
    return said;
}

enum said
play_result(struct play *p, json_t *message, json_t **result)
{
    const json_t *error = json_object_get(message, "error"),
                 *good = json_object_get(message, "result");
    enum said said = SAID_RIGHT;

    if (json_is_object(error)) {
        const json_t *next = json_object_get(json_object_get(error, "data"), "remedy");
        const char *what = json_string_value(json_object_get(error, "message"));
        if (!what || !*what) {
            said = play_wrong(p, "an error that tells nothing");
        } else {
            snprintf(p->why, sizeof p->why, "%s; %s", what,
                     json_is_string(next) ? json_string_value(next) : "");
            said = SAID_ERROR;
        }
    } else if (!json_is_object(good)) {
        char *text = message ? json_dumps(message, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        said = play_wrong(p, "no JSON-RPC answer: %.300s", text ? text : "nothing");
        free(text);
    } else if (json_is_true(json_object_get(good, "isError"))) {
        const json_t *block = json_array_get(json_object_get(good, "content"), 0);
        json_t *told = json_loads(json_string_value(json_object_get(block, "text")), 0, NULL);
        said = judge_error(p, json_object_get(told, "message"), json_object_get(told, "remedy"));
        json_decref(told);
    }
    if (result) {
        *result = said == SAID_RIGHT ? json_incref((json_t *)(uintptr_t)good) : NULL;
    }
    json_decref(message);
    return said;
}
