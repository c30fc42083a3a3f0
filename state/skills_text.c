/* skills_text.c -- what SKILL.md says: the front matter of one that is there, and the whole text of
 * one that is made for a pack or for standards.  Made from the same files, it is the same text. */
#include "state/skills_private.h"

#include "state/base/json_put.h"
#include "state/base/rune.h"
#include "state/workflow_pack.h"
#include "state/yaml.h"

static const char suffix[] = "-standards";

/* ---- Names and headings ---- */

bool
skill_name_of(enum skill_kind kind, const char *folder, char out[SKILL_NAME_MAX + 1])
{
    size_t room = SKILL_NAME_MAX - (kind == SKILL_STANDARDS ? sizeof suffix - 1 : 0), len = 0;

    for (; *folder; folder++) {
        char c = *folder >= 'A' && *folder <= 'Z' ? (char)(*folder - 'A' + 'a') : *folder;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (is_plain || (len && out[len - 1] != '-')) {
            if (len == room) {
                return false;
            }
            out[len++] = is_plain ? c : '-';
        }
    }
    while (len && out[len - 1] == '-') {
        len--;
    }
    memcpy(out + len, suffix, kind == SKILL_STANDARDS ? sizeof suffix : 0);
    out[len + (kind == SKILL_STANDARDS ? sizeof suffix - 1 : 0)] = '\0';
    return len > 0;
}

/* Adds 'text' to 'out' as one line: what is white space or cannot be shown is one blank. */
static void
add_line(struct buf *out, struct slice text)
{
    bool blank = true; /* None to begin with. */

    for (size_t at = 0; at < text.len;) {
        uint32_t rune;
        size_t len = rune_decode(text, at, &rune);
        bool shown = len && rune > 0x20 && rune != 0x7F && !rune_is_space(rune);

        if (shown) {
            buf_add(out, text.data + at, len);
        } else if (!blank) {
            buf_addc(out, ' ');
        }
        blank = !shown;
        at += len ? len : 1;
    }
    while (out->len && out->data[out->len - 1] == ' ') {
        out->data[--out->len] = '\0';
    }
}

/* The next line of 'text' from '*at', without its end; false at the end of the text. */
static bool
next_line(struct slice text, size_t *at, struct slice *line)
{
    const char *begin = text.data + *at, *end;

    if (*at >= text.len) {
        return false;
    }
    end = memchr(begin, '\n', text.len - *at);
    *line = (struct slice){begin, end ? (size_t)(end - begin) : text.len - *at};
    *at += line->len + 1;
    if (line->len && line->data[line->len - 1] == '\r') {
        line->len--;
    }
    return true;
}

static bool
begins(struct slice line, const char *word)
{
    size_t len = strlen(word);

    return line.len >= len && memcmp(line.data, word, len) == 0;
}

void
skill_title_of(struct slice markdown, char out[SKILL_TITLE_MAX + 1])
{
    struct buf title = BUF_INIT;
    struct slice line;
    bool fenced = false;

    out[0] = '\0';
    for (size_t at = 0; next_line(markdown, &at, &line);) {
        if (begins(line, "```") || begins(line, "~~~")) {
            fenced = !fenced;
        } else if (!fenced && begins(line, "# ")) {
            add_line(&title, (struct slice){line.data + 2, line.len - 2});
            if (title.len && !title.failed) {
                size_t len = rune_cut(buf_slice(&title), SKILL_TITLE_MAX);

                memcpy(out, title.data, len);
                out[len] = '\0';
            }
            break;
        }
    }
    buf_fini(&title);
}

/* ---- Front matter that is there ---- */

/* Finds the YAML between the first line, which must be "---", and the next such line. */
static bool
find_frontmatter(struct slice text, struct slice *yaml)
{
    size_t at = 0, start;
    struct slice line;

    if (begins(text, "\xEF\xBB\xBF")) {
        at = 3;
    }
    if (!next_line(text, &at, &line) || !slice_is(line, "---")) {
        return false;
    }
    start = at;
    while (next_line(text, &at, &line)) {
        while (line.len > 3 &&
               (line.data[line.len - 1] == ' ' || line.data[line.len - 1] == '\t')) {
            line.len--;
        }
        if (slice_is(line, "---")) {
            *yaml = (struct slice){text.data + start, (size_t)(line.data - text.data) - start};
            return true;
        }
    }
    return false;
}

static enum err
check_frontmatter(const struct ynode *root, const char *name, struct fault *f)
{
    const char *given = ynode_get_string(root, "name");
    const char *description = ynode_get_string(root, "description");

    if (!given || !description || !*description) {
        return fault_at(f, E_REFUSED, 1, 1,
                        "the front matter of " SKILL_FILE " needs the texts name and description");
    }
    if (strcmp(given, name) != 0) {
        return fault_at(f, E_REFUSED, ynode_line(ynode_get(root, "name")) + 1, 1,
                        "the front matter of " SKILL_FILE " has another name than its folder "
                        "gives it: '%s'",
                        name);
    }
    return E_OK;
}

