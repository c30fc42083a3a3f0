/* explain.c -- the table of a search: a line a result, a column for each part of the score. */
#include "server/explain.h"

#include "state/base/mem.h"

#include <inttypes.h>
#include <string.h>

#define PARTS_MAX 16u

/* The names of the parts, in the order in which they are told. */
struct parts {
    const char *names[PARTS_MAX];
    size_t count;
};

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* Text for a terminal: nothing in it moves the cursor. */
static void
print_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        fputc(c < ' ' || c == 0x7F ? ' ' : c, to);
    }
}

/* All parts that any result has. */
static void
collect_parts(const json_t *results, struct parts *parts)
{
    const json_t *result, *value;
    const char *name;
    size_t i;

    json_array_foreach(results, i, result) {
        json_object_foreach((json_t *)(uintptr_t)json_object_get(result, "ranking"), name, value) {
            size_t at = 0;

            while (at < parts->count && strcmp(parts->names[at], name) != 0) {
                at++;
            }
            if (at == parts->count && at < PARTS_MAX) {
                parts->names[parts->count++] = name;
            }
        }
    }
}

static int
width_of(const char *name)
{
    return strlen(name) > 8 ? (int)strlen(name) : 8;
}

static void
print_head(FILE *to, const struct parts *parts)
{
    fprintf(to, "%3s %8s ", "", "score");
    for (size_t i = 0; i < parts->count; i++) {
        fprintf(to, " %*s", width_of(parts->names[i]), parts->names[i]);
    }
    fputs("  tokens  passage\n", to);
}

/* A score, a place (which is an integer), or that there is none. */
static void
print_part(FILE *to, const json_t *part, int width)
{
    if (json_is_number(part)) {
        fprintf(to, " %*.*f", width, json_is_integer(part) ? 0 : 3, json_number_value(part));
    } else {
        fprintf(to, " %*s", width, "-");
    }
}

static void
print_result(FILE *to, size_t place, const json_t *result, const struct parts *parts)
{
    const json_t *ranking = json_object_get(result, "ranking");
    const char *path = text_of(result, "heading_path");

    fprintf(to, "%3zu %8.3f ", place,
            json_number_value(json_object_get(result, "relevance_score")));
    for (size_t i = 0; i < parts->count; i++) {
        print_part(to, json_object_get(ranking, parts->names[i]), width_of(parts->names[i]));
    }
    fprintf(to, " %7" JSON_INTEGER_FORMAT "  ",
            json_integer_value(json_object_get(result, "tokens")));
    print_text(to, text_of(result, "file"));
    fprintf(to, ":%" JSON_INTEGER_FORMAT "%s", json_integer_value(json_object_get(result, "line")),
            *path ? "  " : "");
    print_text(to, path);
    fputc('\n', to);
}

static void
print_how(FILE *to, const json_t *result)
{
    bool scan = strcmp(text_of(result, "retrieval_method"), "scan") == 0;
    bool partial = json_is_true(json_object_get(result, "partial"));

    if (scan) {
        fprintf(to, "found by reading the files%s: there is no index here\n",
                partial ? ", not all of them" : "");
    } else {
        fputs("found by the ", to);
        print_text(to, text_of(result, "retrieval_method"));
        fprintf(to, ", generation %" JSON_INTEGER_FORMAT "%s%s\n",
                json_integer_value(json_object_get(result, "index_generation")),
                json_is_true(json_object_get(result, "stale"))
                    ? ", which is stale: files have changed since"
                    : ", which has all files as they are",
                json_is_true(json_object_get(result, "cache_hit")) ? "; an answer that was kept"
                                                                   : "");
    }
    fprintf(to, "%" JSON_INTEGER_FORMAT " tokens (4 bytes of UTF-8 each), %.3f ms\n",
            json_integer_value(json_object_get(result, "total_tokens")),
            json_number_value(json_object_get(result, "query_time_ms")));
}

bool
explain_search(FILE *to, const json_t *result)
{
    const json_t *results = json_object_get(result, "results"), *one;
    struct parts parts = {.count = 0};
    size_t i;

    if (!json_is_array(results) || !json_is_string(json_object_get(result, "retrieval_method"))) {
        return false;
    }
    collect_parts(results, &parts);
    if (json_array_size(results)) {
        print_head(to, &parts);
    }
    json_array_foreach(results, i, one) {
        print_result(to, i + 1, one, &parts);
    }
    if (!json_array_size(results)) {
        const char *note = text_of(result, "note");

        print_text(to, *note ? note : "nothing was found");
        fputc('\n', to);
    }
    print_how(to, result);
    return true;
}
