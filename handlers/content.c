/* content.c -- writes blocks of content. */
#include "handlers/content.h"

void
content_init(struct content *c, struct request *req)
{
    *c = (struct content){.req = req};
}

/* Adds 'head', JSON text, behind what parts it from what is there; returns where it goes on. */
static struct buf *
begin_block(struct content *c, struct slice head)
{
    struct buf *out = &c->req->out;

    if (c->count++) {
        buf_addc(out, ',');
    } else {
        c->before = out->len;
        request_member(c->req, "content");
        buf_addc(out, '[');
    }
    buf_add_slice(out, head);
    return out;
}

/* Adds a member that is not the first. */
static void
add_member(struct buf *out, const char *key, const char *text)
{
    buf_addf(out, ",\"%s\":", key);
    buf_add_json(out, slice_of(text));
}

void
content_text(struct content *c, struct slice text)
{
    struct buf *out = begin_block(c, SLICE("{\"type\":\"text\",\"text\":"));

    buf_add_json(out, text);
    buf_addc(out, '}');
}

void
content_told(struct content *c, char *text)
{
    if (text) {
        content_text(c, slice_of(text));
    } else {
        c->req->out.failed = true; /* It is told where the answer is finished. */
    }
    free(text);
}

static void
add_media(struct content *c, struct slice head, const char *base64, const char *mime)
{
    struct buf *out = begin_block(c, head);

    buf_add_json(out, slice_of(base64));
    add_member(out, "mimeType", mime);
    buf_addc(out, '}');
}

void
content_image(struct content *c, const char *base64, const char *mime)
{
    add_media(c, SLICE("{\"type\":\"image\",\"data\":"), base64, mime);
}

void
content_audio(struct content *c, const char *base64, const char *mime)
{
    const struct request *req = c->req;
    size_t number = c->count;
    struct buf *out;

    if (req->dialect == DIALECT_REST || req->revision >= REVISION_2025_03_26) {
        add_media(c, SLICE("{\"type\":\"audio\",\"data\":"), base64, mime);
        return;
    }
    out = begin_block(c, SLICE("{\"type\":\"resource\",\"resource\":{\"uri\":"));
    buf_addf(out, "\"tandem://content/%zu\"", number);
    add_member(out, "mimeType", mime);
    add_member(out, "blob", base64);
    buf_adds(out, "}}");
}

void
content_resource(struct content *c, const char *uri, const char *mime, const char *text)
{
    struct buf *out = begin_block(c, SLICE("{\"type\":\"resource\",\"resource\":{\"uri\":"));

    buf_add_json(out, slice_of(uri));
    add_member(out, "mimeType", mime);
    add_member(out, "text", text);
    buf_adds(out, "}}");
}

void
content_end(struct content *c)
{
    if (c->count) {
        buf_addc(&c->req->out, ']');
    } else {
        request_add_raw(c->req, "content", SLICE("[]"));
    }
}

void
content_drop(struct content *c)
{
    struct buf *out = &c->req->out;

    if (c->count && out->data) {
        out->len = c->before;
        out->data[out->len] = '\0';
    }
    c->count = 0;
}
