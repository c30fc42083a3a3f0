/* workflow_steps.c -- see workflow_steps.h. */
#include "state/workflow_steps.h"

#include "state/markdown_lines.h"
#include "state/base/rune.h"

#include <strings.h>

#define STOP_SIGN 0x1F6D1u

/* What a line commands, if it begins with a command word. */
struct command_line {
    struct slice word; /* "EXECUTE-NOW". */
    struct slice rest; /* After the colon, without emphasis. */
    bool stop;         /* A stop sign stands in front. */
};

static bool
is_text(const struct mdl_line *line)
{
    return line->kind == MDL_TEXT || line->kind == MDL_ITEM || line->kind == MDL_HEADING;
}

static void
skip_marks(struct slice *s)
{
    while (s->len > 0 &&
           (s->data[0] == '*' || s->data[0] == '_' || s->data[0] == ':' || s->data[0] == ' ')) {
        s->data++;
        s->len--;
    }
}

/* Reads "(emoji) **WORD-WORD**: rest" and its variants. */
static bool
read_command(const struct mdl_line *line, struct command_line *command)
{
    struct slice s = line->text;
    uint32_t first = 0;
    size_t n = 0, hyphens = 0;

    *command = (struct command_line){.stop = false};
    if (!is_text(line)) {
        return false;
    }
    skip_marks(&s);
    if (s.len > 0 && rune_decode(s, 0, &first) > 0) {
        command->stop = first == STOP_SIGN;
    }
    s = mdl_skip_symbols(s);
    skip_marks(&s);
    while (n < s.len && ((s.data[n] >= 'A' && s.data[n] <= 'Z') || (n > 0 && s.data[n] == '-'))) {
        hyphens += s.data[n] == '-';
        n++;
    }
    if (hyphens == 0) {
        return false;
    }
    command->word = (struct slice){s.data, n};
    s = (struct slice){s.data + n, s.len - n};
    skip_marks(&s);
    command->rest = mdl_unmark(s);
    return true;
}

static bool
is_shell(struct slice info)
{
    static const char *const names[] = {"bash", "sh", "shell", "zsh", "console", "shell-session"};
    size_t n = 0;

    while (n < info.len && info.data[n] != ' ' && info.data[n] != '{') {
        n++;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (n == strlen(names[i]) && strncasecmp(info.data, names[i], n) == 0) {
            return true;
        }
    }
    return false;
}

/* The line of the shell fence that follows line 'at': before any other fence, command word, heading
 * or rule.  'count' if there is none. */
static size_t
find_fence(const struct mdl_lines *md, size_t at)
{
    struct command_line other;

    for (size_t i = at + 1; i < md->count; i++) {
        const struct mdl_line *line = &md->lines[i];

        if (line->kind == MDL_FENCE) {
            return is_shell(line->text) ? i : md->count;
        }
        if (line->kind == MDL_HEADING || line->kind == MDL_BREAK || read_command(line, &other)) {
            break;
        }
    }
    return md->count;
}

/* The label of the first COUNT-AND-DOCUMENT line that begins within the characters after line 'at',
 * and before the next command to run. */
static struct slice
find_evidence(const struct mdl_lines *md, size_t at)
{
    struct command_line command;
    size_t passed = 0;

    for (size_t i = at + 1; i < md->count && passed < WF_STEP_EVIDENCE_WITHIN; i++) {
        const struct mdl_line *line = &md->lines[i];

        if (read_command(line, &command)) {
            if (slice_is(command.word, "COUNT-AND-DOCUMENT")) {
                return command.rest;
            }
            if (slice_is(command.word, "EXECUTE-NOW")) {
                break;
            }
        }
        passed += rune_count(line->raw) + 1;
    }
    return SLICE_NONE;
}

/* Steals 'step', which may be null. */
static bool
append(json_t *steps, json_t *step)
{
    return step && json_array_append_new(steps, step) == 0;
}

/* Adds the command in the fence on line 'fence', if it is closed and not overlong.  '*end' is its
 * last line. False without memory. */
static bool
add_command(json_t *steps, const struct mdl_lines *md, struct slice description, size_t fence,
            size_t *end)
{
    struct slice label;
    const char *begin, *last;
    size_t i = fence + 1;

    while (i < md->count && md->lines[i].kind == MDL_CODE) {
        i++;
    }
    *end = i < md->count ? i : md->count - 1;
    if (i == fence + 1 || i >= md->count || md->lines[i].kind != MDL_FENCE_END) {
        return true;
    }
    begin = md->lines[fence + 1].raw.data;
    last = md->lines[i - 1].raw.data + md->lines[i - 1].raw.len;
    if ((size_t)(last - begin) > WF_STEP_COMMAND_MAX) {
        return true;
    }
    label = find_evidence(md, i);
    return append(steps, json_pack("{s:s%, s:s, s:s%, s:o}", "description",
                                   description.len ? description.data : "", description.len, "type",
                                   "execute_command", "command", begin, (size_t)(last - begin),
                                   "evidence_required",
                                   label.len ? json_stringn(label.data, label.len) : json_null()));
}

json_t *
wf_steps(struct slice markdown)
{
    struct mdl_lines md = MDL_LINES_INIT;
    struct command_line command;
    json_t *steps = json_array();
    bool good = steps != NULL;

    if (mdl_lines_read(&md, markdown, NULL)) {
        return steps;
    }
    for (size_t i = 0; good && i < md.count && json_array_size(steps) < WF_STEPS_MAX; i++) {
        if (!read_command(&md.lines[i], &command)) {
            continue;
        }
        if (slice_is(command.word, "EXECUTE-NOW") && command.stop) {
            size_t fence = find_fence(&md, i);

            if (fence < md.count) {
                good = add_command(steps, &md, command.rest, fence, &i);
            }
        } else if (slice_is(command.word, "QUERY-AND-DECIDE")) {
            good =
                append(steps, json_pack("{s:s%, s:s, s:b}", "description",
                                        command.rest.len ? command.rest.data : "", command.rest.len,
                                        "type", "decision_point", "requires_analysis", 1));
        }
    }
    mdl_lines_fini(&md);
    if (!good) {
        json_decref(steps);
        return NULL;
    }
    return steps;
}
