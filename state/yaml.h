/* yaml.h -- text in YAML to an immutable tree whose every node knows its line and column.
 *
 * The subset that gate files and definitions need: block and flow maps and lists, plain, quoted and
 * block scalars, comments, one document.  The rest (tags, merge keys, tabs in indentation,
 * duplicate or composed keys, directives, several documents) is refused with its place, never
 * misread.  Plain scalars resolve by YAML 1.2's core schema, so that yes, no, on and off stay text.
 * Pure: no files, no threads; a tree may be read by any number of threads at once. */
#ifndef TANDEM_YAML_H
#define TANDEM_YAML_H

#include "state/base/err.h"
#include "state/base/mem.h"

#include <jansson.h>

/* Bounds of one text.  A zero member means the default. */
struct ytree_limits {
    size_t bytes;   /* Default 1 MiB. */
    size_t nodes;   /* Aliases count as what they stand for.  Default 20,000. */
    size_t depth;   /* Nested maps and lists.  Default 32. */
    size_t anchors; /* Default 16. */
};

enum ynode_kind {
    YNODE_NULL,
    YNODE_BOOL,
    YNODE_INT,
    YNODE_FLOAT,
    YNODE_STRING,
    YNODE_LIST,
    YNODE_MAP
};

struct ytree;
struct ynode;

/* Parses 'text' into '*tree', new.  'limits' may be null.  E_REFUSED with line and column if it is
 * not the YAML we take, E_TOO_LARGE over a bound. */
enum err ytree_parse(struct slice text, const struct ytree_limits *limits, struct ytree **tree,
                     struct fault *fault);
/* Frees the tree with all its nodes; null is ignored. */
void ytree_free(struct ytree *tree);
/* The only document's root; of kind YNODE_NULL if the text is empty.  Nodes are borrowed until the
 * tree is freed. */
const struct ynode *ytree_root(const struct ytree *tree);

/* Every reader below takes a null node: its kind is YNODE_NULL, it has no members, no text. */
enum ynode_kind ynode_kind(const struct ynode *node);
/* "null", "boolean", "integer", "number", "string", "list" or "map"; borrowed for ever. */
const char *ynode_kind_name(const struct ynode *node);
/* Place of the node's first character, from 1; 0 for a null pointer.  Columns count characters. */
unsigned ynode_line(const struct ynode *node);
unsigned ynode_column(const struct ynode *node);
/* True for a plain or quoted scalar written on one line, so that character n of its text stands at
 * ynode_column() + n, or one more if it is quoted and holds no escape. */
bool ynode_one_line(const struct ynode *node);
bool ynode_quoted(const struct ynode *node);
/* The scalar as text, whatever it resolved to (of true: "true"); UTF-8, NUL after the last byte,
 * may hold NULs inside; empty for lists and maps. */
struct slice ynode_text(const struct ynode *node);
/* The value, or false or 0 if the kind is another. */
bool ynode_bool(const struct ynode *node);
int64_t ynode_int(const struct ynode *node);
/* Of an integer, too. */
double ynode_float(const struct ynode *node);
/* Items of a list, members of a map; 0 for a scalar. */
size_t ynode_count(const struct ynode *node);
/* The i-th item of a list or value of a map, in the order of the text; null past the end. */
const struct ynode *ynode_at(const struct ynode *node, size_t i);
/* The i-th key of a map; null past the end or if it is no map. */
const struct ynode *ynode_key(const struct ynode *node, size_t i);
/* The value under 'key', or null. */
const struct ynode *ynode_get(const struct ynode *node, const char *key);
/* The text under 'key' if it is a string without NUL, else null. */
const char *ynode_get_string(const struct ynode *node, const char *key);
/* A new JSON value equal to the node; null if there is no memory. */
json_t *ynode_to_json(const struct ynode *node);

#endif
