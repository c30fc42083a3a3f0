/* resources_private.h -- the kinds of resources, which lists, templates and reading share. */
#ifndef TANDEM_RESOURCES_PRIVATE_H
#define TANDEM_RESOURCES_PRIVATE_H

#include "handlers/request.h"

#define RESOURCE_VARIABLES_MAX 2

/* A kind, named by a template (RFC 6570, level 1). */
struct resource_kind {
    const char *uri_template, *title;
    const char *mime; /* Null: the end of the URI tells it. */
    /* Appends the text of what the variables, encoded as in a URI, name. */
    enum err (*read)(struct request *req, const struct slice *variables, struct buf *out,
                     struct fault *f);
    bool kept; /* A client may keep it for a while. */
    const char *description;
};
/* Ended by one without a template; of two that fit a URI the first counts. */
extern const struct resource_kind resource_kinds[];

/* Takes a URI apart by a template.  False if it does not fit, or leaves a variable empty. */
bool resource_fits(const char *uri_template, struct slice uri,
                   struct slice variables[RESOURCE_VARIABLES_MAX]);

#endif
