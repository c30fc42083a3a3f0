/* skill_resources.h -- skills as resources: what resources.c and completion.c need to know of them.
 *
 * The URI of a skill's file is "skill://", the skill's path, '/', and the file's.  Worker threads
 * only: files are read. */
#ifndef TANDEM_SKILL_RESOURCES_H
#define TANDEM_SKILL_RESOURCES_H

#include "handlers/offers.h"
#include "state/skills.h"
#include "state/uri.h"

/* Adds the URI of each skill's SKILL.md, without a value: skill_resource() makes it. */
enum err skill_resources_add(struct request *req, struct offers *o);
/* The resource that 'uri', one of those, names: new; null if it is none any more. */
json_t *skill_resource(const struct request *req, const char *uri);
/* Appends the file that 'path', encoded as in a URI, names. */
enum err skill_resource_read(struct request *req, struct slice path, struct buf *out,
                             struct fault *f);
/* The media type that the end of a file's path tells; borrowed for ever. */
const char *skill_resource_mime(struct slice path);

#endif