enum err
skill_frontmatter(struct slice text, const char *name, json_t **frontmatter, struct fault *f)
{
    struct ytree *tree = NULL;
    struct slice yaml;
    enum err err;

    *frontmatter = NULL;
    if (!rune_valid(text)) {
        return fault_set(f, E_REFUSED, SKILL_FILE " is not UTF-8");
    }
    if (!find_frontmatter(text, &yaml)) {
        return fault_at(f, E_REFUSED, 1, 1,
                        SKILL_FILE " has no front matter: YAML between two lines '---'");
    }
    err = ytree_parse(yaml, NULL, &tree, f);
    if (err && f && f->line) {
        f->line++; /* The line "---" comes before it. */
    }
    err = err ? err : check_frontmatter(ytree_root(tree), name, f);
    if (!err) {
        *frontmatter = ynode_to_json(ytree_root(tree));
        if (!*frontmatter) {
            err = fault_at(f, E_REFUSED, 1, 1, "the front matter holds what JSON cannot");
        }
    }
    ytree_free(tree);
    return err;
}

void
skill_check(const struct dir *dir, enum skill_kind kind, const char *folder,
            struct problems *problems)
{
    char name[SKILL_NAME_MAX + 1];
    struct buf text = BUF_INIT;
    struct fault f = FAULT_INIT;
    json_t *frontmatter = NULL;
    enum err err;

    if (!dir_is_file(dir, SKILL_FILE)) {
        return;
    }
    err =
        skill_name_of(kind, folder, name)
            ? dir_read(dir, SKILL_FILE, SKILL_READ_MAX, &text, NULL, &f)
            : fault_set(&f, E_REFUSED, "the folder's name gives no name for a skill of at most %u",
                        SKILL_NAME_MAX);
    err = err ? err : skill_frontmatter(buf_slice(&text), name, &frontmatter, &f);
    if (err) {
        problems_add(problems, PROBLEM_ERROR, SKILL_FILE, f.line, f.column, "%s", f.text);
    }
    json_decref(frontmatter);
    buf_fini(&text);
}

/* ---- A SKILL.md that is made ---- */

/* Sets the front matter, and begins the text with it.  'description' is cut to what one may have;
 * steals it. */
static void
begin_text(struct skill *skill, struct buf *description, struct buf *out)
{
    struct slice told = buf_slice(description);

    told.len = rune_cut(told, SKILL_DESCRIPTION_MAX);
    skill->frontmatter = json_must(json_object());
    json_put_text(skill->frontmatter, "name", skill->name);
    json_put(skill->frontmatter, "description", json_text_slice(told));
    /* A JSON string is YAML, too. */
    buf_addf(out, "---\nname: \"%s\"\ndescription: ", skill->name);
    buf_add_json(out, told);
    buf_adds(out, "\n---\n\n");
    buf_fini(description);
}

static enum err
end_text(struct skill *skill, struct buf *out, struct fault *f)
{
    skill->text_len = out->len;
    skill->text = buf_steal(out);
    return skill->text ? E_OK
                       : fault_set(f, E_OVERLOAD, "there is no memory to make a skill's text now");
}

/* Adds "[label](path)"; brackets in the label, and what a link's target may not hold, are taken out
 * or encoded. */
static void
add_link(struct buf *out, struct slice label, const char *path)
{
    struct buf line = BUF_INIT;

    add_line(&line, label);
    buf_addc(out, '[');
    for (size_t i = 0; i < line.len; i++) {
        if (!strchr("[]\\", line.data[i])) {
            buf_addc(out, line.data[i]);
        }
    }
    buf_adds(out, "](");
    for (; *path; path++) {
        if (strchr(" ()<>%", *path)) {
            buf_addf(out, "%%%02X", (unsigned char)*path);
        } else {
            buf_addc(out, *path);
        }
    }
    buf_addc(out, ')');
    buf_fini(&line);
}

static void
add_phase(struct buf *out, const struct pack_phase *phase)
{
    struct buf name = BUF_INIT;

    buf_addf(out, "## Phase %d: ", phase->number);
    add_line(&name, slice_of(phase->name));
    buf_add_slice(out, buf_slice(&name));
    buf_reset(&name);
    add_line(&name, slice_of(phase->purpose));
    buf_adds(out, "\n\n");
    if (name.len) {
        buf_add_slice(out, buf_slice(&name));
        buf_adds(out, "\n\n");
    }
    buf_fini(&name);
    for (size_t i = 0; i < phase->task_count; i++) {
        if (!phase->tasks[i].missing) {
            buf_addf(out, "- Task %d: ", phase->tasks[i].number);
            add_link(out, slice_of(phase->tasks[i].name), phase->tasks[i].file);
            buf_addc(out, '\n');
        }
    }
    buf_adds(out, phase->task_count ? "\n" : "");
}

