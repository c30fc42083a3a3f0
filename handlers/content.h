/* content.h -- the blocks of content that a tool answers with: text, images, audio, resources.
 *
 * They are written straight into the result, in the forms that the client's revision knows: a tree
 * of one text block, built, written and freed, took 3,300 of the 25,800 instructions of a small
 * call.  Pure but for the request. */
#ifndef TANDEM_CONTENT_H
#define TANDEM_CONTENT_H

#include "handlers/request.h"

struct content {
    struct request *req; /* Borrowed. */
    size_t before;       /* Bytes of 'req->out' before the first block. */
    size_t count;        /* Blocks so far. */
};

/* Each adds one block.  What is borrowed here is copied; base64 is the caller's to make. */
void content_text(struct content *c, struct slice text);
void content_image(struct content *c, const char *base64, const char *mime);
/* Before 2025-03-26 a resource with the same bytes. */
void content_audio(struct content *c, const char *base64, const char *mime);
void content_resource(struct content *c, const char *uri, const char *mime, const char *text);
/* A text block; 'text' is stolen.  Null says that there was no memory for it: the answer fails. */
void content_told(struct content *c, char *text);

/* For tools_call.c.  Begins with no block, and ends: the result has its member "content" then. */
void content_init(struct content *c, struct request *req);
void content_end(struct content *c);
/* Takes away what was added, for the tool has failed. */
void content_drop(struct content *c);

#endif
