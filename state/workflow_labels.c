/* workflow_labels.c -- see workflow_labels.h.
 *
 * A cursor over the line: readers take what they know from its front and give up without having
 * moved anything the caller sees. */
#include "state/workflow_labels.h"

#include "state/markdown_lines.h"
#include "state/workflow_source.h"

#include <strings.h>

static bool
is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void
skip(struct slice *s, size_t n)
{
    s->data += n;
    s->len -= n;
}

static void
skip_blanks(struct slice *s)
{
    while (s->len > 0 && (s->data[0] == ' ' || s->data[0] == '\t')) {
        skip(s, 1);
    }
}

/* Takes "**" or "__" from the front. */
static bool
take_mark(struct slice *s)
{
    if (s->len >= 2 && (s->data[0] == '*' || s->data[0] == '_') && s->data[1] == s->data[0]) {
        skip(s, 2);
        return true;
    }
    return false;
}

/* Takes 'word', in any case, if no letter or digit follows it. */
static bool
take_word(struct slice *s, const char *word)
{
    size_t len = strlen(word);

    if (s->len < len || strncasecmp(s->data, word, len) != 0 ||
        (s->len > len && is_alnum(s->data[len]) && is_alnum(word[len - 1]))) {
        return false;
    }
    skip(s, len);
    return true;
}

/* Takes a number of at most WF_NUMBER_MAX. */
static bool
take_number(struct slice *s, int *number)
{
    size_t n = 0;
    int value = 0;

    while (n < s->len && is_digit(s->data[n])) {
        value = value * 10 + (s->data[n] - '0');
        n++;
        if (value > WF_NUMBER_MAX) {
            return false;
        }
    }
    if (n == 0) {
        return false;
    }
    skip(s, n);
    *number = value;
    return true;
}

static bool
take_text(struct slice *s, const char *text)
{
    size_t len = strlen(text);

    if (s->len < len || memcmp(s->data, text, len) != 0) {
        return false;
    }
    skip(s, len);
    return true;
}

/* Takes what separates a number from a name: colon, dash, or, if 'dot', a full stop.  A hyphen or a
 * full stop right before a digit is part of a number: "1-3", "1.2". */
static bool
take_separator(struct slice *s, bool dot)
{
    if (s->len == 0) {
        return false;
    }
    if (take_text(s, ":") || take_text(s, "\xE2\x80\x93") || take_text(s, "\xE2\x80\x94") ||
        take_text(s, "\xE2\x80\x95")) {
        return true;
    }
    if ((s->data[0] == '-' || (dot && s->data[0] == '.')) &&
        (s->len == 1 || !is_digit(s->data[1]))) {
        while (s->len > 0 && s->data[0] == '-') {
            skip(s, 1);
        }
        return s->len == 0 || s->data[0] != '.' || take_text(s, ".");
    }
    return false;
}

static size_t
count_marks(struct slice s)
{
    size_t n = 0;

    for (size_t i = 0; i + 1 < s.len; i++) {
        if ((s.data[i] == '*' || s.data[i] == '_') && s.data[i + 1] == s.data[i]) {
            n++;
            i++;
        }
    }
    return n;
}

/* The rest of a line as a name: without the marks that were opened before it. */
static struct slice
name_of(struct slice s)
{
    s = mdl_trim(s);
    if (count_marks(s) % 2 == 1) {
        if (!take_mark(&s) && s.len >= 2 &&
            (s.data[s.len - 1] == '*' || s.data[s.len - 1] == '_') &&
            s.data[s.len - 2] == s.data[s.len - 1]) {
            s.len -= 2;
        }
    }
    return mdl_unmark(s);
}

/* The front of a line: emoji and opening marks taken. */
static struct slice
front_of(struct slice text, bool *bold)
{
    struct slice s = mdl_skip_symbols(text);

    *bold = take_mark(&s);
    s = mdl_skip_symbols(s);
    return s;
}

bool
wf_read_phase_number(struct slice text, int *number)
{
    bool bold;
    struct slice s = front_of(text, &bold);

    if (!take_word(&s, "phase")) {
        return false;
    }
    skip_blanks(&s);
    return take_number(&s, number) && (s.len == 0 || !is_alnum(s.data[0]));
}

static bool
read_name(struct slice s, struct wf_phase_head *head)
{
    skip_blanks(&s);
    (void)take_mark(&s);
    skip_blanks(&s);
    if (!take_separator(&s, true)) {
        return false;
    }
    head->name = name_of(s);
    return head->name.len > 0;
}

