/* regex.c -- runs a compiled expression: the set of all states that are possible, one character
 * after the other.  See regex.h. */
#include "state/regex_private.h"

#include "state/base/rune.h"

#define NO_RUNE UINT32_MAX

/* The states possible at one place, each once. */
struct state_set {
    uint32_t *list;  /* 'count' of them, in the order they came. */
    uint32_t *index; /* Of each state in 'list', if it is there. */
    size_t count;
};

struct run {
    const struct regex *regex;
    struct state_set now, next;
    uint32_t *stack;        /* States still to be followed. */
    uint32_t before, after; /* Code points around the place; NO_RUNE at the ends. */
    bool last_newline;      /* 'after' is a newline, and the last code point. */
    uint64_t *steps;
    bool spent, matched;
};

static bool
is_word(uint32_t rune)
{
    return rune != NO_RUNE && (rune == '_' || rune_is_alnum(rune));
}

static bool
kinds_hold(unsigned kinds, uint32_t rune)
{
    return ((kinds & KIND_DIGIT) && rune_is_digit(rune)) ||
           ((kinds & KIND_NO_DIGIT) && !rune_is_digit(rune)) ||
           ((kinds & KIND_WORD) && is_word(rune)) || ((kinds & KIND_NO_WORD) && !is_word(rune)) ||
           ((kinds & KIND_SPACE) && rune_is_space(rune)) ||
           ((kinds & KIND_NO_SPACE) && !rune_is_space(rune));
}

static bool
in_ranges(const struct regex_class *class, uint32_t rune)
{
    for (size_t i = 0; i < class->count; i++) {
        if (rune >= class->ranges[i][0] && rune <= class->ranges[i][1]) {
            return true;
        }
    }
    return false;
}

static bool
in_class(const struct regex *regex, const struct regex_class *class, uint32_t rune)
{
    bool in = kinds_hold(class->kinds, rune) || in_ranges(class, rune);

    if (!in && regex->ignore_case) {
        in = in_ranges(class, rune_lower(rune)) || in_ranges(class, rune_upper(rune));
    }
    return in != class->negated;
}

static bool
place_holds(const struct run *run, uint32_t place)
{
    switch ((enum regex_place)place) {
    case PLACE_TEXT_START:
        return run->before == NO_RUNE;
    case PLACE_TEXT_END:
        return run->after == NO_RUNE;
    case PLACE_LAST_LINE_END:
        return run->after == NO_RUNE || run->last_newline;
    case PLACE_LINE_START:
        return run->before == NO_RUNE || run->before == '\n';
    case PLACE_LINE_END:
        return run->after == NO_RUNE || run->after == '\n';
    case PLACE_WORD_EDGE:
        return is_word(run->before) != is_word(run->after);
    default:
        return is_word(run->before) == is_word(run->after);
    }
}

static bool
take_step(struct run *run)
{
    if (*run->steps == 0) {
        run->spent = true;
        return false;
    }
    (*run->steps)--;
    return true;
}

static void
push(struct state_set *set, uint32_t *stack, size_t *top, uint32_t state)
{
    uint32_t i = set->index[state];

    if (i < set->count && set->list[i] == state) {
        return;
    }
    set->index[state] = (uint32_t)set->count;
    set->list[set->count++] = state;
    stack[(*top)++] = state;
}

/* Adds 'state' to 'set', and all that can be reached from it without a character. */
static void
add_state(struct run *run, struct state_set *set, uint32_t state)
{
    size_t top = 0;

    push(set, run->stack, &top, state);
    while (top && take_step(run)) {
        const struct regex_inst *inst = &run->regex->program[run->stack[--top]];
        if (inst->op == OP_JUMP) {
            push(set, run->stack, &top, inst->x);
        } else if (inst->op == OP_SPLIT) {
            push(set, run->stack, &top, inst->y);
            push(set, run->stack, &top, inst->x);
        } else if (inst->op == OP_ASSERT && place_holds(run, inst->x)) {
            push(set, run->stack, &top, (uint32_t)(inst - run->regex->program) + 1);
        } else if (inst->op == OP_MATCH) {
            run->matched = true;
        }
    }
}

static bool
takes(const struct run *run, const struct regex_inst *inst, uint32_t rune)
{
    switch (inst->op) {
    case OP_CHAR:
        return inst->x == rune ||
               (run->regex->ignore_case && rune_lower(inst->x) == rune_lower(rune));
    case OP_ANY:
        return inst->x || rune != '\n';
    case OP_CLASS:
        return in_class(run->regex, &run->regex->classes[inst->x], rune);
    default:
        return false;
    }
}

static void
look_ahead(struct run *run, struct slice text, size_t at)
{
    size_t n = 0;

    run->after = NO_RUNE;
    if (at < text.len) {
        n = rune_decode(text, at, &run->after);
    }
    run->last_newline = run->after == '\n' && at + n == text.len;
}

static void
run_text(struct run *run, struct slice text, enum regex_mode mode)
{
    size_t at = 0;

    run->before = NO_RUNE;
    look_ahead(run, text, 0);
    add_state(run, &run->now, 0);
    while (at < text.len && !run->spent && !(run->matched && mode != REGEX_FULL)) {
        struct state_set swap = run->now;
        uint32_t rune = run->after, skipped;
        at += rune_decode(text, at, &skipped);
        run->before = rune;
        look_ahead(run, text, at);
        run->matched = false;
        run->next.count = 0;
        for (size_t i = 0; i < run->now.count && take_step(run); i++) {
            const struct regex_inst *inst = &run->regex->program[run->now.list[i]];
            if (takes(run, inst, rune)) {
                add_state(run, &run->next, run->now.list[i] + 1);
            }
        }
        if (mode == REGEX_SEARCH) {
            add_state(run, &run->next, 0);
        }
        run->now = run->next;
        run->next = swap;
        if (!run->now.count) {
            break;
        }
    }
    /* For a full match the states of the last place count, and it has to be the end. */
    if (mode == REGEX_FULL && at < text.len) {
        run->matched = false;
    }
}

enum err
regex_run(const struct regex *regex, struct slice text, enum regex_mode mode, uint64_t *steps,
          bool *matched, struct fault *fault)
{
    struct run run = {.regex = regex, .steps = steps};
    size_t n = regex->length;
    uint32_t *room = try_malloc(n * 5 * sizeof *room);

    *matched = false;
    if (!room) {
        return fault_set(fault, E_OVERLOAD, "no memory to match a pattern");
    }
    memset(room, 0, n * 5 * sizeof *room);
    run.now = (struct state_set){.list = room, .index = room + n};
    run.next = (struct state_set){.list = room + 2 * n, .index = room + 3 * n};
    run.stack = room + 4 * n;
    run_text(&run, text, mode);
    free(room);
    if (run.spent) {
        return fault_set(fault, E_LIMIT, "matching the pattern took too many steps");
    }
    *matched = run.matched;
    return E_OK;
}
