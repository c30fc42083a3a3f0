/* workflow_expr_private.h -- what the parts of the expression language share: the compiled tree,
 * values, and the machine that evaluates. */
#ifndef TANDEM_WORKFLOW_EXPR_PRIVATE_H
#define TANDEM_WORKFLOW_EXPR_PRIVATE_H

#include "state/base/arena.h"
#include "state/regex.h"
#include "state/workflow_expr.h"

/* ---- Values.  Immutable once made; everything they point to lives in an arena, in the compiled
 * expression or in the arguments. ---- */

enum value_type {
    V_NONE,
    V_BOOL,
    V_INT,
    V_FLOAT,
    V_STR,
    V_LIST,
    V_TUPLE,
    V_SET,
    V_DICT,
    V_RANGE,
    V_TYPE,
    V_MATCH
};

struct items;
struct table;
struct range {
    int64_t start, stop, step; /* 'step' is not 0. */
};

/* How far two integers are apart, which may be nearly 2^64. */
static inline uint64_t
expr_distance(int64_t a, int64_t b)
{
    return a < b ? (uint64_t)b - (uint64_t)a : (uint64_t)a - (uint64_t)b;
}

struct value {
    enum value_type type;
    union {
        bool truth;
        int64_t integer;
        double number;
        struct slice text;         /* V_STR: UTF-8. */
        const struct items *items; /* V_LIST, V_TUPLE. */
        const struct table *table; /* V_SET, V_DICT. */
        const struct range *range;
        enum value_type named; /* V_TYPE. */
    } as;
};

struct items {
    size_t count;
    struct value *at;
};

/* A set, or a dict: entries in the order they came, found by hash. */
struct entry {
    struct value key, value;
    uint64_t hash;
};
struct table {
    size_t count;
    struct entry *entries;
    uint32_t *slots; /* Index + 1 into 'entries', 0 if free; 'mask' + 1 of them. */
    size_t mask;
};

static inline bool
expr_value_is_whole(struct value v)
{
    return v.type == V_INT || v.type == V_BOOL;
}

static inline bool
expr_value_is_sequence(struct value v)
{
    return v.type == V_STR || v.type == V_LIST || v.type == V_TUPLE;
}

/* Of a whole value. */
static inline int64_t
expr_value_integer(struct value v)
{
    return v.type == V_BOOL ? v.as.truth : v.as.integer;
}

#define NONE ((struct value){.type = V_NONE})
#define TRUTH(B) ((struct value){.type = V_BOOL, .as.truth = (B)})
#define INTEGER(I) ((struct value){.type = V_INT, .as.integer = (I)})
#define NUMBER(D) ((struct value){.type = V_FLOAT, .as.number = (D)})
#define TEXT(S) ((struct value){.type = V_STR, .as.text = (S)})

/* ---- The compiled tree. ---- */

enum node_kind {
    N_CONST, /* 'constant'. */
    N_LOCAL, /* Variable 'slot'; or, until names are resolved, a type. */
    N_LIST,
    N_TUPLE,
    N_DICT, /* Kids: key, value, key, value, ... */
    N_OR,
    N_AND,
    N_NOT,
    N_NEGATE,
    N_PLUS,
    N_BINARY,  /* 'op' is one of + - * / % and 'i' for //. */
    N_COMPARE, /* Kids: n + 1 operands; 'ops' has n enum compare. */
    N_IF,      /* Kids: condition, then, else. */
    N_INDEX,   /* Kids: object, index. */
    N_SLICE,   /* Kids: object, start, stop, step; the last three may be null. */
    N_CALL,    /* 'function'; kids are the arguments. */
    N_METHOD,  /* 'function'; kids: object, arguments. */
    N_COMP /* Kids: element, iterable, condition or null; variables from 'slot' on, 'targets'. */
};

enum compare { C_LT, C_LE, C_GT, C_GE, C_EQ, C_NE, C_IN, C_NOT_IN, C_IS, C_IS_NOT };

struct node;
struct machine;
typedef struct value call_fn(struct machine *m, const struct node *node, const struct value *args,
                             size_t count);

/* Most calls look at some of what they are given only. */
#define CALL(NAME)                                                                          \
    struct value NAME(struct machine *m, const struct node *node, const struct value *args, \
                      size_t count)
#define CALL_UNUSED (void)m, (void)node, (void)args, (void)count

/* A function or method: who may be called with how many arguments. */
struct function {
    const char *name;
    unsigned min, max; /* Arguments, a method's object not counted. */
    call_fn *call;     /* A method's object is args[0]. */
    bool lazy; /* Given a generator, called with no arguments: goes through the node's own. */
};
/* Those of workflow_expr_call_number.c. */
CALL(expr_call_int);
CALL(expr_call_float);
CALL(expr_call_abs);
CALL(expr_call_min);
CALL(expr_call_max);
CALL(expr_call_sum);
CALL(expr_call_round);
/* All elements of anything that can be gone through, as a list or set. */
struct value expr_gather(struct machine *m, struct value over, enum value_type type);
/* The function called 'name' ("len", "re.match"), or the method; null if there is none. */
const struct function *expr_function(struct slice name);
const struct function *expr_method(struct slice name);
/* True if 'name' is a type's; '*type' tells which. */
bool expr_type_name(struct slice name, enum value_type *type);

