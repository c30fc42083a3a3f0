/* yaml.c -- libyaml's events into an immutable tree, with everything refused that we do not take.
 *
 * DESIGN.  libyaml reads YAML 1.1 and is lenient in places.  What it would misread is refused
 * before it (characters that only 1.1 takes for line breaks), at each event, and after it
 * (yaml_strict.c: a tab in indentation can be told from one in text only once the places of all
 * scalars are known). Events, not libyaml's own document loader, because only events carry places,
 * tags and anchors as they were written. */
#include "state/yaml_private.h"

#include "state/base/rune.h"

#define DEFAULT_BYTES (1u << 20)
#define DEFAULT_NODES 20000u
#define DEFAULT_DEPTH 32u
#define DEFAULT_ANCHORS 16u

enum err
yaml_refuse_at(struct yaml_loader *l, yaml_mark_t mark, const char *what)
{
    return fault_at(l->fault, E_REFUSED, (unsigned)mark.line + 1, (unsigned)mark.column + 1, "%s",
                    what);
}

enum err
yaml_too_large_at(struct yaml_loader *l, yaml_mark_t mark, const char *what, size_t limit)
{
    return fault_at(l->fault, E_TOO_LARGE, (unsigned)mark.line + 1, (unsigned)mark.column + 1,
                    "more than %zu %s", limit, what);
}

/* The byte that libyaml's character 'index' stands at.  Events come in order, so this is a short
 * walk from the last place asked for. */
size_t
yaml_byte_of(struct yaml_loader *l, size_t index)
{
    while (l->at_char < index && l->at_byte < l->text.len) {
        l->at_byte++;
        while (l->at_byte < l->text.len &&
               ((unsigned char)l->text.data[l->at_byte] & 0xC0) == 0x80) {
            l->at_byte++;
        }
        l->at_char++;
    }
    while (l->at_char > index) {
        do {
            l->at_byte--;
        } while (((unsigned char)l->text.data[l->at_byte] & 0xC0) == 0x80);
        l->at_char--;
    }
    return l->at_byte;
}

/* Refuses for 'complaint', if there is one. */
enum err
yaml_refuse_complaint(struct yaml_loader *l, struct yaml_complaint complaint)
{
    unsigned line = 1;
    size_t start = 0;

    if (!complaint.text) {
        return E_OK;
    }
    for (size_t i = 0; i < complaint.at; i++) {
        if (l->text.data[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    return fault_at(
        l->fault, E_REFUSED, line,
        (unsigned)rune_count((struct slice){l->text.data + start, complaint.at - start}) + 1, "%s",
        complaint.text);
}

/* Refuses bytes that are not UTF-8, control characters, and the line breaks of YAML 1.1 only. */
static enum err
check_characters(struct slice text, struct fault *fault)
{
    unsigned line = 1, column = 1;
    uint32_t rune;

    for (size_t at = 0; at < text.len;) {
        size_t n = rune_decode(text, at, &rune);
        if (!n) {
            return fault_at(fault, E_REFUSED, line, column, "the text is not UTF-8");
        }
        if ((rune < 0x20 && rune != '\t' && rune != '\n' && rune != '\r') || rune == 0x7F) {
            return fault_at(fault, E_REFUSED, line, column, "a control character, U+%04X",
                            (unsigned)rune);
        }
        at += n;
        if (rune == 0x85 || rune == 0x2028 || rune == 0x2029 ||
            (rune == '\r' && (at == text.len || text.data[at] != '\n'))) {
            return fault_at(fault, E_REFUSED, line, column,
                            "a line separator, U+%04X; write it as an escape", (unsigned)rune);
        }
        column++;
        if (rune == '\n') {
            line++;
            column = 1;
        }
    }
    return E_OK;
}

/* The next event, or libyaml's complaint with its place. */
enum err
yaml_next_event(struct yaml_loader *l, yaml_event_t *event)
{
    yaml_mark_t mark;

    if (yaml_parser_parse(&l->parser, event)) {
        return E_OK;
    }
    if (l->parser.error == YAML_MEMORY_ERROR) {
        return fault_set(l->fault, E_OVERLOAD, "no memory for the YAML text");
    }
    mark = l->parser.error == YAML_READER_ERROR ? l->parser.mark : l->parser.problem_mark;
    return yaml_refuse_at(l, mark, l->parser.problem ? l->parser.problem : "not valid YAML");
}

static void
loader_fini(struct yaml_loader *l)
{
    yaml_parser_delete(&l->parser);
    for (size_t i = 0; i < l->anchor_count; i++) {
        free(l->anchors[i].name);
    }
    free(l->anchors);
    free(l->spans);
}

static size_t
or_default(size_t limit, size_t otherwise)
{
    return limit ? limit : otherwise;
}

enum err
ytree_parse(struct slice text, const struct ytree_limits *limits, struct ytree **tree,
            struct fault *fault)
{
    struct yaml_loader l = {.fault = fault, .text = text};
    enum err err;

    *tree = NULL;
    l.limits.bytes = or_default(limits ? limits->bytes : 0, DEFAULT_BYTES);
    l.limits.nodes = or_default(limits ? limits->nodes : 0, DEFAULT_NODES);
    l.limits.depth = or_default(limits ? limits->depth : 0, DEFAULT_DEPTH);
    l.limits.anchors = or_default(limits ? limits->anchors : 0, DEFAULT_ANCHORS);
    if (text.len > l.limits.bytes) {
        return fault_set(fault, E_TOO_LARGE, "YAML text of %zu bytes, more than %zu", text.len,
                         l.limits.bytes);
    }
    err = check_characters(text, fault);
    if (err) {
        return err;
    }
    if (!yaml_parser_initialize(&l.parser)) {
        return fault_set(fault, E_OVERLOAD, "no memory for the YAML text");
    }
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)(text.data ? text.data : ""),
                                 text.len);
    l.tree = xcalloc(1, sizeof *l.tree);
    err = yaml_build_stream(&l);
    err = err ? err : yaml_refuse_complaint(&l, yaml_check_gaps(text, l.spans, l.span_count));
    if (err) {
        ytree_free(l.tree);
    } else {
        *tree = l.tree;
    }
    loader_fini(&l);
    return err;
}

void
ytree_free(struct ytree *tree)
{
    if (!tree) {
        return;
    }
    for (size_t i = 0; i < tree->count; i++) {
        free(tree->nodes[i]->text);
        free(tree->nodes[i]->items);
        free(tree->nodes[i]->keys);
        free(tree->nodes[i]);
    }
    free(tree->nodes);
    free(tree);
}

const struct ynode *
ytree_root(const struct ytree *tree)
{
    return tree->root;
}
