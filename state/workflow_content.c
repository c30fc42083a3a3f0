/* workflow_content.c -- see workflow_content.h.  Here: building content, and reading ticks again.
 */
#include "state/workflow_content.h"

#include "state/workflow_content_private.h"
#include "state/workflow_definition.h"
#include "state/workflow_tasklist.h"

#include <openssl/evp.h>
#include <stdio.h>

static void
frame_unref(struct frame *frame)
{
    if (frame && atomic_fetch_sub_explicit(&frame->refs, 1, memory_order_acq_rel) == 1) {
        pack_unref(frame->pack);
        wf_template_free(frame->phase_template);
        wf_template_free(frame->task_template);
        problems_fini(&frame->warnings);
        free(frame->phases);
        free(frame->source_path);
        free(frame);
    }
}

struct wf_content *
wf_content_ref(struct wf_content *content)
{
    atomic_fetch_add_explicit(&content->refs, 1, memory_order_relaxed);
    return content;
}

void
wf_content_unref(struct wf_content *content)
{
    if (content && atomic_fetch_sub_explicit(&content->refs, 1, memory_order_acq_rel) == 1) {
        frame_unref(content->frame);
        wf_source_unref(content->source);
        free(content->warning);
        free(content);
    }
}

struct pack *
wf_content_pack(const struct wf_content *content)
{
    return content->frame->pack;
}

const struct problems *
wf_content_warnings(const struct wf_content *content)
{
    return &content->frame->warnings;
}

const int *
wf_content_phases(const struct wf_content *content, size_t *count)
{
    *count = content->frame->phase_count;
    return content->frame->phases;
}

bool
wf_content_has_phase(const struct wf_content *content, int phase)
{
    for (size_t i = 0; i < content->frame->phase_count; i++) {
        if (content->frame->phases[i] == phase) {
            return true;
        }
    }
    return false;
}

int
wf_content_next_phase(const struct wf_content *content, int phase)
{
    for (size_t i = 0; i < content->frame->phase_count; i++) {
        if (content->frame->phases[i] > phase) {
            return content->frame->phases[i];
        }
    }
    return -1;
}

const struct wf_phase *
content_source_phase(const struct wf_content *content, int phase)
{
    return content->source ? wf_source_phase(content->source, phase) : NULL;
}

bool
wf_content_is_dynamic(const struct wf_content *content, int phase)
{
    return content_source_phase(content, phase) != NULL;
}

const char *
wf_content_title(const struct wf_content *content, int phase)
{
    const struct wf_phase *dynamic = content_source_phase(content, phase);
    const struct pack_phase *own = pack_phase(content->frame->pack, phase);

    if (dynamic) {
        return dynamic->name;
    }
    return own && wf_content_has_phase(content, phase) ? own->name : "";
}

enum err
content_no_phase(const struct wf_content *content, int phase, struct fault *f)
{
    const struct frame *frame = content->frame;

    (void)fault_set(f, E_NOT_FOUND, "this workflow has no phase %d", phase);
    return fault_remedy(f, "its phases are %d to %d, %zu in all", frame->phases[0],
                        frame->phases[frame->phase_count - 1], frame->phase_count);
}

json_t *
wf_content_structure(const struct wf_content *content)
{
    const struct frame *frame = content->frame;
    json_t *phases = json_array(), *titles = json_object();
    bool good = phases && titles;

    for (size_t i = 0; good && i < frame->phase_count; i++) {
        char number[16];

        snprintf(number, sizeof number, "%d", frame->phases[i]);
        good = json_array_append_new(phases, json_integer(frame->phases[i])) == 0 &&
               json_object_set_new(titles, number,
                                   json_string(wf_content_title(content, frame->phases[i]))) == 0;
    }
    if (!good) {
        json_decref(phases);
        json_decref(titles);
        return NULL;
    }
    return json_pack("{s:o, s:o, s:s, s:s}", "phases", phases, "titles", titles, "pack_version",
                     pack_version(frame->pack), "source_digest", frame->digest);
}

