/* hostile.c -- the reader of the hostile inputs. */
#include "tests/hostile.h"

#include <dirent.h>
#include <stdio.h>

#define ROOT "tests/fixtures/hostile/"

static void give_up(const char *what, const char *path) __attribute__((noreturn));

/* A missing input must never look like a test that passed. */
static void
give_up(const char *what, const char *path)
{
    fprintf(stderr, "hostile: %s: %s\n", what, path);
    abort();
}

struct buf
hostile_read(const char *path)
{
    char *full = xasprintf(ROOT "%s", path);
    FILE *file = fopen(full, "rb");
    struct buf b = BUF_INIT;
    char chunk[4096];
    size_t n;

    if (!file) {
        give_up("cannot be read", full);
    }
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0) {
        buf_add(&b, chunk, n);
    }
    fclose(file);
    free(full);
    return b;
}

static void
add_base64(struct buf *b, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, held = 0;

    for (; *text && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        if (!digit) {
            give_up("no base64", text);
        }
        bits = bits << 6 | (unsigned)(digit - digits);
        held += 6;
        if (held >= 8) {
            held -= 8;
            buf_addc(b, (char)(bits >> held & 0xFF));
        }
    }
}

static void
call(hostile_fn *fn, void *arg, const char *id, const struct buf *b, const json_t *row)
{
    char *exact = malloc(b->len ? b->len : 1);
    struct hostile_case c = {.id = id, .bytes = {exact, b->len}, .row = row};

    if (!exact) {
        give_up("no memory", id);
    }
    if (b->len) {
        memcpy(exact, b->data, b->len);
    }
    fn(&c, arg);
    free(exact);
}

size_t
hostile_lines(const char *path, hostile_fn *fn, void *arg)
{
    struct buf file = hostile_read(path), b = BUF_INIT;
    char *line, *rest = file.data;
    size_t count = 0, i;

    while (rest && *(line = rest)) {
        json_t *row, *segment;
        rest = strchr(line, '\n');
        row = json_loadb(line, rest ? (size_t)(rest++ - line) : strlen(line), 0, NULL);
        if (!row) {
            give_up("no JSON", line);
        }
        buf_reset(&b);
        if (json_object_get(row, "b64")) {
            add_base64(&b, json_string_value(json_object_get(row, "b64")));
        }
        json_array_foreach(json_object_get(row, "segs"), i, segment) {
            json_int_t times = json_integer_value(json_array_get(segment, 1));
            while (times-- > 0) {
                add_base64(&b, json_string_value(json_array_get(segment, 0)));
            }
        }
        call(fn, arg, json_string_value(json_object_get(row, "id")), &b, row);
        json_decref(row);
        count++;
    }
    buf_fini(&b);
    buf_fini(&file);
    return count;
}

size_t
hostile_files(const char *folder, hostile_fn *fn, void *arg)
{
    char *full = xasprintf(ROOT "%s", folder);
    struct dirent **entries;
    int n = scandir(full, &entries, NULL, alphasort), i;
    size_t count = 0;

    if (n < 0) {
        give_up("cannot be listed", full);
    }
    for (i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            char *path = xasprintf("%s/%s", folder, entries[i]->d_name);
            struct buf b = hostile_read(path);
            call(fn, arg, entries[i]->d_name, &b, NULL);
            buf_fini(&b);
            free(path);
            count++;
        }
        free(entries[i]);
    }
    free(entries);
    free(full);
    return count;
}

/* The bytes of "name:valid hex:41 42" or "name:valid:AB", both after the second colon. */
static void
utf8_bytes(const char *kind, const char *text, struct buf *b)
{
    unsigned byte;
    int used;

    buf_reset(b);
    if (!strstr(kind, "hex")) {
        buf_adds(b, text);
        return;
    }
    for (; sscanf(text, " %2x%n", &byte, &used) == 1; text += used) {
        buf_addc(b, (char)byte);
    }
}

size_t
hostile_utf8(hostile_fn *fn, void *arg)
{
    struct buf file = hostile_read("utf8/utf8tests.txt"), b = BUF_INIT;
    size_t count = 0;
    char *rest = NULL;

    for (char *line = strtok_r(file.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *kind = strchr(line, ':'), *text = kind ? strchr(kind + 1, ':') : NULL;
        json_t *row;

        if (line[0] == '#' || !text) {
            continue;
        }
        *kind++ = *text++ = '\0';
        kind += strspn(kind, " ");
        utf8_bytes(kind, text, &b);
        row = json_pack("{s:b}", "valid", strncmp(kind, "valid", 5) == 0);
        call(fn, arg, line, &b, row);
        json_decref(row);
        count++;
    }
    buf_fini(&b);
    buf_fini(&file);
    return count;
}

size_t
hostile_strings(hostile_fn *fn, void *arg)
{
    struct buf file = hostile_read("strings/blns.json"), b = BUF_INIT;
    json_t *strings = json_loadb(file.data, file.len, JSON_ALLOW_NUL, NULL), *string;
    size_t i;

    if (!json_is_array(strings)) {
        give_up("no list of strings", "strings/blns.json");
    }
    json_array_foreach(strings, i, string) {
        char *name = xasprintf("naughty string %zu", i);

        buf_reset(&b);
        buf_add(&b, json_string_value(string), json_string_length(string));
        call(fn, arg, name, &b, NULL);
        free(name);
    }
    json_decref(strings);
    buf_fini(&b);
    buf_fini(&file);
    return i;
}

size_t
hostile_traversals(const char *target, hostile_fn *fn, void *arg)
{
    struct buf file = hostile_read("path/fuzzdb-traversals-8-deep.txt"), b = BUF_INIT;
    size_t count = 0;
    char *rest = NULL;

    for (char *line = strtok_r(file.data, "\r\n", &rest); line;
         line = strtok_r(NULL, "\r\n", &rest)) {
        char *mark = strstr(line, "{FILE}");

        buf_reset(&b);
        buf_add(&b, line, mark ? (size_t)(mark - line) : strlen(line));
        if (mark) {
            buf_adds(&b, target);
            buf_adds(&b, mark + 6);
        }
        call(fn, arg, line, &b, NULL);
        count++;
    }
    buf_fini(&b);
    buf_fini(&file);
    return count;
}

void
hostile_replay(const struct hostile_case *c, void *arg)
{
    hostile_target **one = arg;

    (*one)((const uint8_t *)c->bytes.data, c->bytes.len);
}

size_t
hostile_corpus(const char *target, hostile_target *one)
{
    char *folder = xasprintf("../../fuzz/corpus/%s", target);
    size_t count = hostile_files(folder, hostile_replay, &one);

    free(folder);
    return count;
}

bool
hostile_allows(const struct hostile_case *c, const char *key, const char *text)
{
    const json_t *words = json_object_get(c->row, key), *word;
    size_t i;

    if (json_is_string(words)) {
        return strcmp(json_string_value(words), text) == 0;
    }
    json_array_foreach(words, i, word) {
        if ((json_is_string(word) && strcmp(json_string_value(word), text) == 0) ||
            (json_is_integer(word) && json_integer_value(word) == strtoll(text, NULL, 10))) {
            return true;
        }
    }
    return false;
}