struct node {
    enum node_kind kind;
    unsigned line, column;
    unsigned height; /* Of the tree below. */
    struct node **kids;
    size_t count;
    char op;
    unsigned char *ops;
    struct slice name; /* N_LOCAL, N_CALL: as written. */
    unsigned slot;
    struct slice *target_names; /* N_COMP: 'targets' of them. */
    unsigned targets;
    bool generator; /* N_COMP in round brackets, or alone as an argument. */
    bool listed;    /* N_COMP in square brackets. */
    struct value constant;
    const struct function *function;
    struct regex *regex; /* N_CALL of re.*: the pattern, if it is a literal.  Owned. */
};

#define EXPR_SLOTS_MAX 64u

struct expr {
    struct arena arena; /* Holds the tree. */
    struct node *body;
    unsigned params;
    const char *names[EXPR_PARAMS_MAX];
    struct node **patterns; /* The nodes whose 'regex' is to be freed. */
    size_t pattern_count, string_count;
    struct slice *strings; /* All string literals. */
};

enum token_kind {
    T_END,
    T_NAME,
    T_INT,
    T_FLOAT,
    T_STRING,
    T_SIGN /* Operators and brackets; 'text' tells which. */
};

struct token {
    enum token_kind kind;
    struct slice text;  /* As written. */
    struct value value; /* Numbers and strings. */
    unsigned line, column;
};

struct lexer {
    struct slice source;
    size_t at;
    unsigned line;
    size_t line_start;   /* Byte. */
    struct arena *arena; /* For the texts of strings. */
    struct fault *fault;
};
/* The next token; E_REFUSED with its place if it is none of the language. */
enum err expr_lex(struct lexer *lexer, struct token *token);

/* Parses 'source' into 'expr', which is empty but for its arena. */
enum err expr_parse(struct slice source, struct expr *expr, struct fault *fault);

/* ---- The machine. ---- */

/* How deep values may be nested: comparing them recurses. */
#define VALUE_DEPTH_MAX 100u

struct machine {
    struct arena arena;
    struct expr_budget *budget;
    struct value slots[EXPR_SLOTS_MAX];
    unsigned line, column; /* Of the node being evaluated. */
    enum err err;          /* Set once; from then on every function returns at once. */
    struct fault *fault;
};

/* Raises an error at the current place, unless there is one.  Returns None. */
struct value expr_raise(struct machine *m, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Takes 'n' steps; false, and an error, if they are not to be had. */
bool expr_spend(struct machine *m, uint64_t n);
/* Memory for a value; null, and an error, if it is not to be had. */
void *expr_grab(struct machine *m, size_t count, size_t size);
/* An error, unless there is one: E_LIMIT as 'what' tells if a bound is 'full', else E_OVERLOAD. */
void expr_no_room(struct machine *m, bool full, const char *what);

const char *expr_value_type_name(enum value_type type);
bool expr_value_is_true(struct value v);
bool expr_value_is_number(struct value v); /* Integer, float or truth value. */
bool expr_values_equal(struct machine *m, struct value a, struct value b);
/* -1, 0 or 1; raises if the two have no order.  '*ordered' is false if one is not a number. */
int expr_values_compare(struct machine *m, struct value a, struct value b, bool *ordered);
bool expr_value_in(struct machine *m, struct value item, struct value container);
bool expr_value_within(struct machine *m, struct value a, struct value b);
struct value expr_value_from_json(struct machine *m, const json_t *json);
/* As str() does. */
struct value expr_value_text(struct machine *m, struct value v);
/* The length that len() tells, or -1 if there is none. */
int64_t expr_value_length(struct value v);

/* A list or table being built. */
struct builder {
    struct value *at;
    size_t count, size;
};
void expr_value_builder_add(struct machine *m, struct builder *b, struct value v);
struct value expr_value_builder_done(struct machine *m, struct builder *b, enum value_type type);
struct value expr_value_list(struct machine *m, enum value_type type, const struct value *at,
                             size_t count);
/* A set (values null) or dict of 'count' entries; a later equal key replaces the value. */
struct value expr_value_table(struct machine *m, enum value_type type, const struct value *keys,
                              const struct value *values, size_t count);
/* The value under 'key' in a set or dict, or null; raises if the key cannot be one. */
const struct value *expr_value_find(struct machine *m, const struct table *t, struct value key);

/* Going through anything that can be gone through. */
struct iter {
    struct value over;
    size_t i;
};
/* Raises if 'over' cannot be gone through. */
struct iter expr_value_iterate(struct machine *m, struct value over);
/* False at the end, or after an error. */
bool expr_value_next(struct machine *m, struct iter *it, struct value *v);

struct value expr_evaluate(struct machine *m, const struct node *node);
/* One of the operators of N_BINARY. */
struct value expr_binary(struct machine *m, char op, struct value a, struct value b);
/* N_NEGATE or N_PLUS. */
struct value expr_unary(struct machine *m, enum node_kind kind, struct value v);
/* One of enum compare. */
bool expr_compare(struct machine *m, unsigned op, struct value a, struct value b);
/* Evaluates a comprehension, giving each element to 'each' until that returns false. */
void expr_each(struct machine *m, const struct node *comp,
               bool (*each)(struct machine *m, struct value v, void *context), void *context);

#endif
