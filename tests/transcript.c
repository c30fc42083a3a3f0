/* transcript.c -- see transcript.h. */
#include "tests/transcript.h"

#include <stdarg.h>
#include <stdio.h>

void
transcript_bad(const struct transcript *t, unsigned number, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "tests/transcripts/%s:%u: ", t->name, number);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

struct lets {
    char *names[32], *texts[32];
    size_t count;
};

/* Expands one "%{...}" whose inside is 'inside'. */
static void
expand_one(const struct transcript *t, unsigned number, const struct lets *lets,
           struct slice inside, struct buf *out)
{
    const char *star = memrchr(inside.data, '*', inside.len);
    unsigned byte;

    for (size_t i = 0; i < lets->count; i++) {
        if (slice_is(inside, lets->names[i])) {
            buf_adds(out, lets->texts[i]);
            return;
        }
    }
    if (sscanf(inside.data, "\\x%2x}", &byte) == 1) {
        buf_addc(out, (char)byte);
    } else if (star && star > inside.data) {
        for (unsigned long n = strtoul(star + 1, NULL, 10); n > 0; n--) {
            buf_add(out, inside.data, (size_t)(star - inside.data));
        }
    } else {
        transcript_bad(t, number, "no such text: %.*s", (int)inside.len, inside.data);
    }
}

static struct buf
expand(const struct transcript *t, unsigned number, const struct lets *lets, const char *text)
{
    struct buf out = BUF_INIT;

    buf_adds(&out, "");
    for (const char *begin; (begin = strstr(text, "%{"));) {
        const char *end = strchr(begin, '}');

        if (!end) {
            transcript_bad(t, number, "'%%{' without '}'");
        }
        buf_add(&out, text, (size_t)(begin - text));
        expand_one(t, number, lets, (struct slice){begin + 2, (size_t)(end - begin - 2)}, &out);
        text = end + 1;
    }
    buf_adds(&out, text);
    if (!out.data) {
        buf_reserve(&out, 0);
    }
    return out;
}

static void
add_line(struct transcript *t, unsigned number, const struct lets *lets, enum line_kind kind,
         const char *text, int status)
{
    struct buf expanded = expand(t, number, lets, text);
    struct line *line = &t->lines[t->count];

    if (++t->count > TRANSCRIPT_LINES) {
        transcript_bad(t, number, "more than %d lines that count", TRANSCRIPT_LINES);
    }
    *line = (struct line){.kind = kind, .number = number, .status = status, .len = expanded.len};
    line->text = buf_steal(&expanded);
}

static const char *
after(const char *text, const char *word)
{
    size_t len = strlen(word);

    return strncmp(text, word, len) == 0 ? text + len + strspn(text + len, " ") : NULL;
}

static void
read_line(struct transcript *t, unsigned number, struct lets *lets, char *text)
{
    static const struct {
        const char *word;
        enum line_kind kind;
    } words[] = {
        {"== ", LINE_CASE},          {"@only ", LINE_ONLY},
        {"@copy ", LINE_COPY},       {"@capabilities ", LINE_CAPABILITIES},
        {"@options ", LINE_OPTIONS}, {"@init ", LINE_INIT},
        {"@header ", LINE_HEADER},   {"> ", LINE_SEND},
    };
    const char *rest;
    int status = 0, used = 0;
    struct buf expanded;

    text[strcspn(text, "\n")] = '\0';
    if (text[0] == '\0' || text[0] == '#') {
        return;
    }
    if ((rest = after(text, "@let "))) {
        size_t len = strcspn(rest, " ");

        if (lets->count == 32 || !rest[len]) {
            transcript_bad(t, number, "@let NAME TEXT");
        }
        lets->names[lets->count] = xstrndup(rest, len);
        expanded = expand(t, number, lets, rest + len + 1);
        lets->texts[lets->count++] = buf_steal(&expanded);
        return;
    }
    if ((rest = after(text, "@keep "))) {
        if (lets->count == 32) {
            transcript_bad(t, number, "too many names");
        }
        /* It stands for itself until the case is played. */
        lets->names[lets->count] = xstrndup(rest, strcspn(rest, " "));
        lets->texts[lets->count] = xasprintf("%%{%s}", lets->names[lets->count]);
        lets->count++;
        add_line(t, number, lets, LINE_KEEP, rest, 0);
        return;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if ((rest = after(text, words[i].word))) {
            add_line(t, number, lets, words[i].kind, rest, 0);
            return;
        }
    }
    if (strcmp(text, "@end") == 0) {
        add_line(t, number, lets, LINE_END, "", 0);
        return;
    }
    if (text[0] != '<' || (sscanf(text, "<%3d%n", &status, &used) != 1 && text[1] != ' ')) {
        transcript_bad(t, number, "what is this: %.60s", text);
    }
    add_line(t, number, lets, LINE_EXPECT, text + (used ? used + (text[used] == ' ') : 2), status);
}

void
transcript_read(struct transcript *t, const char *name)
{
    char *path = xasprintf("tests/transcripts/%s", name), *text = NULL;
    FILE *file = fopen(path, "r");
    struct lets lets = {.count = 0};
    unsigned number = 0;
    size_t room = 0;

    *t = (struct transcript){.name = name};
    if (!file) {
        perror(path);
        exit(2);
    }
    while (getline(&text, &room, file) > 0) {
        read_line(t, ++number, &lets, text);
    }
    fclose(file);
    free(text);
    free(path);
    for (size_t i = 0; i < lets.count; i++) {
        free(lets.names[i]);
        free(lets.texts[i]);
    }
}
