/* workflow_template_private.h -- a parsed template, as its parser leaves it to its renderer. */
#ifndef TANDEM_WORKFLOW_TEMPLATE_PRIVATE_H
#define TANDEM_WORKFLOW_TEMPLATE_PRIVATE_H

#include "state/workflow_template.h"

#include <stdint.h>

#define NO_PIECE SIZE_MAX

enum piece_kind {
    PIECE_TEXT,
    PIECE_BRACKET,
    PIECE_NAME,
    PIECE_EACH,
    PIECE_IF,
    PIECE_ELSE,
    PIECE_END
};

struct piece {
    unsigned char kind; /* enum piece_kind. */
    unsigned line;
    struct slice text; /* As written. */
    struct slice name; /* Without marks. */
    size_t other;      /* EACH, IF: its ELSE or END; ELSE: its END. */
    size_t end;        /* EACH, IF: its END. */
};

struct wf_template {
    char *text;           /* Owned; the pieces point into it. */
    char *file;           /* Owned. */
    struct piece *pieces; /* Owned. */
    size_t count, size;
};

#endif
