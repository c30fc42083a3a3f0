/* yaml_build.c -- the events of one document into nodes, within bounds.  See yaml.h. */
#include "state/yaml_private.h"

#include <assert.h>

/* Where a node stands. */
struct around {
    unsigned depth; /* Lists and maps around it. */
    long indent;    /* Column of the innermost block list or map; -1 if there is none. */
    bool flow;      /* Inside a flow list or map. */
};

static enum err build_node(struct yaml_loader *l, const yaml_event_t *event, struct around around,
                           struct ynode **node);

static enum err
new_node(struct yaml_loader *l, const yaml_event_t *event, struct ynode **node)
{
    struct ytree *tree = l->tree;
    struct ynode *n;

    if (++l->weight > l->limits.nodes) {
        return yaml_too_large_at(l, event->start_mark, "YAML nodes", l->limits.nodes);
    }
    if (tree->count == tree->size) {
        tree->size = tree->size ? tree->size * 2 : 64;
        tree->nodes = xrealloc(tree->nodes, tree->size * sizeof *tree->nodes);
    }
    n = xcalloc(1, sizeof *n);
    n->line = (unsigned)event->start_mark.line + 1;
    n->column = (unsigned)event->start_mark.column + 1;
    n->weight = 1;
    tree->nodes[tree->count++] = n;
    *node = n;
    return E_OK;
}

static struct yaml_anchor *
find_anchor(struct yaml_loader *l, const char *name)
{
    for (size_t i = 0; i < l->anchor_count; i++) {
        if (strcmp(l->anchors[i].name, name) == 0) {
            return &l->anchors[i];
        }
    }
    return NULL;
}

/* Notes that 'name' (may be null) is being defined here. */
static enum err
open_anchor(struct yaml_loader *l, const yaml_event_t *event, const yaml_char_t *name)
{
    struct yaml_anchor *a;
    enum err err;

    if (!name) {
        return E_OK;
    }
    err = yaml_refuse_complaint(
        l, yaml_check_anchor(l->text, yaml_byte_of(l, event->start_mark.index), (const char *)name,
                             event->type == YAML_SCALAR_EVENT));
    if (err) {
        return err;
    }
    a = find_anchor(l, (const char *)name);
    if (a) {
        a->node = NULL;
        return E_OK;
    }
    if (l->anchor_count == l->limits.anchors) {
        return yaml_too_large_at(l, event->start_mark, "anchors", l->limits.anchors);
    }
    l->anchors = xrealloc(l->anchors, (l->anchor_count + 1) * sizeof *l->anchors);
    l->anchors[l->anchor_count++] = (struct yaml_anchor){xstrdup((const char *)name), NULL};
    return E_OK;
}

static void
close_anchor(struct yaml_loader *l, const yaml_char_t *name, struct ynode *node)
{
    if (name) {
        find_anchor(l, (const char *)name)->node = node;
    }
}

/* Counts 'child' into what 'node' holds. */
static void
contain(struct ynode *node, const struct ynode *child)
{
    node->weight += child->weight;
    if (child->height >= node->height) {
        node->height = child->height + 1;
    }
}

static enum err
check_depth(struct yaml_loader *l, const yaml_event_t *event, unsigned depth)
{
    return depth > l->limits.depth
               ? yaml_too_large_at(l, event->start_mark, "nested levels", l->limits.depth)
               : E_OK;
}

static enum err
use_alias(struct yaml_loader *l, const yaml_event_t *event, unsigned depth, struct ynode **node)
{
    const char *name = (const char *)event->data.alias.anchor;
    struct yaml_anchor *a = find_anchor(l, name);
    enum err err = yaml_refuse_complaint(
        l, yaml_check_anchor(l->text, yaml_byte_of(l, event->start_mark.index), name, false));

    if (err) {
        return err;
    }
    if (!a || !a->node) {
        return yaml_refuse_at(l, event->start_mark,
                              a ? "an alias inside what it stands for"
                                : "an alias without its anchor");
    }
    l->weight += a->node->weight;
    if (l->weight > l->limits.nodes) {
        return yaml_too_large_at(l, event->start_mark, "YAML nodes, aliases expanded",
                                 l->limits.nodes);
    }
    *node = a->node;
    return check_depth(l, event, depth + a->node->height);
}

static void
note_span(struct yaml_loader *l, size_t start, size_t end)
{
    if (start == end) {
        return; /* A scalar left out. */
    }
    if (l->span_count == l->span_size) {
        l->span_size = l->span_size ? l->span_size * 2 : 64;
        l->spans = xrealloc(l->spans, l->span_size * sizeof *l->spans);
    }
    l->spans[l->span_count++] = (struct yaml_span){start, end};
}

