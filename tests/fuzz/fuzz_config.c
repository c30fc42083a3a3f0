/* fuzz_config.c -- libFuzzer on configuration files and on the values of settings.
 *
 * Whatever a file holds, every problem has a place inside it, and a key's problem is at a key.  A
 * value that a setting takes is shown as a text that it takes again, and means the same. */
#include "state/config.h"

#include <jansson.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size);

static void
check(bool held, const char *what)
{
    if (!held) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

/* The byte at a place, counted in characters; 0 if it is outside. */
static char
at_place(struct slice text, unsigned line, unsigned column)
{
    unsigned at_line = 1, at_column = 1;

    for (size_t i = 0; i < text.len; i++) {
        bool starts = ((unsigned char)text.data[i] & 0xC0) != 0x80;
        if (at_line == line && at_column == column && starts) {
            return text.data[i];
        }
        if (text.data[i] == '\n') {
            at_line++;
            at_column = 1;
        } else if (starts) {
            at_column++;
        }
    }
    return '\0';
}

static void
try_file(struct slice text)
{
    struct problems problems = PROBLEMS_INIT;

    config_check(text, "c.json", &problems);
    for (size_t i = 0; i < problems.count; i++) {
        const struct problem *p = &problems.items[i];

        if (strncmp(p->text, "not JSON", 8) != 0 && p->line) {
            check(at_place(text, p->line, p->column) != '\0', "a place in the file");
        }
        if (strncmp(p->text, "unknown key", 11) == 0) {
            check(at_place(text, p->line, p->column) == '"', "an unknown key's place is a key");
        }
    }
    problems_fini(&problems);
}

static void
try_value(enum setting setting, const char *text)
{
    struct settings *one = settings_create(), *two = settings_create();
    struct buf shown = BUF_INIT, again = BUF_INIT;
    struct fault f = FAULT_INIT;

    if (settings_set(one, setting, text, ORIGIN_FILE, &f) == E_OK) {
        settings_show(one, setting, &shown);
        check(!settings_set(two, setting, shown.data ? shown.data : "", ORIGIN_FILE, &f),
              "what is shown is taken");
        settings_show(two, setting, &again);
        check(slice_equal(buf_slice(&shown), buf_slice(&again)), "and means the same");
    } else {
        check(f.text[0] != '\0', "a refusal says why");
    }
    buf_fini(&shown);
    buf_fini(&again);
    settings_unref(one);
    settings_unref(two);
}

int
LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t size)
{
    char *text;

    if (size == 0) {
        return 0;
    }
    /* Of the exact size, so that a read past its end is seen. */
    text = malloc(size);
    memcpy(text, bytes + 1, size - 1);
    if (bytes[0] == '{') {
        try_file((struct slice){(const char *)bytes, size});
        try_file((struct slice){text, size - 1});
    } else {
        text[size - 1] = '\0';
        try_value((enum setting)(bytes[0] % SETTING_COUNT), text);
    }
    free(text);
    return 0;
}
