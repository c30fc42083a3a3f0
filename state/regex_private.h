/* regex_private.h -- the compiled program, shared by regex_compile.c and regex.c. */
#ifndef TANDEM_REGEX_PRIVATE_H
#define TANDEM_REGEX_PRIVATE_H

#include "state/regex.h"

enum regex_op {
    OP_CHAR,   /* The code point 'x'. */
    OP_ANY,    /* Any but a newline; with 'x' set, any at all. */
    OP_CLASS,  /* A code point of class 'x'. */
    OP_SPLIT,  /* Go on at 'x' and at 'y'. */
    OP_JUMP,   /* Go on at 'x'. */
    OP_ASSERT, /* Go on if the place is as enum regex_place 'x' says. */
    OP_MATCH
};

enum regex_place {
    PLACE_TEXT_START,
    PLACE_TEXT_END,
    PLACE_LAST_LINE_END, /* The end, or before a newline that ends the text. */
    PLACE_LINE_START,
    PLACE_LINE_END,
    PLACE_WORD_EDGE,
    PLACE_NO_WORD_EDGE
};

struct regex_inst {
    enum regex_op op;
    uint32_t x, y;
};

/* Kinds of character that a class may hold besides its ranges. */
enum {
    KIND_DIGIT = 1,
    KIND_NO_DIGIT = 2,
    KIND_WORD = 4,
    KIND_NO_WORD = 8,
    KIND_SPACE = 16,
    KIND_NO_SPACE = 32
};

struct regex_class {
    bool negated;
    unsigned kinds;
    size_t count;
    uint32_t (*ranges)[2]; /* First and last; owned. */
};

struct regex {
    struct regex_inst *program; /* Owned. */
    size_t length;
    struct regex_class *classes; /* Owned. */
    size_t class_count;
    bool ignore_case;
};

/* ---- The pattern as a tree, on its way to a program. ---- */

#define REGEX_NODES_MAX 4096u
#define NO_NODE UINT32_MAX
#define UNBOUNDED UINT32_MAX

enum regex_node_kind { NODE_EMPTY, NODE_INST, NODE_CAT, NODE_ALT, NODE_REPEAT };

struct regex_node {
    enum regex_node_kind kind;
    struct regex_inst inst; /* NODE_INST: a character, class or place. */
    uint32_t left, right;   /* CAT, ALT; REPEAT has its part in 'left'. */
    uint32_t min, max;
};

struct regex_compiler {
    struct slice text;
    size_t at; /* Byte. */
    struct regex_node *nodes;
    size_t node_count;
    struct regex *regex;
    bool multiline, dot_all;
    unsigned depth;
    unsigned emitted; /* Nodes visited while unrolling: counts may nest around nothing. */
    enum err err;
    struct fault *fault;
};

/* Notes the first error, at byte 'at' of the pattern.  Returns NO_NODE. */
uint32_t regex_fail_at(struct regex_compiler *c, size_t at, enum err err, const char *what);
/* Parses the whole pattern; the root of the tree, or NO_NODE after an error. */
uint32_t regex_parse(struct regex_compiler *c);

#endif
