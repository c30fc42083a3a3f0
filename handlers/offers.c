/* offers.c -- pages of what a server lists, and the text of the URIs that name it. */
#include "handlers/offers.h"

#include "handlers/dispatch_private.h"
#include "state/base/json_put.h"
#include "state/base/rune.h"
#include "state/uri.h"

static const char hex[] = "0123456789abcdef";

void
offers_add(struct offers *o, const char *key, json_t *value)
{
    if (o->count == o->room) {
        o->room = o->room ? o->room * 2 : 32;
        o->all = xrealloc(o->all, o->room * sizeof *o->all);
    }
    o->all[o->count++] = (struct offer){.key = xstrdup(key), .value = value};
}

void
offers_fini(struct offers *o)
{
    for (size_t i = 0; i < o->count; i++) {
        free(o->all[i].key);
        json_decref(o->all[i].value);
    }
    free(o->all);
    *o = (struct offers){.all = NULL};
}

static int
compare_offers(const void *a, const void *b)
{
    return strcmp(((const struct offer *)a)->key, ((const struct offer *)b)->key);
}

void
offers_sort(struct offers *o)
{
    if (o->count) {
        qsort(o->all, o->count, sizeof *o->all, compare_offers);
    }
}

/* ---- Cursors: a letter of the list, and the last key, in hexadecimal ---- */

/* A cursor is good for the method that gave it. */
static char
letter_of(const struct request *req)
{
    const char *name = req->method->name;

    return strcmp(name, "resources/directory/read") == 0 ? 'd' : name[0];
}

static void
write_cursor(struct buf *out, char letter, const char *key)
{
    buf_addf(out, "\"%c", letter);
    for (; *key; key++) {
        buf_addc(out, hex[(unsigned char)*key >> 4]);
        buf_addc(out, hex[*key & 15]);
    }
    buf_addc(out, '"');
}

static int
hex_digit(char c)
{
    const char *at = c ? strchr(hex, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

    return at ? (int)(at - hex) : -1;
}

/* Reads a cursor into the key that it names. */
static bool
read_cursor(const struct json_value *cursor, char letter, struct buf *key)
{
    char text[2 * OFFERS_URI_MAX + 2];
    ssize_t len =
        cursor->kind == KIND_STRING ? json_string_into(cursor->raw, text, sizeof text) : -1;

    if (len < 3 || len % 2 == 0 || text[0] != letter) {
        return false;
    }
    for (ssize_t i = 1; i < len; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

        if (high < 0 || low < 0 || high + low == 0) {
            return false;
        }
        buf_addc(key, (char)(high << 4 | low));
    }
    return rune_valid(buf_slice(key));
}

static enum err
bad_cursor(struct request *req)
{
    fault_set(&req->fault, E_PARAMS, "this cursor is not one that this list gave");
    return fault_remedy(&req->fault, "leave 'cursor' out to begin at the front");
}

enum err
offers_no_cursor(struct request *req)
{
    return req->message.param[RPC_PARAM_CURSOR].kind == KIND_NONE ? E_OK : bad_cursor(req);
}

void
offers_write(struct request *req, const char *member, const struct offers *o, size_t first,
             size_t end)
{
    const char *between = "";

    request_member(req, member);
    buf_addc(&req->out, '[');
    for (size_t i = first; i < end; i++) {
        if (o->all[i].value) {
            buf_adds(&req->out, between);
            json_write(&req->out, o->all[i].value);
            between = ",";
        }
    }
    buf_addc(&req->out, ']');
    if (end < o->count) {
        request_member(req, "nextCursor");
        write_cursor(&req->out, letter_of(req), o->all[end - 1].key);
    }
}

enum err
offers_find_page(struct request *req, struct offers *o, size_t page, size_t *first, size_t *end)
{
    const struct json_value *cursor = &req->message.param[RPC_PARAM_CURSOR];
    struct buf after = {.limit = OFFERS_URI_MAX};
    bool good = cursor->kind == KIND_NONE || read_cursor(cursor, letter_of(req), &after);

    offers_sort(o);
    *first = 0;
    while (good && after.len && *first < o->count && strcmp(o->all[*first].key, after.data) <= 0) {
        ++*first;
    }
    *end = o->count - *first > page ? *first + page : o->count;
    buf_fini(&after);
    return good ? E_OK : bad_cursor(req);
}

enum err
offers_write_page(struct request *req, const char *member, struct offers *o)
{
    size_t first, end;
    enum err err = offers_find_page(req, o, OFFERS_PAGE, &first, &end);

    if (!err) {
        offers_write(req, member, o, first, end);
    }
    return err;
}

/* ---- URIs ---- */

bool
offers_decode_path(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.data[i + 2]) : -1;

            if (high < 0 || low < 0 || high + low == 0) {
                return false;
            }
            c = (char)(high << 4 | low);
            i += 2;
        } else if (!uri_is_unreserved(c) && !(c && strchr("/!$&'()*+,;=:@", c))) {
            return false;
        }
        buf_addc(out, c);
    }
    return !out->failed;
}

enum err
offers_read_uri(const struct request *req, struct buf *uri, struct fault *f)
{
    const struct json_value *value = &req->message.param[RPC_PARAM_URI];

    if (value->kind != KIND_STRING || !json_string_add(value->raw, uri) || !uri->len) {
        return fault_set(f, E_PARAMS, "params.uri is missing, no string, or longer than %u bytes",
                         OFFERS_URI_MAX);
    }
    return E_OK;
}

void
offers_tell_uri(struct request *req, struct slice uri)
{
    buf_reset(&req->fault_data);
    buf_adds(&req->fault_data, "{\"uri\":");
    buf_add_json(&req->fault_data, uri);
    buf_addc(&req->fault_data, '}');
}

/* ---- Requests ---- */

bool
offers_fixtures(const struct request *req)
{
    return tools_has_group(req->dispatcher->tools, "conformance");
}

enum err
offers_prepare(struct request *req, enum runs *runs)
{
    *runs = WORKER;
    return tools_check_rate(req);
}
