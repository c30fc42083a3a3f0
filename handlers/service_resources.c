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
service_resource_tell(enum err err, json_t *told, struct buf *out)
{
    if (!err) {
        json_write(out, told);
    }
    json_decref(told);
    return err;
}

enum err
read_caches(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    (void)variables, (void)f;
    return service_resource_tell(E_OK, state_caches(req->state), out);
}

enum err
read_info(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    (void)variables, (void)f;
    return service_resource_tell(E_OK, tool_info_make(req), out);
}
