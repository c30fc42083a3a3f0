/* regex_compile.c -- the tree of a pattern to a program.  See regex.h.
 *
 * A tree in between, because {m,n} is unrolled: its part is emitted n times. */
#include "state/regex_private.h"

#include "state/base/rune.h"

static size_t
emit(struct regex_compiler *c, struct regex_inst inst)
{
    struct regex *r = c->regex;

    if (r->length == REGEX_PROGRAM_MAX) {
        regex_fail_at(c, 0, E_TOO_LARGE, "it becomes too large when its counts are unrolled");
        return 0;
    }
    r->program[r->length] = inst;
    return r->length++;
}

static void emit_node(struct regex_compiler *c, uint32_t node);

/* 'part' min times, then either a loop or max - min optional ones. */
static void
emit_repeat(struct regex_compiler *c, const struct regex_node *n)
{
    struct regex_inst *program = c->regex->program;

    for (uint32_t i = 0; i < n->min && !c->err; i++) {
        emit_node(c, n->left);
    }
    if (n->max == UNBOUNDED) {
        size_t split = emit(c, (struct regex_inst){.op = OP_SPLIT});
        emit_node(c, n->left);
        emit(c, (struct regex_inst){.op = OP_JUMP, .x = (uint32_t)split});
        program[split].x = (uint32_t)split + 1;
        program[split].y = (uint32_t)c->regex->length;
        return;
    }
    for (uint32_t i = n->min; i < n->max && !c->err; i++) {
        size_t split = emit(c, (struct regex_inst){.op = OP_SPLIT});
        emit_node(c, n->left);
        program[split].x = (uint32_t)split + 1;
        program[split].y = (uint32_t)c->regex->length;
    }
}

/* Runs of CAT and of ALT lean to the left: found from their end, they are emitted from their start
 * in a loop, so that emitting recurses only as deep as groups nest. */
static uint32_t *
parts_of(const struct regex_compiler *c, uint32_t node, enum regex_node_kind kind, size_t *count)
{
    uint32_t *parts;

    *count = 1;
    for (uint32_t i = node; c->nodes[i].kind == kind; i = c->nodes[i].left) {
        (*count)++;
    }
    parts = xcalloc(*count, sizeof *parts);
    for (size_t i = *count; i > 1; i--) {
        parts[i - 1] = c->nodes[node].right;
        node = c->nodes[node].left;
    }
    parts[0] = node;
    return parts;
}

static void
emit_sequence(struct regex_compiler *c, uint32_t node)
{
    size_t count;
    uint32_t *parts = parts_of(c, node, NODE_CAT, &count);

    for (size_t i = 0; i < count && !c->err; i++) {
        emit_node(c, parts[i]);
    }
    free(parts);
}

static void
emit_alternatives(struct regex_compiler *c, uint32_t node)
{
    struct regex_inst *program = c->regex->program;
    size_t count;
    uint32_t *parts = parts_of(c, node, NODE_ALT, &count);

    /* The jumps to the end are chained through 'x' until the end is known. */
    uint32_t chain = NO_NODE;
    for (size_t i = 0; i + 1 < count && !c->err; i++) {
        size_t split = emit(c, (struct regex_inst){.op = OP_SPLIT}), jump;
        emit_node(c, parts[i]);
        jump = emit(c, (struct regex_inst){.op = OP_JUMP, .x = chain});
        chain = (uint32_t)jump;
        program[split].x = (uint32_t)split + 1;
        program[split].y = (uint32_t)c->regex->length;
    }
    emit_node(c, parts[count - 1]);
    while (chain != NO_NODE && !c->err) {
        uint32_t before = program[chain].x;
        program[chain].x = (uint32_t)c->regex->length;
        chain = before;
    }
    free(parts);
}

static void
emit_node(struct regex_compiler *c, uint32_t node)
{
    const struct regex_node *n = &c->nodes[node];

    if (c->err) {
        return;
    }
    if (++c->emitted > 10 * REGEX_PROGRAM_MAX) {
        regex_fail_at(c, 0, E_TOO_LARGE, "it becomes too large when its counts are unrolled");
        return;
    }
    switch (n->kind) {
    case NODE_EMPTY:
        break;
    case NODE_INST:
        emit(c, n->inst);
        break;
    case NODE_CAT:
        emit_sequence(c, node);
        break;
    case NODE_ALT:
        emit_alternatives(c, node);
        break;
    case NODE_REPEAT:
        emit_repeat(c, n);
        break;
    }
}

enum err
regex_compile(struct slice pattern, struct regex **regex, struct fault *fault)
{
    struct regex_compiler c = {.text = pattern, .fault = fault};
    uint32_t root;

    *regex = NULL;
    if (pattern.len > REGEX_BYTES_MAX) {
        return fault_set(fault, E_TOO_LARGE, "a pattern of %zu bytes, more than %u", pattern.len,
                         REGEX_BYTES_MAX);
    }
    if (!rune_valid(pattern)) {
        return fault_set(fault, E_REFUSED, "the pattern is not UTF-8");
    }
    c.nodes = xcalloc(REGEX_NODES_MAX, sizeof *c.nodes);
    c.regex = xcalloc(1, sizeof *c.regex);
    c.regex->program = xcalloc(REGEX_PROGRAM_MAX, sizeof *c.regex->program);
    root = regex_parse(&c);
    if (!c.err) {
        emit_node(&c, root);
        emit(&c, (struct regex_inst){.op = OP_MATCH});
    }
    free(c.nodes);
    if (c.err) {
        regex_free(c.regex);
        return c.err;
    }
    c.regex->program = xrealloc(c.regex->program, c.regex->length * sizeof *c.regex->program);
    *regex = c.regex;
    return E_OK;
}

void
regex_free(struct regex *regex)
{
    if (!regex) {
        return;
    }
    for (size_t i = 0; i < regex->class_count; i++) {
        free(regex->classes[i].ranges);
    }
    free(regex->classes);
    free(regex->program);
    free(regex);
}