/* Checks how a scalar is written that libyaml has taken. */
static enum err
check_scalar(struct yaml_loader *l, const yaml_event_t *event, long indent)
{
    size_t start = yaml_byte_of(l, event->start_mark.index);
    size_t end = yaml_byte_of(l, event->end_mark.index);
    const char *anchor = (const char *)event->data.scalar.anchor;
    size_t opens = start + (anchor ? 1 + strlen(anchor) : 0);

    note_span(l, start, end);
    switch (event->data.scalar.style) {
    case YAML_LITERAL_SCALAR_STYLE:
    case YAML_FOLDED_SCALAR_STYLE:
        while (l->text.data[opens] != '|' && l->text.data[opens] != '>') {
            opens++;
        }
        return yaml_refuse_complaint(l, yaml_check_block(l->text, opens, end));
    case YAML_PLAIN_SCALAR_STYLE:
        if (event->data.scalar.length == 1 && strchr("-?:", event->data.scalar.value[0])) {
            return yaml_refuse_at(l, event->start_mark, "a lone '-', '?' or ':' must be quoted");
        }
        return E_OK;
    default:
        return yaml_refuse_complaint(l,
                                     yaml_check_continuation(l->text, start, end, indent, false));
    }
}

static enum err
build_scalar(struct yaml_loader *l, const yaml_event_t *event, long indent, struct ynode **node)
{
    const char *why;
    enum err err = new_node(l, event, node);
    struct ynode *n = *node;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    err = err ? err : check_scalar(l, event, indent);
    if (err) {
        return err;
    }
    n->text = xstrndup((const char *)event->data.scalar.value, event->data.scalar.length);
    n->len = event->data.scalar.length;
    n->kind = YNODE_STRING;
    n->quoted = event->data.scalar.style == YAML_SINGLE_QUOTED_SCALAR_STYLE ||
                event->data.scalar.style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    n->one_line = (plain || n->quoted) && event->start_mark.line == event->end_mark.line;
    why = plain ? yaml_resolve_plain(n) : NULL;
    return why ? yaml_refuse_at(l, event->start_mark, why) : E_OK;
}

static void
append(struct ynode ***array, size_t count, struct ynode *node)
{
    /* Room doubles at each power of two, so that the size need not be kept. */
    if ((count & (count - 1)) == 0) {
        *array = xrealloc(*array, (count ? count * 2 : 1) * sizeof **array);
    }
    (*array)[count] = node;
}

/* What surrounds the members of the list or map that 'event' begins inside 'outer'. */
static struct around
enter(const yaml_event_t *event, struct around outer, bool flow)
{
    outer.depth++;
    outer.flow = flow;
    outer.indent = flow ? outer.indent : (long)event->start_mark.column;
    return outer;
}

/* Checks the lines of an outermost flow list or map, which 'end' has ended. */
static enum err
check_flow(struct yaml_loader *l, const yaml_event_t *start, const yaml_event_t *end,
           struct around outer, bool flow)
{
    if (!flow || outer.flow) {
        return E_OK;
    }
    return yaml_refuse_complaint(
        l, yaml_check_continuation(l->text, yaml_byte_of(l, start->start_mark.index),
                                   yaml_byte_of(l, end->end_mark.index), outer.indent, true));
}

static enum err
build_list(struct yaml_loader *l, const yaml_event_t *event, struct around outer,
           struct ynode **node)
{
    bool flow = event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
    struct around inner = enter(event, outer, flow);
    yaml_event_t item;
    struct ynode *child = NULL;
    enum err err = check_depth(l, event, inner.depth);

    err = err ? err : new_node(l, event, node);
    if (err) {
        return err;
    }
    (*node)->kind = YNODE_LIST;
    (*node)->height = 1;
    while (!err) {
        err = yaml_next_event(l, &item);
        if (err) {
            return err;
        }
        if (item.type == YAML_SEQUENCE_END_EVENT) {
            err = check_flow(l, event, &item, outer, flow);
            yaml_event_delete(&item);
            return err;
        }
        err = build_node(l, &item, inner, &child);
        yaml_event_delete(&item);
        if (!err) {
            append(&(*node)->items, (*node)->count++, child);
            contain(*node, child);
        }
    }
    return err;
}

/* A key is a scalar with a text: not composed, not an alias, not empty by omission, no merge. */
static enum err
build_key(struct yaml_loader *l, const yaml_event_t *event, struct around around,
          struct ynode **key)
{
    enum err err;

    if (event->type != YAML_SCALAR_EVENT) {
        return yaml_refuse_at(l, event->start_mark, "a key must be plain or quoted text");
    }
    err = build_node(l, event, around, key);
    if (err) {
        return err;
    }
    if (!(*key)->quoted && (*key)->len == 0) {
        return yaml_refuse_at(l, event->start_mark, "a key is missing");
    }
    if (!(*key)->quoted && strcmp((*key)->text, "<<") == 0) {
        return yaml_refuse_at(l, event->start_mark, "merge keys are not taken");
    }
    if (strlen((*key)->text) != (*key)->len) {
        return yaml_refuse_at(l, event->start_mark, "a key may not hold a NUL");
    }
    return E_OK;
}

