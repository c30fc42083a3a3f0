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

#endif
