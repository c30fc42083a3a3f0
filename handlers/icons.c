/* icons.c -- drawings in SVG, told as data: URIs, for there is no place to fetch them from. */
#include "handlers/icons.h"

#include "handlers/era.h"
#include "state/base/base64.h"
#include "state/base/json_put.h"

#define HEAD "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\">"

static const char *const drawings[] = {
    /* Two wheels. */
    [ICON_SERVER] = HEAD "<g fill=\"none\" stroke=\"#47a\"><circle cx=\"5\" cy=\"8\" r=\"4\"/>"
                         "<circle cx=\"11\" cy=\"8\" r=\"4\"/></g></svg>",
    /* A list whose first lines are ticked. */
    [ICON_PACK] = HEAD "<path fill=\"none\" stroke=\"#47a\" "
                       "d=\"M2 4l1 1 2-2M7 4h7M2 9l1 1 2-2M7 9h7M7 13h7\"/></svg>",
};

void
icons_add(struct buf *out, enum icon icon)
{
    buf_adds(out, "[{\"src\":\"data:image/svg+xml;base64,");
    buf_add_base64(out, slice_of(drawings[icon]));
    buf_adds(out, "\",\"mimeType\":\"image/svg+xml\",\"sizes\":[\"any\"]}]");
}

void
icons_put(const struct request *req, json_t *entry, enum icon icon)
{
    struct buf text = BUF_INIT;

    if (era_knows(req, REVISION_2025_11_25)) {
        icons_add(&text, icon);
        json_put(entry, "icons",
                 json_must(text.failed ? NULL : json_loadb(text.data, text.len, 0, NULL)));
        buf_fini(&text);
    }
}