static int
compare_keys(const void *a, const void *b)
{
    const struct ynode *const *x = a, *const *y = b;
    int order = strcmp((*x)->text, (*y)->text);

    if (order) {
        return order;
    }
    if ((*x)->line != (*y)->line) {
        return (*x)->line < (*y)->line ? -1 : 1;
    }
    return ((*x)->column > (*y)->column) - ((*x)->column < (*y)->column);
}

static enum err
refuse_duplicates(struct yaml_loader *l, const struct ynode *map)
{
    enum err err = E_OK;
    struct ynode **sorted;

    if (map->count < 2) {
        return E_OK;
    }
    sorted = xcalloc(map->count, sizeof *sorted);
    memcpy(sorted, map->keys, map->count * sizeof *sorted);
    qsort(sorted, map->count, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < map->count && !err; i++) {
        if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0) {
            err = fault_at(l->fault, E_REFUSED, sorted[i]->line, sorted[i]->column,
                           "the key '%.100s' is there twice, first in line %u", sorted[i]->text,
                           sorted[i - 1]->line);
        }
    }
    free(sorted);
    return err;
}

static enum err
build_member(struct yaml_loader *l, const yaml_event_t *event, struct around around,
             struct ynode *map)
{
    yaml_event_t value;
    struct ynode *key = NULL, *child = NULL;
    enum err err = build_key(l, event, around, &key);

    err = err ? err : yaml_next_event(l, &value);
    if (err) {
        return err;
    }
    err = build_node(l, &value, around, &child);
    yaml_event_delete(&value);
    if (!err) {
        append(&map->keys, map->count, key);
        append(&map->items, map->count, child);
        map->count++;
        contain(map, key);
        contain(map, child);
    }
    return err;
}

static enum err
build_map(struct yaml_loader *l, const yaml_event_t *event, struct around outer,
          struct ynode **node)
{
    bool flow = event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
    struct around inner = enter(event, outer, flow);
    yaml_event_t key;
    enum err err = check_depth(l, event, inner.depth);

    err = err ? err : new_node(l, event, node);
    if (err) {
        return err;
    }
    (*node)->kind = YNODE_MAP;
    (*node)->height = 1;
    while (!err) {
        err = yaml_next_event(l, &key);
        if (err) {
            return err;
        }
        if (key.type == YAML_MAPPING_END_EVENT) {
            err = check_flow(l, event, &key, outer, flow);
            yaml_event_delete(&key);
            return err ? err : refuse_duplicates(l, *node);
        }
        err = build_member(l, &key, inner, *node);
        yaml_event_delete(&key);
    }
    return err;
}

/* Builds what 'event' begins. */
static enum err
build_node(struct yaml_loader *l, const yaml_event_t *event, struct around around,
           struct ynode **node)
{
    const yaml_char_t *anchor, *tag;
    enum err err;

    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return use_alias(l, event, around.depth, node);
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    default:
        assert(event->type == YAML_MAPPING_START_EVENT);
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (tag) {
        return yaml_refuse_at(l, event->start_mark, "tags are not taken");
    }
    err = open_anchor(l, event, anchor);
    if (err) {
        return err;
    }
    if (event->type == YAML_SCALAR_EVENT) {
        err = build_scalar(l, event, around.indent, node);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        err = build_list(l, event, around, node);
    } else {
        err = build_map(l, event, around, node);
    }
    if (!err) {
        close_anchor(l, anchor, *node);
    }
    return err;
}

/* The one document: its start was read into 'event'. */
static enum err
build_document(struct yaml_loader *l, const yaml_event_t *start)
{
    const yaml_version_directive_t *version = start->data.document_start.version_directive;
    yaml_event_t event;
    enum err err;

    if (start->data.document_start.tag_directives.start !=
            start->data.document_start.tag_directives.end ||
        (version && version->minor != 2)) {
        return yaml_refuse_at(l, start->start_mark, "no directive but %YAML 1.2 is taken");
    }
    err = yaml_next_event(l, &event);
    if (err) {
        return err;
    }
    err = build_node(l, &event, (struct around){.indent = -1}, &l->tree->root);
    yaml_event_delete(&event);
    err = err ? err : yaml_next_event(l, &event);
    if (!err) {
        assert(event.type == YAML_DOCUMENT_END_EVENT);
        yaml_event_delete(&event);
    }
    return err;
}

enum err
yaml_build_stream(struct yaml_loader *l)
{
    bool seen = false, done = false;
    enum err err = E_OK;

    while (!err && !done) {
        yaml_event_t event;
        err = yaml_next_event(l, &event);
        if (err) {
            return err;
        }
        if (event.type == YAML_DOCUMENT_START_EVENT) {
            err = seen ? yaml_refuse_at(l, event.start_mark, "a second document") : E_OK;
            err = err ? err : build_document(l, &event);
            seen = true;
        }
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    if (!err && !l->tree->root) {
        yaml_event_t nothing = {.type = YAML_NO_EVENT};
        err = new_node(l, &nothing, &l->tree->root);
    }
    return err;
}
