/* service_resources.c -- what tells of the server as a whole, and how any of them ends its read. */
#include "handlers/service_resources.h"

#include "handlers/tool_info.h"
#include "state/base/json_put.h"
#include "state/state.h"

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
