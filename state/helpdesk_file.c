/* helpdesk_file.c -- from the bytes of an index file to documents, each checked before it is taken.
 */
#include "state/helpdesk_file.h"

#include "state/base/base64.h"
#include "state/base/json_put.h"
#include "state/json_bounded.h"

#include <float.h>
#include <math.h>

#define DEPTH_MAX 32u
#define FILE_VALUES                                                               \
    4000000u /* In one JSON object; a file with more of them is written as lines. \
              */
#define LINE_VALUES (EMBED_DIMENSION_MAX + 2000u)

struct reader {
    const char *name;                /* Borrowed, as the next two. */
    const struct embedder *embedder; /* Or null: any. */
    struct helpdesk_index *index;
    json_int_t count;   /* What the head says. */
    unsigned dimension; /* Likewise; 0: it does not. */
    bool metric, maker; /* It says these, and they are right. */
    unsigned line;      /* In lines: the one being read. */
    size_t read;        /* Documents. */
    float *vector;      /* Room for one; owned. */
    struct buf bytes;   /* Of a vector in base64. */
    struct fault *f;
};

/* Refuses the file: E_REFUSED, with the place. */
static enum err refuse(struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum err
refuse(struct reader *r, const char *format, ...)
{
    char why[256];
    va_list args;

    va_start(args, format);
    text_format(why, sizeof why, format, args);
    va_end(args);
    if (r->line) {
        return fault_at(r->f, E_REFUSED, r->line, 0, "%s:%u: %s", r->name, r->line, why);
    }
    if (r->read) {
        return fault_set(r->f, E_REFUSED, "%s: %s (document %zu)", r->name, why, r->read);
    }
    return fault_set(r->f, E_REFUSED, "%s: %s", r->name, why);
}

/* ---- The head ---- */

static enum err
read_maker(struct reader *r, const json_t *head)
{
    const char *maker = json_string_value(json_object_get(head, "embedder"));

    if (!maker) {
        return refuse(r, "\"embedder\" is no text");
    }
    if (r->embedder && strcmp(maker, r->embedder->identity) != 0) {
        refuse(r, "its vectors were made by '%.80s', questions are embedded by '%.80s'", maker,
               r->embedder->identity);
        return fault_remedy(r->f, "make the file with the embedder that is configured, or "
                                  "configure the one that it was made with");
    }
    r->maker = true;
    return E_OK;
}

static enum err
read_dimension(struct reader *r, const json_t *dimension)
{
    json_int_t value = json_integer_value(dimension);
    unsigned ours = r->embedder ? atomic_load(&r->embedder->dimension) : 0;

    if (value < 1 || value > EMBED_DIMENSION_MAX) {
        return refuse(r, "\"dimension\" is no number from 1 to %u", EMBED_DIMENSION_MAX);
    }
    if (ours && value != ours) {
        refuse(r, "its vectors have %d numbers, those of the embedder '%.80s' have %u", (int)value,
               r->embedder->identity, ours);
        return fault_remedy(r->f, "make the file with the embedder that is configured");
    }
    r->dimension = (unsigned)value;
    return E_OK;
}

static enum err
read_head(struct reader *r, const json_t *head)
{
    const char *format = json_string_value(json_object_get(head, "format"));
    const char *metric = json_string_value(json_object_get(head, "metric"));
    const json_t *version = json_object_get(head, "version"),
                 *count = json_object_get(head, "count"),
                 *dimension = json_object_get(head, "dimension");
    enum err err = E_OK;

    if (!format || strcmp(format, HELPDESK_FORMAT) != 0) {
        return refuse(r, "\"format\" is not \"" HELPDESK_FORMAT "\"");
    }
    if (json_integer_value(version) != HELPDESK_VERSION) {
        return refuse(r, "\"version\" is not %d, the one that can be read", HELPDESK_VERSION);
    }
    r->count = json_is_integer(count) ? json_integer_value(count) : -1;
    if (r->count < 0) {
        return refuse(r, "\"count\" does not say how many documents there are");
    }
    if ((uint64_t)r->count > r->index->passages_max) {
        fault_set(r->f, E_TOO_LARGE, "%s: it has %lld documents, and %zu are allowed", r->name,
                  (long long)r->count, r->index->passages_max);
        return fault_remedy(r->f, "leave something out, or raise helpdesk.passages");
    }
    r->metric = metric && strcmp(metric, HELPDESK_METRIC) == 0;
    if (json_object_get(head, "metric") && !r->metric) {
        return refuse(r, "\"metric\" is not \"" HELPDESK_METRIC "\"");
    }
    if (json_object_get(head, "embedder")) {
        err = read_maker(r, head);
    }
    return !err && dimension ? read_dimension(r, dimension) : err;
}

/* ---- Documents ---- */

static enum err
read_numbers(struct reader *r, const json_t *array)
{
    const json_t *number;
    size_t i;

    if (json_array_size(array) != r->dimension) {
        return refuse(r, "a vector has %zu numbers, and the head says %u", json_array_size(array),
                      r->dimension);
    }
    json_array_foreach(array, i, number) {
        double value = json_number_value(number);

        if (!json_is_number(number) || !(fabs(value) <= (double)FLT_MAX)) {
            return refuse(r, "number %zu of a vector is none that can be used", i + 1);
        }
        r->vector[i] = (float)value;
    }
    return E_OK;
}

static enum err
read_base64(struct reader *r, const json_t *text)
{
    struct slice encoded = {json_string_value(text), json_string_length(text)};

    buf_reset(&r->bytes);
    if (!base64_decode(encoded, &r->bytes) || r->bytes.len != (size_t)r->dimension * 4) {
        return refuse(r, "a vector is not the base64 of %u floats", r->dimension);
    }
    for (unsigned i = 0; i < r->dimension; i++) {
        const unsigned char *b = (const unsigned char *)r->bytes.data + (size_t)i * 4;
        uint32_t bits =
            (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;

        memcpy(&r->vector[i], &bits, sizeof bits);
        if (!isfinite(r->vector[i])) {
            return refuse(r, "number %u of a vector is none that can be used", i + 1);
        }
    }
    return E_OK;
}

static enum err
read_vector(struct reader *r, const json_t *vector)
{
    if (!r->metric || !r->maker || !r->dimension) {
        return refuse(r, "there is a vector, but the head does not say \"metric\", \"dimension\" "
                         "and \"embedder\"");
    }
    if (!r->vector) {
        r->vector = xcalloc(r->dimension, sizeof *r->vector);
    }
    return json_is_array(vector)    ? read_numbers(r, vector)
           : json_is_string(vector) ? read_base64(r, vector)
                                    : refuse(r, "\"vector\" is neither an array nor base64");
}

/* What is of the wrong type is told rather than left out. */
static enum err
check_types(struct reader *r, const json_t *document)
{
    const json_t *content = json_object_get(document, "content"),
                 *source = json_object_get(document, "source"),
                 *meta = json_object_get(document, "meta");

    if (!json_is_object(document)) {
        return refuse(r, "a document is no object");
    }
    if (content && !json_is_string(content) && !json_is_null(content)) {
        return refuse(r, "\"content\" is no text");
    }
    if (source && (!json_is_string(source) || json_string_length(source) > 1024)) {
        return refuse(r, "\"source\" is no text of at most 1024 bytes");
    }
    if (meta && (!json_is_object(meta) || json_size(meta) > HELPDESK_META_MAX)) {
        return refuse(r, "\"meta\" is no object of at most %u bytes", HELPDESK_META_MAX);
    }
    return E_OK;
}

static enum err
read_document(struct reader *r, const json_t *document)
{
    const json_t *content = json_object_get(document, "content"),
                 *vector = json_object_get(document, "vector");
    const char *source = json_string_value(json_object_get(document, "source"));
    struct helpdesk_item item = {
        .text = {json_string_value(content), json_string_length(content)},
        .source = source && *source ? source : HELPDESK_SOURCE,
        .meta = json_object_get(document, "meta"),
        .dimension = r->dimension,
    };
    enum err err;

    r->read++;
    err = check_types(r, document);
    if (!err && (int64_t)r->read > r->count) {
        err = refuse(r, "there are more than the %lld documents of the head", (long long)r->count);
    }
    if (!err && vector && !json_is_null(vector)) {
        err = read_vector(r, vector);
        item.vector = r->vector;
    }
    if (err) {
        return err;
    }
    if (item.vector) {
        return helpdesk_index_add(r->index, &item, r->f);
    }
    if (!item.text.data) {
        return refuse(r, "a document has neither \"content\" nor \"vector\"");
    }
    return helpdesk_index_add_document(r->index, item.source, item.text, item.meta, r->f);
}

/* ---- The two forms ---- */

static enum err
read_object(struct reader *r, struct slice text)
{
    static const struct json_bounds bounds = {DEPTH_MAX, FILE_VALUES};
    json_t *root = json_load_bounded(text, &bounds);
    const json_t *documents = json_object_get(root, "documents"), *document;
    enum err err = E_OK;
    size_t i;

    if (!json_is_object(root)) {
        err = refuse(r, "it is no JSON object, or has too much in it for one");
        fault_remedy(r->f, "see that it is whole; a large index is better written as lines");
    }
    err = err ? err : read_head(r, root);
    if (!err && !json_is_array(documents)) {
        err = refuse(r, "\"documents\" is no array");
    }
    if (!err) {
        json_array_foreach(documents, i, document) {
            err = err ? err : read_document(r, document);
        }
    }
    json_decref(root);
    return err;
}

static bool
next_line(struct slice *text, struct slice *line)
{
    const char *end = text->len ? memchr(text->data, '\n', text->len) : NULL;
    size_t len = end ? (size_t)(end - text->data) : text->len;

    if (!text->len) {
        return false;
    }
    *line = (struct slice){text->data, len};
    text->data += len + (end != NULL);
    text->len -= len + (end != NULL);
    return true;
}

static enum err
read_lines(struct reader *r, struct slice text)
{
    static const struct json_bounds bounds = {DEPTH_MAX, LINE_VALUES};
    struct slice line;
    bool head = false;
    enum err err = E_OK;

    while (!err && next_line(&text, &line)) {
        json_t *value;

        r->line++;
        while (line.len && strchr(" \t\r", line.data[line.len - 1])) {
            line.len--;
        }
        if (!line.len) {
            continue;
        }
        value = json_load_bounded(line, &bounds);
        if (!json_is_object(value)) {
            err = refuse(r, "the line is no JSON object, or has too much in it");
        } else {
            err = head ? read_document(r, value) : read_head(r, value);
            head = true;
        }
        json_decref(value);
    }
    return err || head ? err : refuse(r, "it is empty");
}

enum err
helpdesk_file_read(struct slice text, const char *name, bool lines, const struct embedder *embedder,
                   struct helpdesk_index *index, struct fault *f)
{
    struct reader r = {.name = name, .embedder = embedder, .index = index, .f = f};
    enum err err = lines ? read_lines(&r, text) : read_object(&r, text);

    if (!err && (int64_t)r.read != r.count) {
        r.line = 0;
        err = refuse(&r, "it is cut off: the head says %lld documents", (long long)r.count);
    }
    free(r.vector);
    buf_fini(&r.bytes);
    return err;
}
