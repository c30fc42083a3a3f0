/* workflow_input.c -- the rules of paths, options and notes that clients give. */
#include "state/workflow_input.h"

#include "state/base/json_put.h"

#include <string.h>
#include <strings.h>

/* Encoded or look-alike forms of '.', '/' and '\' that something behind us could decode. */
static const char *const disguises[] = {
    "%2e",          "%2f", "%5c", "%252e",        "%252f",
    "%255c",        "%c0", "%00", "\xE2\x80\xA4", /* U+2024 one dot leader */
    "\xE2\x80\xA5",                               /* U+2025 two dot leader */
    "\xEF\xBC\x8E",                               /* U+FF0E fullwidth full stop */
    "\xEF\xBC\x8F",                               /* U+FF0F fullwidth solidus */
    "\xEF\xBC\xBC",                               /* U+FF3C fullwidth reverse solidus */
    "\xEF\xB9\x92",                               /* U+FE52 small full stop */
    "\xEF\xB9\xA8",                               /* U+FE68 small reverse solidus */
};

static bool
has_disguise(const char *text)
{
    for (size_t i = 0; i < sizeof disguises / sizeof *disguises; i++) {
        if (strcasestr(text, disguises[i])) {
            return true;
        }
    }
    return false;
}

/* True if a part between separators, of either kind, is "..". */
static bool
climbs(const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "/\\");
        if (len == 2 && text[0] == '.' && text[1] == '.') {
            return true;
        }
        text += len;
        text += *text != '\0';
    }
    return false;
}

/* What is wrong with a path as text, or null. */
static const char *
path_flaw(const char *text)
{
    if (!*text) {
        return "is empty";
    }
    if (strlen(text) > INPUT_TARGET_MAX) {
        return "is longer than 1024 bytes";
    }
    if (text[0] == '/' || text[0] == '\\' || text[0] == '~') {
        return "is not relative";
    }
    if (((text[0] | 0x20) >= 'a' && (text[0] | 0x20) <= 'z') && text[1] == ':') {
        return "names a drive";
    }
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F) {
            return "holds a control character";
        }
    }
    if (text[strcspn(text, ";|`$&><")]) {
        return "holds one of ; | ` $ & > <";
    }
    if (has_disguise(text)) {
        return "holds an encoded separator or dot";
    }
    return climbs(text) ? "holds '..'" : NULL;
}

enum err
input_check_path(const char *name, const char *text, const struct dir *workspace, struct fault *f)
{
    const char *flaw = path_flaw(text);

    if (!flaw && dir_leads_out(workspace, text)) {
        flaw = "leads out of the workspace by a symbolic link";
    }
    if (flaw) {
        fault_set(f, E_ARGUMENT, "%s %s", name, flaw);
        return fault_remedy(f, "give a path relative to the project, without '..'");
    }
    return E_OK;
}

enum err
input_check_target(const json_t *json, const struct dir *workspace, struct fault *f)
{
    const char *text = json_string_value(json);

    if (!text) {
        fault_set(f, E_ARGUMENT, "target_file is missing, or no string");
        return fault_remedy(f, "say what the workflow is about: a path relative to the project");
    }
    if (strlen(text) != json_string_length(json)) {
        return fault_set(f, E_ARGUMENT, "target_file holds a NUL character");
    }
    return input_check_path("target_file", text, workspace, f);
}

/* Counts values, and finds the first flaw of what is to be stored. */
struct walk {
    size_t values, values_max, depth_max;
    const char *flaw;
};

static void
walk_value(struct walk *w, const json_t *value, size_t depth)
{
    json_t *object = json_is_object(value) ? (json_t *)(uintptr_t)value : NULL;

    if (++w->values > w->values_max) {
        w->flaw = "holds too many values";
    } else if (depth > w->depth_max) {
        w->flaw = "is nested too deep";
    }
    for (void *it = json_object_iter(object); it && !w->flaw;
         it = json_object_iter_next(object, it)) {
        if (strlen(json_object_iter_key(it)) != json_object_iter_key_len(it)) {
            w->flaw = "has a key with a NUL character";
        } else {
            walk_value(w, json_object_iter_value(it), depth + 1);
        }
    }
    for (size_t i = 0; i < json_array_size(value) && !w->flaw; i++) {
        walk_value(w, json_array_get(value, i), depth + 1);
    }
}

enum err
input_check_options(const json_t *options, struct fault *f)
{
    struct walk w = {.values_max = INPUT_OPTIONS_VALUES_MAX, .depth_max = INPUT_OPTIONS_DEPTH_MAX};

    if (!options || json_is_null(options)) {
        return E_OK;
    }
    if (!json_is_object(options)) {
        return fault_set(f, E_ARGUMENT, "options is no object");
    }
    walk_value(&w, options, 0);
    if (!w.flaw && json_size(options) > INPUT_OPTIONS_BYTES_MAX) {
        w.flaw = "is larger than 65536 bytes";
    }
    return w.flaw ? fault_set(f, E_ARGUMENT, "options %s", w.flaw) : E_OK;
}

enum err
input_check_keys(const json_t *value, struct fault *f)
{
    struct walk w = {.values_max = SIZE_MAX, .depth_max = SIZE_MAX};

    walk_value(&w, value, 0);
    return w.flaw ? fault_set(f, E_ARGUMENT, "evidence %s", w.flaw) : E_OK;
}

enum err
input_check_note(const char *name, const char *note, struct fault *f)
{
    if (note && strlen(note) > INPUT_NOTE_MAX) {
        return fault_set(f, E_ARGUMENT, "%s is longer than %u bytes", name, INPUT_NOTE_MAX);
    }
    return E_OK;
}