static void
to_hex(EVP_MD_CTX *md, char out[PACK_DIGEST_MAX])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    EVP_DigestFinal_ex(md, sum, &len);
    for (unsigned i = 0; i < len && 2 * i + 2 < PACK_DIGEST_MAX; i++) {
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
    }
}

static void
digest_text(EVP_MD_CTX *md, const char *text)
{
    EVP_DigestUpdate(md, text, strlen(text) + 1);
}

static void
digest_criteria(EVP_MD_CTX *md, const struct wf_criterion *criteria, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        digest_text(md, criteria[i].text);
    }
    digest_text(md, "");
}

/* A digest over what the source says, but for ticks: they are meant to change.  Of a definition,
 * whose gates hold more than the source shows, over its text. */
static enum err
digest_source(const struct wf_source *source, struct slice text, char out[PACK_DIGEST_MAX],
              struct fault *f)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(md);
        return fault_set(f, E_OVERLOAD, "no memory for a digest");
    }
    for (size_t i = 0; i < source->phase_count; i++) {
        const struct wf_phase *phase = &source->phases[i];

        digest_text(md, phase->source_label);
        digest_text(md, phase->name);
        digest_criteria(md, phase->gate, phase->gate_count);
        for (size_t j = 0; j < phase->task_count; j++) {
            digest_text(md, phase->tasks[j].id);
            digest_text(md, phase->tasks[j].name);
            digest_criteria(md, phase->tasks[j].criteria, phase->tasks[j].criterion_count);
        }
        digest_text(md, "");
    }
    if (source->tree) {
        EVP_DigestUpdate(md, text.data, text.len);
    }
    to_hex(md, out);
    EVP_MD_CTX_free(md);
    return E_OK;
}

enum err
wf_content_digest(const struct wf_content *content, char out[PACK_DIGEST_MAX], struct fault *f)
{
    const struct frame *frame = content->frame;
    char pack[PACK_DIGEST_MAX];
    enum err err = pack_digest(frame->pack, pack, f);
    EVP_MD_CTX *md;

    snprintf(out, PACK_DIGEST_MAX, "%s", err ? "" : pack);
    if (err || !frame->source_digest[0]) {
        return err;
    }
    md = EVP_MD_CTX_new();
    if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(md);
        return fault_set(f, E_OVERLOAD, "no memory for a digest");
    }
    digest_text(md, pack);
    digest_text(md, frame->source_digest);
    to_hex(md, out);
    EVP_MD_CTX_free(md);
    return E_OK;
}

static enum err
load_template(struct frame *frame, const char *file, struct wf_template **t, struct fault *f)
{
    struct buf text = BUF_INIT;
    enum err err = pack_read_file(frame->pack, file, &text, NULL, f);

    if (!err) {
        err = wf_template_parse(buf_slice(&text), file, t, &frame->warnings, f);
    }
    buf_fini(&text);
    return err;
}

/* Stores in '*path' the file that 'named', an option's value, means: itself, or the usual one in
 * it. */
static enum err
find_source(const struct frame *frame, const struct dir *workspace, const char *named, char **path,
            struct fault *f)
{
    const struct pack_dynamic *dynamic = pack_dynamic(frame->pack);
    const char *usual =
        dynamic->parser == PACK_PARSE_TASKS ? "tasks.md" : "workflow-definition.yaml";
    size_t len = strlen(named);

    while (len > 1 && named[len - 1] == '/') {
        len--;
    }
    *path = xstrndup(named, len);
    if (!pack_path_is_safe(*path)) {
        (void)fault_set(f, E_ARGUMENT, "the source of this workflow must be a path in the project");
        return fault_remedy(f, "give option '%s' relative to the project's root, without '..'",
                            dynamic->source_path_key);
    }
    if (dir_is_folder(workspace, *path)) {
        free(*path);
        *path = xasprintf("%.*s/%s", (int)len, named, usual);
    }
    return E_OK;
}

