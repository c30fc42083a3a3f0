/* workflow_pack_check.c -- finds fault with a pack, for "tandem check".
 *
 * Loading a pack tells what is wrong with its metadata and folders; here come the files themselves:
 * gates, templates, definitions, and the links between texts. */
#include "state/markdown_lines.h"
#include "state/base/rune.h"
#include "state/skills.h"
#include "state/workflow_definition.h"
#include "state/workflow_gate.h"
#include "state/workflow_pack_private.h"
#include "state/workflow_template.h"

#include <stdio.h>
#include <strings.h>

struct check {
    const struct pack *pack;
    struct problems *problems;
};

static void
copy_problems(struct problems *to, const struct problems *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct problem *p = &from->items[i];

        problems_add(to, p->severity, p->file, p->line, p->column, "%s", p->text);
    }
}

/* Reads 'file' into 'text'; tells what is wrong with it. */
static bool
read_text(const struct check *c, const char *file, struct buf *text)
{
    struct fault f = FAULT_INIT;

    if (pack_read_file(c->pack, file, text, NULL, &f)) {
        problems_add(c->problems, PROBLEM_ERROR, file, f.line, f.column, "%s", f.text);
        return false;
    }
    return true;
}

/* Joins the folder of 'file' and 'link' into 'path', resolving "." and "..".  False if it climbs
 * out. */
static bool
resolve_link(const char *file, struct slice link, char path[PACK_PATH_MAX])
{
    const char *slash = strrchr(file, '/');
    size_t len = slash ? (size_t)(slash - file) : 0;
    size_t at = 0;

    if (len + link.len + 2 > PACK_PATH_MAX || (link.len > 0 && link.data[0] == '/')) {
        return false;
    }
    memcpy(path, file, len);
    while (at < link.len) {
        const char *end = memchr(link.data + at, '/', link.len - at);
        size_t part = end ? (size_t)(end - link.data) - at : link.len - at;
        struct slice name = {link.data + at, part};

        at += part + 1;
        if (slice_is(name, "..")) {
            if (len == 0) {
                return false;
            }
            while (len > 0 && path[len - 1] != '/') {
                len--;
            }
            len -= len > 0;
        } else if (part > 0 && !slice_is(name, ".")) {
            if (len > 0) {
                path[len++] = '/';
            }
            memcpy(path + len, name.data, part);
            len += part;
        }
    }
    path[len] = '\0';
    return true;
}

/* Is 'link' a path, rather than an address, an anchor or a sample with placeholders? */
static bool
is_path(struct slice link)
{
    static const char *const others[] = {"http:", "https:", "mailto:", "mdc:", "file:", "#", "<"};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        size_t len = strlen(others[i]);

        if (link.len >= len && strncasecmp(link.data, others[i], len) == 0) {
            return false;
        }
    }
    for (size_t i = 0; i < link.len; i++) {
        if (strchr("{}[]<>$* \"'`", link.data[i])) {
            return false;
        }
    }
    return link.len > 0;
}

static void
check_link(const struct check *c, const char *file, const struct mdl_line *line, size_t at,
           struct slice link)
{
    struct file_identity identity;
    char path[PACK_PATH_MAX];
    unsigned column = (unsigned)rune_count((struct slice){line->raw.data, at}) + 1;
    const char *anchor = memchr(link.data, '#', link.len);
    enum err err;

    if (anchor) {
        link.len = (size_t)(anchor - link.data);
    }
    if (!resolve_link(file, link, path)) {
        problems_add(c->problems, PROBLEM_ERROR, file, line->number, column,
                     "link to %.*s leaves the workflow's folder", (int)link.len, link.data);
        return;
    }
    err = path[0] ? dir_identity(c->pack->dir, path, &identity, NULL) : E_OK;
    if (err && !dir_is_folder(c->pack->dir, path)) {
        problems_add(c->problems, err == E_ARGUMENT ? PROBLEM_ERROR : PROBLEM_WARNING, file,
                     line->number, column, "link to %.*s leads nowhere", (int)link.len, link.data);
    }
}

/* Looks at the links "](path)" of a text outside its samples. */
static void
check_links(const struct check *c, const char *file, struct slice text)
{
    struct mdl_lines md = MDL_LINES_INIT;

    if (mdl_lines_read(&md, text, NULL)) {
        return;
    }
    for (size_t i = 0; i < md.count; i++) {
        const struct mdl_line *line = &md.lines[i];

        if (line->kind != MDL_TEXT && line->kind != MDL_ITEM && line->kind != MDL_HEADING) {
            continue;
        }
        for (size_t at = 0; at + 2 < line->raw.len; at++) {
            struct slice link = {line->raw.data + at + 2, line->raw.len - at - 2};
            const char *end;

            if (line->raw.data[at] != ']' || line->raw.data[at + 1] != '(') {
                continue;
            }
            end = memchr(link.data, ')', link.len);
            if (end) {
                link.len = (size_t)(end - link.data);
                if (is_path(link)) {
                    check_link(c, file, line, at + 2, link);
                }
            }
        }
    }
    if (md.unclosed) {
        problems_add(c->problems, PROBLEM_WARNING, file, md.unclosed, 0,
                     "this code fence is never closed");
    }
    mdl_lines_fini(&md);
}

