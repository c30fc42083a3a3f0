/* json_tree.h -- trees (jansson) of JSON bytes, where a handler wants one.
 *
 * Strict as a scan is (json_scan.h), and beyond it: no name twice in an object at any level, no
 * \u0000 in a string, no number that is out of range.  Pure but for the tree; any thread. */
#ifndef TANDEM_JSON_TREE_H
#define TANDEM_JSON_TREE_H

#include <jansson.h>

#include "handlers/json_scan.h"

/* What kept a tree from being built. */
struct json_tree_flaw {
    const char *text; /* Borrowed for ever. */
    size_t at;        /* The byte. */
    bool nul;         /* It is a \u0000. */
    bool memory;      /* It is nothing of the text's: there is no memory. */
};

/* The tree of the one value in 'text', new; null, filling in 'flaw', if there is none to be had. */
json_t *json_tree(struct slice text, struct json_tree_flaw *flaw);
/* The same of a text that a scan has let pass: what strings hold is not checked again. */
json_t *json_tree_again(struct slice text, struct json_tree_flaw *flaw);

#endif