/* Reads and parses the source. */
static enum err
read_source(const struct frame *frame, const struct dir *workspace, struct problems *problems,
            struct wf_source **source, struct buf *text, struct file_identity *identity,
            struct fault *f)
{
    struct fault local = FAULT_INIT;
    const char *path = frame->source_path;
    enum err err = dir_read(workspace, path, WF_SOURCE_BYTES_MAX, text, identity, &local);

    *source = NULL;
    if (err == E_NOT_FOUND) {
        (void)fault_set(f, E_NOT_FOUND, "there is no file %s to make the phases from", path);
        return fault_remedy(f, "write the file, or name another in option '%s'",
                            pack_dynamic(frame->pack)->source_path_key);
    }
    if (!err && pack_dynamic(frame->pack)->parser == PACK_PARSE_TASKS) {
        err = wf_tasklist_parse(buf_slice(text), path, problems, source, &local);
    } else if (!err) {
        err = wf_definition_parse(buf_slice(text), path, problems, source, &local);
    }
    if (err && f) {
        (void)fault_at(f, err, local.line, local.column, "%s%s%s", path, ": ", local.text);
        if (local.remedy[0]) {
            (void)fault_remedy(f, "%s", local.remedy);
        }
    }
    return err;
}

/* The start option that names the source, or the session's target. */
static const char *
source_named(const struct pack_dynamic *dynamic, const char *target, const json_t *options)
{
    const json_t *value = json_object_get(options, dynamic->source_path_key);
    const char *named = value ? json_string_value(value) : target;

    return named && named[0] ? named : NULL;
}

static enum err
build_source(struct wf_content *content, const struct dir *workspace, const char *target,
             const json_t *options, struct fault *f)
{
    struct frame *frame = content->frame;
    const struct pack_dynamic *dynamic = pack_dynamic(frame->pack);
    const char *named = source_named(dynamic, target, options);
    struct buf text = BUF_INIT;
    enum err err;

    if (!named) {
        (void)fault_set(f, E_ARGUMENT, "workflow '%s' makes its phases from a file",
                        pack_id(frame->pack));
        return fault_remedy(f, "name the file, or its folder, in option '%s'",
                            dynamic->source_path_key);
    }
    err = load_template(frame, dynamic->phase_template, &frame->phase_template, f);
    if (!err) {
        err = load_template(frame, dynamic->task_template, &frame->task_template, f);
    }
    if (!err) {
        err = find_source(frame, workspace, named, &frame->source_path, f);
    }
    if (!err) {
        err = read_source(frame, workspace, &frame->warnings, &content->source, &text,
                          &content->identity, f);
    }
    if (!err) {
        err = digest_source(content->source, buf_slice(&text), frame->source_digest, f);
    }
    buf_fini(&text);
    return err;
}

static int
compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

/* Numbers the phases: the pack's own, and around them those of the source. */
static enum err
build_phases(struct wf_content *content, struct fault *f)
{
    struct frame *frame = content->frame;
    size_t own = pack_phase_count(frame->pack);
    size_t made = content->source ? content->source->phase_count : 0;
    int offset;

    frame->phases = xcalloc(own + made, sizeof *frame->phases);
    for (size_t i = 0; i < own; i++) {
        if (pack_phase_at(frame->pack, i)->folder) {
            frame->phases[frame->phase_count++] = pack_phase_at(frame->pack, i)->number;
        }
    }
    if (content->source) {
        offset = wf_source_place(content->source, frame->phases, frame->phase_count);
        if (offset > 0) {
            problems_add(&frame->warnings, PROBLEM_WARNING, frame->source_path, 0, 0,
                         "the workflow has phases of its own with these numbers: phases of the "
                         "source are numbered %d higher",
                         offset);
        }
    }
    for (size_t i = 0; i < made; i++) {
        frame->phases[frame->phase_count++] = content->source->phases[i].number;
    }
    for (size_t i = 0; i < own; i++) {
        const struct pack_phase *phase = pack_phase_at(frame->pack, i);

        if (!phase->folder && content->source && !wf_source_phase(content->source, phase->number)) {
            problems_add(&frame->warnings, PROBLEM_WARNING, "metadata.json", 0, 0,
                         "phase %d is neither in a folder nor in the source: it is not offered",
                         phase->number);
        }
    }
    qsort(frame->phases, frame->phase_count, sizeof *frame->phases, compare_ints);
    if (frame->phase_count == 0) {
        return fault_set(f, E_REFUSED, "workflow '%s' has no phase", pack_id(frame->pack));
    }
    return E_OK;
}