bool
wf_read_phase_head(struct slice text, struct wf_phase_head *head)
{
    bool bold;
    struct slice s = front_of(text, &bold);

    if (!take_word(&s, "phase")) {
        return false;
    }
    skip_blanks(&s);
    return take_number(&s, &head->number) && read_name(s, head);
}

bool
wf_read_numbered_head(struct slice text, struct wf_phase_head *head)
{
    bool bold;
    struct slice s = front_of(text, &bold);

    return take_number(&s, &head->number) && s.len > 0 && (s.data[0] == '.' || s.data[0] == ':') &&
           read_name(s, head);
}

/* True if a number goes on behind what was read of it: "1.2.3", "1.2a", "1.2/3". */
static bool
goes_on(struct slice s)
{
    if (s.len == 0) {
        return false;
    }
    return is_alnum(s.data[0]) || s.data[0] == ',' || s.data[0] == '/' ||
           (s.len > 1 && (s.data[0] == '.' || s.data[0] == '-') && is_digit(s.data[1]));
}

bool
wf_read_task_head(struct slice text, struct wf_task_head *head)
{
    struct slice s;
    bool closed = false;

    *head = (struct wf_task_head){.phase = -1};
    s = front_of(text, &head->bold);
    head->word = take_word(&s, "task");
    if (head->word) {
        skip_blanks(&s);
    }
    if (!take_number(&s, &head->phase) || s.len < 2 || (s.data[0] != '.' && s.data[0] != '-')) {
        return false;
    }
    skip(&s, 1);
    if (!take_number(&s, &head->number) || goes_on(s)) {
        return false;
    }
    skip_blanks(&s);
    if (head->bold) {
        closed = take_mark(&s);
        skip_blanks(&s);
    }
    head->firm = take_separator(&s, true);
    if (head->firm) {
        skip_blanks(&s);
        if (head->bold && !closed) {
            closed = take_mark(&s);
        }
    }
    head->firm = head->firm || (head->bold && !closed);
    head->name = name_of(s);
    return true;
}

/* What may follow "validation gate" in a heading or label: nothing, or a separate remark. */
static bool
ends_gate(struct slice s, int *phase)
{
    skip_blanks(&s);
    (void)take_mark(&s);
    skip_blanks(&s);
    if (s.len == 0) {
        return true;
    }
    if (!take_separator(&s, true) && !take_word(&s, "for") && s.data[0] != '(') {
        return false;
    }
    skip_blanks(&s);
    if (s.len > 0 && s.data[0] == '(') {
        skip(&s, 1);
    }
    if (*phase < 0) {
        (void)wf_read_phase_number(s, phase);
    }
    return true;
}

bool
wf_read_gate_head(struct slice text, int *phase, bool *many)
{
    struct wf_phase_head head;
    bool bold;
    struct slice s = front_of(text, &bold);
    int section;

    *phase = -1;
    *many = false;
    if (wf_read_phase_head(text, &head)) {
        *phase = head.number;
        s = head.name;
    } else {
        if (take_number(&s, &section) && take_text(&s, ".")) {
            skip_blanks(&s);
        }
        if (wf_read_phase_number(s, phase)) {
            (void)take_word(&s, "phase");
            skip_blanks(&s);
            (void)take_number(&s, &section);
            skip_blanks(&s);
        } else if (take_word(&s, "phase")) {
            skip_blanks(&s);
        }
    }
    if (!take_word(&s, "validation gate") && !take_word(&s, "validate-gate") &&
        !take_word(&s, "gate")) {
        *many = take_word(&s, "validation gates") || take_word(&s, "gates");
        if (!*many) {
            return false;
        }
    }
    return ends_gate(s, phase);
}

static const struct {
    const char *key;
    enum wf_label label;
} known[] = {
    {"description", WF_LABEL_DESCRIPTION},
    {"task description", WF_LABEL_DESCRIPTION},
    {"objective", WF_LABEL_OBJECTIVE},
    {"objectives", WF_LABEL_OBJECTIVE},
    {"goal", WF_LABEL_OBJECTIVE},
    {"goals", WF_LABEL_OBJECTIVE},
    {"purpose", WF_LABEL_OBJECTIVE},
    {"estimated duration", WF_LABEL_TIME},
    {"estimated effort", WF_LABEL_TIME},
    {"estimated time", WF_LABEL_TIME},
    {"time estimate", WF_LABEL_TIME},
    {"timeframe", WF_LABEL_TIME},
    {"duration", WF_LABEL_TIME},
    {"estimate", WF_LABEL_TIME},
    {"effort", WF_LABEL_TIME},
    {"time", WF_LABEL_TIME},
    {"dependencies", WF_LABEL_DEPENDS},
    {"dependency", WF_LABEL_DEPENDS},
    {"depends on", WF_LABEL_DEPENDS},
    {"requires", WF_LABEL_DEPENDS},
    {"after", WF_LABEL_DEPENDS},
    {"acceptance criteria", WF_LABEL_CRITERIA},
    {"acceptance criterion", WF_LABEL_CRITERIA},
    {"success criteria", WF_LABEL_CRITERIA},
    {"validation criteria", WF_LABEL_CRITERIA},
    {"definition of done", WF_LABEL_CRITERIA},
    {"done when", WF_LABEL_CRITERIA},
};

