/* icons.h -- the small pictures by which clients of 2025-11-25 and later show things. */
#ifndef TANDEM_ICONS_H
#define TANDEM_ICONS_H

#include "handlers/request.h"

enum icon { ICON_SERVER, ICON_PACK };

/* Adds [{"src":"data:...","mimeType":...,"sizes":["any"]}]. */
void icons_add(struct buf *out, enum icon icon);
/* Gives 'entry' its icons, if the peer's revision knows them. */
void icons_put(const struct request *req, json_t *entry, enum icon icon);

#endif