enum err
wf_content_build(struct pack *pack, struct dir *workspace, const char *target,
                 const json_t *options, struct wf_content **result, struct fault *f)
{
    struct wf_content *content = xcalloc(1, sizeof *content);
    struct frame *frame = xcalloc(1, sizeof *frame);
    const struct problems *warnings = pack_warnings(pack);
    enum err err = E_OK;

    *result = NULL;
    content->refs = frame->refs = 1;
    content->frame = frame;
    frame->pack = pack_ref(pack);
    for (size_t i = 0; i < warnings->count; i++) {
        const struct problem *p = &warnings->items[i];

        problems_add(&frame->warnings, p->severity, p->file, p->line, p->column, "%s", p->text);
    }
    if (pack_dynamic(pack)) {
        err = build_source(content, workspace, target, options, f);
    }
    if (!err) {
        err = build_phases(content, f);
    }
    if (!err && content->source) {
        err = content_check_gates(content, &frame->warnings, f);
    }
    if (!err) {
        err = wf_content_digest(content, frame->digest, f);
    }
    if (err) {
        wf_content_unref(content);
        return err;
    }
    *result = content;
    return E_OK;
}

/* A reference to content with another source (steals), which may be null for the same one. */
static struct wf_content *
with_source(struct wf_content *content, struct wf_source *source,
            const struct file_identity *identity, const char *warning)
{
    struct wf_content *fresh = xcalloc(1, sizeof *fresh);

    fresh->refs = 1;
    fresh->frame = content->frame;
    atomic_fetch_add_explicit(&content->frame->refs, 1, memory_order_relaxed);
    fresh->source = source ? source : wf_source_ref(content->source);
    fresh->identity = *identity;
    fresh->warning = warning ? xstrdup(warning) : NULL;
    return fresh;
}

enum err
wf_content_refresh(struct wf_content *content, struct dir *workspace, struct wf_content **fresh,
                   char **warning, struct fault *f)
{
    struct frame *frame = content->frame;
    struct wf_source *now = NULL, *ticked = NULL;
    struct file_identity identity;
    struct fault local = FAULT_INIT;
    struct buf text = BUF_INIT;
    bool changed = false;
    enum err err = E_OK;

    *warning = NULL;
    *fresh = NULL;
    if (!content->source || (dir_identity(workspace, frame->source_path, &identity, NULL) == E_OK &&
                             file_identity_equal(&identity, &content->identity))) {
        *warning = content->warning ? xstrdup(content->warning) : NULL;
        *fresh = wf_content_ref(content);
        return E_OK;
    }
    if (read_source(frame, workspace, NULL, &now, &text, &identity, &local)) {
        *warning = xasprintf("the source cannot be read any more (%s); the session goes on with "
                             "what it has",
                             local.text);
        *fresh = wf_content_ref(content);
    } else {
        err = wf_source_refresh(content->source, now, &ticked, &changed, f);
        if (!err) {
            if (changed) {
                *warning = xasprintf("%s has other phases or tasks than when the session started; "
                                     "the session keeps its own, only ticks are new",
                                     frame->source_path);
            }
            *fresh = with_source(content, ticked, &identity, *warning);
        }
    }
    wf_source_unref(now);
    buf_fini(&text);
    return err;
}