static void
check_text(const struct check *c, const char *file)
{
    struct buf text = BUF_INIT;

    if (read_text(c, file, &text)) {
        check_links(c, file, buf_slice(&text));
    }
    buf_fini(&text);
}

static void
check_gate(const struct check *c, int phase)
{
    char file[PACK_GATE_FILE_MAX];
    struct file_identity identity;
    struct buf text = BUF_INIT;
    struct gate *gate = NULL;
    struct fault f = FAULT_INIT;
    size_t errors = c->problems->errors;

    pack_gate_file(phase, file);
    if (pack_gate_identity(c->pack, phase, &identity, NULL) == E_NOT_FOUND) {
        return;
    }
    if (read_text(c, file, &text) && gate_parse(buf_slice(&text), file, &gate, c->problems, &f) &&
        c->problems->errors == errors) {
        problems_add(c->problems, PROBLEM_ERROR, file, f.line, f.column, "%s", f.text);
    }
    gate_unref(gate);
    buf_fini(&text);
}

static void
check_template(const struct check *c, const char *file)
{
    struct buf text = BUF_INIT;
    struct wf_template *t = NULL;
    struct fault f = FAULT_INIT;

    if (read_text(c, file, &text) &&
        wf_template_parse(buf_slice(&text), file, &t, c->problems, &f)) {
        problems_add(c->problems, PROBLEM_ERROR, file, f.line, f.column, "%s", f.text);
    }
    wf_template_free(t);
    buf_fini(&text);
}

/* A definition that is kept with the pack: its gates are looked at too. */
static void
check_definition(const struct check *c, const char *file)
{
    struct file_identity identity;
    struct buf text = BUF_INIT;
    struct wf_source *source = NULL;

    if (dir_identity(c->pack->dir, file, &identity, NULL) == E_NOT_FOUND) {
        return;
    }
    if (read_text(c, file, &text) &&
        wf_definition_parse(buf_slice(&text), file, c->problems, &source, NULL) == E_OK) {
        for (size_t i = 0; i < source->phase_count; i++) {
            struct gate *gate = NULL;

            if (source->phases[i].gate_node) {
                (void)gate_from_definition(source->phases[i].gate_node, file, &gate, c->problems,
                                           NULL);
            }
            gate_unref(gate);
        }
    }
    wf_source_unref(source);
    buf_fini(&text);
}

static void
check_phase(const struct check *c, const struct pack_phase *phase)
{
    struct file_identity identity;

    if (!phase->folder) {
        return;
    }
    if (dir_identity(c->pack->dir, phase->file, &identity, NULL) != E_NOT_FOUND) {
        check_text(c, phase->file);
    }
    for (size_t i = 0; i < phase->task_count; i++) {
        if (!phase->tasks[i].missing) {
            check_text(c, phase->tasks[i].file);
        }
    }
    check_gate(c, phase->number);
}

enum err
pack_check(struct dir *dir, const char *id, struct problems *problems, struct fault *f)
{
    struct fault local = FAULT_INIT;
    struct pack *pack = NULL;
    struct check c = {.problems = problems};
    enum err err = pack_make(dir, id, &pack, &local);

    if (err == E_REFUSED || err == E_NOT_FOUND || err == E_TOO_LARGE || err == E_ARGUMENT) {
        problems_add(problems, PROBLEM_ERROR, PACK_METADATA, local.line, local.column, "%s",
                     local.text);
        return E_OK;
    }
    if (err) {
        if (f) {
            *f = local;
        }
        return err;
    }
    if (!pack_name_is_valid(id)) {
        problems_add(problems, PROBLEM_ERROR, NULL, 0, 0,
                     "a workflow's folder is named with letters, digits, '_' and '-'");
    }
    c.pack = pack;
    copy_problems(problems, &pack->warnings);
    for (size_t i = 0; i < pack->phase_count; i++) {
        check_phase(&c, &pack->phases[i]);
    }
    if (pack->is_dynamic) {
        check_template(&c, pack->dynamic.phase_template);
        check_template(&c, pack->dynamic.task_template);
        check_gate(&c, -1);
    }
    check_definition(&c, "supporting-docs/workflow-definition.yaml");
    skill_check(dir, SKILL_PACK, id, problems);
    pack_unref(pack);
    return E_OK;
}