static enum err
make_of_pack(struct skill *skill, const struct pack *pack, struct fault *f)
{
    struct buf text = BUF_INIT, line = BUF_INIT, description = BUF_INIT;

    add_line(&line, slice_of(pack_title(pack)));
    add_line(&description, slice_of(pack_description(pack)));
    if (!description.len) {
        buf_add_slice(&description, buf_slice(&line));
    }
    description.len = rune_cut(buf_slice(&description), SKILL_DESCRIPTION_MAX - 128);
    buf_adds(&description,
             " (A workflow in phases with gates; run it with the tool pos_workflow.)");
    begin_text(skill, &description, &text);
    buf_adds(&text, "# ");
    buf_add_slice(&text, buf_slice(&line));
    buf_addf(&text,
             "\n\nThis workflow is run by the tool `pos_workflow`, one phase after the other; each "
             "phase ends at a\ngate that checks the evidence handed in. Do not work through the "
             "files by yourself:\n\n"
             "1. Begin with `{\"action\":\"start\",\"workflow_type\":\"%s\",\"target_file\":"
             "\"<path>\"}` and keep the `session_id`.\n"
             "2. Read each task with `get_task` and do it.\n"
             "3. Hand in the evidence with `complete_phase`; if the gate refuses, mend what it "
             "names.\n\n",
             pack_id(pack));
    for (size_t i = 0; i < pack_phase_count(pack); i++) {
        add_phase(&text, pack_phase_at(pack, i));
    }
    buf_fini(&line);
    return end_text(skill, &text, f);
}

static enum err
make_pack(struct dir *workspace, const struct skill_place *place, struct skill *skill,
          struct fault *f)
{
    struct dir *dir = NULL;
    struct pack *pack = NULL;
    enum err err = dir_sub(workspace, place->source, false, &dir, f);

    if (!err) {
        err = pack_load(&(struct pack_roots){&dir, 1}, place->id, &pack, f);
    }
    err = err ? err : make_of_pack(skill, pack, f);
    pack_unref(pack);
    dir_unref(dir);
    return err;
}

static bool
is_standard(const struct skill_file *file)
{
    size_t len = strlen(file->path);

    return len > 3 && strcmp(file->path + len - 3, ".md") == 0;
}

/* What a standard is called: its heading, or its path. */
static struct slice
label_of(const struct skill_file *file)
{
    return slice_of(*file->title ? file->title : file->path);
}

static enum err
make_standards(const struct skill_place *place, struct skill *skill, struct fault *f)
{
    struct buf text = BUF_INIT, topic = BUF_INIT, description = BUF_INIT;
    const char *between = ": ";

    add_line(&topic, slice_of(place->id ? place->id : "any topic"));
    buf_addf(&description, "This project's standards on %s. Read them before work that touches it",
             topic.data);
    for (size_t i = 0; i < skill->count && description.len < SKILL_DESCRIPTION_MAX; i++) {
        if (is_standard(&skill->files[i])) {
            buf_adds(&description, between);
            add_line(&description, label_of(&skill->files[i]));
            between = "; ";
        }
    }
    if (*between == ':') {
        buf_fini(&topic);
        buf_fini(&description);
        return fault_set(f, E_NOT_FOUND, "there are no standards in this folder");
    }
    buf_addc(&description, '.');
    begin_text(skill, &description, &text);
    buf_addf(&text,
             "# Standards: %s\n\nRead the ones that bear on the work at hand, and keep to "
             "them.\n\n",
             topic.data);
    for (size_t i = 0; i < skill->count; i++) {
        if (is_standard(&skill->files[i])) {
            buf_adds(&text, "- ");
            add_link(&text, label_of(&skill->files[i]), skill->files[i].path);
            buf_addc(&text, '\n');
        }
    }
    buf_fini(&topic);
    return end_text(skill, &text, f);
}

enum err
skill_make(struct dir *workspace, const struct skill_place *place, struct skill *skill,
           struct fault *f)
{
    switch (place->kind) {
    case SKILL_PACK:
        return make_pack(workspace, place, skill, f);
    case SKILL_STANDARDS:
        return make_standards(place, skill, f);
    default: /* It was there when the folder was looked at. */
        return fault_set(f, E_NOT_FOUND, "its " SKILL_FILE " has gone");
    }
}