/* What 'key' is: decoration and a remark in parentheses do not matter. */
static enum wf_label
label_of(struct slice key, int *phase)
{
    const char *paren;
    bool many;

    *phase = -1;
    if (wf_read_gate_head(key, phase, &many)) {
        return WF_LABEL_GATE;
    }
    key = mdl_skip_symbols(key);
    paren = key.len > 0 ? memchr(key.data, '(', key.len) : NULL;
    if (paren) {
        key.len = (size_t)(paren - key.data);
    }
    key = mdl_trim(key);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (key.len == strlen(known[i].key) && strncasecmp(key.data, known[i].key, key.len) == 0) {
            return known[i].label;
        }
    }
    return WF_LABEL_OTHER;
}

/* Splits "**key:** value" and "**key**: value".  A known key needs no colon if nothing follows. */
static bool
read_bold(struct slice s, struct wf_label_line *line)
{
    char mark = s.data[0];
    size_t end = 2;
    struct slice key, rest;
    bool colon;

    while (end + 1 < s.len && end < WF_KEY_MAX + 4 &&
           (s.data[end] != mark || s.data[end + 1] != mark)) {
        end++;
    }
    if (end + 1 >= s.len || s.data[end] != mark || s.data[end + 1] != mark) {
        return false;
    }
    key = mdl_trim((struct slice){s.data + 2, end - 2});
    rest = mdl_trim((struct slice){s.data + end + 2, s.len - end - 2});
    colon = key.len > 0 && key.data[key.len - 1] == ':';
    if (colon) {
        key.len--;
    } else {
        colon = take_text(&rest, ":");
    }
    line->key = mdl_trim(key);
    line->value = mdl_trim(rest);
    line->label = label_of(line->key, &line->phase);
    return line->key.len > 0 && (colon || (line->label != WF_LABEL_OTHER && rest.len == 0));
}

bool
wf_read_label(struct slice text, struct wf_label_line *line)
{
    struct slice s = mdl_skip_symbols(text);
    const char *colon;

    *line = (struct wf_label_line){.phase = -1};
    if (s.len >= 2 && (s.data[0] == '*' || s.data[0] == '_') && s.data[1] == s.data[0]) {
        return read_bold(s, line);
    }
    colon = memchr(s.data ? s.data : "", ':', s.len < WF_KEY_MAX ? s.len : WF_KEY_MAX);
    if (!colon) {
        return false;
    }
    line->key = mdl_trim((struct slice){s.data, (size_t)(colon - s.data)});
    line->value = mdl_trim((struct slice){colon + 1, s.len - (size_t)(colon - s.data) - 1});
    line->label = label_of(line->key, &line->phase);
    return line->label != WF_LABEL_OTHER;
}

bool
wf_read_label_heading(struct slice text, enum wf_label *label)
{
    struct slice key = mdl_unmark(mdl_skip_symbols(text));
    int phase;

    if (key.len > 0 && key.data[key.len - 1] == ':') {
        key.len--;
    }
    *label = label_of(key, &phase);
    return *label != WF_LABEL_OTHER && *label != WF_LABEL_GATE;
}

static bool
drop_end(struct slice *s, const char *text)
{
    size_t len = strlen(text);

    if (s->len < len || memcmp(s->data + s->len - len, text, len) != 0) {
        return false;
    }
    s->len -= len;
    *s = mdl_trim(*s);
    return true;
}

struct slice
wf_criterion_text(struct slice text)
{
    struct slice s = mdl_trim(text);

    (void)(drop_end(&s, "\xE2\x9C\x85/\xE2\x9D\x8C") ||
           drop_end(&s, "\xE2\x9C\x85 / \xE2\x9D\x8C"));
    return mdl_unmark(s);
}
