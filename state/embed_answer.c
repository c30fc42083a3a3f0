/* embed_answer.c -- questions to providers of vectors as JSON, and their answers, which nobody has
 * checked before. */
#include "state/embed_answer.h"

#include "state/json_bounded.h"

#include <math.h>

#define NUMBER_BYTES 32u   /* Of one number with its comma, spelt as long as anybody does. */
#define AROUND_BYTES 1024u /* Of what stands around a vector. */
#define AROUND_VALUES 16u

const char *
embed_path(enum embed_dialect dialect)
{
    return dialect == EMBED_OLLAMA ? "/api/embed" : "/embeddings";
}

/* Some refuse a text that is empty; its vector will be of no account. */
static bool
is_blank(struct slice text)
{
    size_t i = 0;

    while (i < text.len && (unsigned char)text.data[i] <= ' ') {
        i++;
    }
    return i == text.len;
}

void
embed_ask_write(enum embed_dialect dialect, const char *model, unsigned dimension,
                const struct slice *texts, size_t count, struct buf *out)
{
    buf_adds(out, "{\"model\":");
    buf_add_json(out, slice_of(model));
    if (dialect == EMBED_OPENAI) {
        buf_adds(out, ",\"encoding_format\":\"float\"");
    }
    if (dimension) {
        buf_addf(out, ",\"dimensions\":%u", dimension);
    }
    buf_adds(out, ",\"input\":[");
    for (size_t i = 0; i < count; i++) {
        struct slice text = texts[i];

        text.len = text.len < EMBED_TEXT_MAX ? text.len : EMBED_TEXT_MAX;
        buf_adds(out, i ? "," : "");
        buf_add_json(out, is_blank(text) ? SLICE(".") : text);
    }
    buf_adds(out, "]}");
}

size_t
embed_answer_max(size_t count, unsigned dimension)
{
    return (count + 16) *
           ((dimension ? dimension : EMBED_DIMENSION_MAX) * NUMBER_BYTES + AROUND_BYTES);
}

/* ---- Answers ---- */

/* The vector that belongs to the text 'at'; null if there is none. */
static const json_t *
find_vector(enum embed_dialect dialect, const json_t *list, size_t at)
{
    if (dialect == EMBED_OLLAMA) {
        return json_array_get(list, at);
    }
    for (size_t i = 0; i < json_array_size(list); i++) { /* Nearly always the first that is seen. */
        const json_t *one = json_array_get(list, (at + i) % json_array_size(list));
        const json_t *index = json_object_get(one, "index");

        if (index ? json_is_integer(index) && json_integer_value(index) == (json_int_t)at : !i) {
            return json_object_get(one, "embedding");
        }
    }
    return NULL;
}

static bool
read_vector(const json_t *numbers, float *out, unsigned dimension)
{
    for (unsigned i = 0; i < dimension; i++) {
        const json_t *number = json_array_get(numbers, i);

        out[i] = (float)json_number_value(number);
        if (!json_is_number(number) || !isfinite(out[i])) {
            return false;
        }
    }
    vector_normalize(out, dimension); /* One that is all 0 stays so. */
    return true;
}

static enum err
read_vectors(enum embed_dialect dialect, const json_t *list, size_t count, unsigned dimension,
             struct vectors *out, struct fault *f)
{
    size_t found = json_array_size(find_vector(dialect, list, 0));
    enum err err;

    if (!json_is_array(list)) {
        return fault_set(f, E_IO, "the provider's answer holds no vectors");
    }
    if (json_array_size(list) != count) {
        return fault_set(f, E_IO, "the provider gave %zu vectors for %zu texts",
                         json_array_size(list), count);
    }
    if (!found || found > EMBED_DIMENSION_MAX || (dimension && found != dimension)) {
        fault_set(f, E_IO, "the provider's vectors have %zu numbers, not %u", found, dimension);
        return fault_remedy(f, dimension ? "is it another model than before? Restart tandem then"
                                         : "name a model that makes embeddings");
    }
    err = vectors_make(out, count, (unsigned)found, f);
    for (size_t i = 0; i < count && !err; i++) {
        const json_t *numbers = find_vector(dialect, list, i);

        if (json_array_size(numbers) != found) {
            err = fault_set(f, E_IO, "the provider's vectors are of different dimensions");
        } else if (!read_vector(numbers, vectors_at(out, i), out->dimension)) {
            err = fault_set(f, E_IO, "a vector of the provider holds what is no number");
        }
    }
    return err;
}

enum err
embed_answer_read(enum embed_dialect dialect, struct slice text, size_t count, unsigned dimension,
                  struct vectors *out, struct fault *f)
{
    unsigned each = (dimension ? dimension : EMBED_DIMENSION_MAX) + AROUND_VALUES;
    const struct json_bounds bounds = {.depth = 8, .values = ((unsigned)count + 16) * each};
    json_t *answer = json_load_bounded(text, &bounds);
    enum err err;

    *out = (struct vectors){.data = NULL};
    if (!answer) {
        return fault_set(f, E_IO, "the provider's answer is no JSON, or too much of it");
    }
    err = read_vectors(dialect,
                       json_object_get(answer, dialect == EMBED_OLLAMA ? "embeddings" : "data"),
                       count, dimension, out, f);
    json_decref(answer);
    if (err) {
        vectors_fini(out);
    }
    return err;
}
