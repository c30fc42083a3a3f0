/* yaml_private.h -- what the parts of the YAML module share: the node, how a plain scalar resolves,
 * and the checks that libyaml leaves out. */
#ifndef TANDEM_YAML_PRIVATE_H
#define TANDEM_YAML_PRIVATE_H

#include "state/yaml.h"

#include <yaml.h>

struct ynode {
    enum ynode_kind kind;
    unsigned line, column;
    bool quoted, one_line;
    size_t weight;   /* Nodes in it, itself included, aliases expanded. */
    unsigned height; /* Levels of lists and maps in it; 0 for a scalar. */
    char *text;      /* Scalars: owned, NUL after 'len' bytes. */
    size_t len;
    union {
        bool truth;
        int64_t integer;
        double number;
    } as;
    size_t count;         /* Lists, maps. */
    struct ynode **items; /* Owned array; the nodes belong to the tree. */
    struct ynode **keys;  /* Maps: owned array. */
};

/* Sets kind and value of 'node', a plain scalar whose text is set, by the core schema.  Returns
 * null, or why the scalar cannot be represented. */
const char *yaml_resolve_plain(struct ynode *node);

/* What is wrong with the bytes at 'at'; 'text' is null if nothing is. */
struct yaml_complaint {
    size_t at;
    const char *text;
};

/* The bytes of one scalar, 'end' not included. */
struct yaml_span {
    size_t start, end;
};

/* The lines after the first of a quoted scalar, or of a flow map or list, must be indented deeper
 * than 'indent', the column of the block around it (-1: none); a closing bracket may stand at it.
 */
struct yaml_complaint yaml_check_continuation(struct slice text, size_t start, size_t end,
                                              long indent, bool flow);
/* An anchor or alias at byte 'at'; 'scalar' tells that it belongs to a scalar. */
struct yaml_complaint yaml_check_anchor(struct slice text, size_t at, const char *name,
                                        bool scalar);
/* A block scalar whose opening sign is at 'start'. */
struct yaml_complaint yaml_check_block(struct slice text, size_t start, size_t end);
/* What lies between the scalars: indentation, indicators, comments. */
struct yaml_complaint yaml_check_gaps(struct slice text, const struct yaml_span *spans,
                                      size_t count);

/* ---- A tree being built. ---- */

struct ytree {
    struct ynode **nodes; /* Every node, each once; owned. */
    size_t count, size;
    struct ynode *root;
};

struct yaml_anchor {
    char *name;         /* Owned. */
    struct ynode *node; /* Null while the node is still being built. */
};

struct yaml_loader {
    yaml_parser_t parser;
    struct slice text;
    size_t at_char, at_byte; /* The same place, as libyaml counts and in bytes. */
    struct ytree *tree;
    struct ytree_limits limits;
    size_t weight; /* Nodes so far, aliases expanded. */
    struct yaml_anchor *anchors;
    size_t anchor_count;
    struct yaml_span *spans; /* Scalars, in the order of the text. */
    size_t span_count, span_size;
    struct fault *fault;
};

/* Refuses at a place that libyaml tells. */
enum err yaml_refuse_at(struct yaml_loader *l, yaml_mark_t mark, const char *what);
enum err yaml_too_large_at(struct yaml_loader *l, yaml_mark_t mark, const char *what, size_t limit);
/* Refuses for 'complaint', if there is one. */
enum err yaml_refuse_complaint(struct yaml_loader *l, struct yaml_complaint complaint);
/* The byte that libyaml's character 'index' stands at. */
size_t yaml_byte_of(struct yaml_loader *l, size_t index);
/* The next event, or libyaml's complaint with its place. */
enum err yaml_next_event(struct yaml_loader *l, yaml_event_t *event);
/* Reads the whole stream into the loader's tree. */
enum err yaml_build_stream(struct yaml_loader *l);

#endif
