/* service_resources.c -- the rows as data; what tells of the server as a whole. */
#include "handlers/service_resources.h"

#include "handlers/tool_info.h"
#include "state/base/json_put.h"
#include "state/state.h"

const struct service_resource service_resources[] = {
#define ROW(URI, NAME, TITLE, MIME, READ, DESCRIPTION) {URI, NAME, TITLE, MIME, READ, DESCRIPTION},
    SERVICE_RESOURCES(ROW)
#undef ROW
        {.uri = NULL},
};

bool
service_resource_is_template(const struct service_resource *s)
{
    return strchr(s->uri, '{') != NULL;
}

enum err
read_caches(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    json_t *caches = state_caches(req->state);

    (void)variables, (void)f;
    json_write(out, caches);
    json_decref(caches);
    return E_OK;
}

enum err
read_info(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    json_t *info = tool_info_make(req);

    (void)variables, (void)f;
    json_write(out, info);
    json_decref(info);
    return E_OK;
}
