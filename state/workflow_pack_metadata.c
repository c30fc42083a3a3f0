/* workflow_pack_metadata.c -- see workflow_pack_private.h: makes sense of metadata.json.
 *
 * Severity: a warning is what is missing, odd or contradicted by the folders, and has a default; an
 * error is a value that cannot mean anything, or a path that leaves the pack. */
#include "state/json_place.h"
#include "state/workflow_pack_private.h"

#include <math.h>
#include <stdio.h>

void
pack_complain(struct pack_maker *m, enum problem_severity severity, const char *path,
              const char *format, ...)
{
    struct pack *pack = m->pack;
    bool first = severity == PROBLEM_ERROR && pack->warnings.errors == 0;
    struct json_place place = {0, 0};
    char text[300];
    va_list args;

    /* Each place costs a walk over the text: not for what a full list would not keep. */
    if (first || pack->warnings.count < PROBLEMS_MAX) {
        place = json_place(m->text, path);
    }
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (first) {
        (void)fault_at(&pack->refusal, E_REFUSED, place.line, place.column,
                       "%s/%s: %s, line %u, column %u", pack->id, PACK_METADATA, text, place.line,
                       place.column);
        (void)fault_remedy(&pack->refusal, "mend the file; 'tandem check' tells every problem");
    }
    problems_add(&pack->warnings, severity, PACK_METADATA, place.line, place.column, "%s", text);
}

const char *
pack_text(struct pack_maker *m, const json_t *object, const char *path, const char *key,
          const char *otherwise, bool wanted)
{
    const json_t *value = json_object_get(object, key);
    char *at = xasprintf("%s/%s", path, key);
    char *number = NULL;
    const char *text = otherwise;

    if (!value || json_is_null(value)) {
        if (wanted) {
            pack_complain(m, PROBLEM_WARNING, path, "'%s' is missing", key);
        }
    } else if (json_is_string(value)) {
        text = json_string_value(value);
    } else if (json_is_number(value) || json_is_boolean(value)) {
        number = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        pack_complain(m, PROBLEM_WARNING, at, "'%s' should be text", key);
        text = number ? number : otherwise;
    } else {
        pack_complain(m, PROBLEM_ERROR, at, "'%s' must be text", key);
    }
    text = arena_text(&m->pack->arena, slice_of(text));
    free(number);
    free(at);
    return text ? text : "";
}

bool
pack_number(struct pack_maker *m, const json_t *value, const char *path, int *number)
{
    const char *text = json_string_value(value);
    double d = json_number_value(value);

    if (text) {
        size_t n = strspn(text, "0123456789");

        if (n == 0 || n > 4 || text[n]) {
            return false;
        }
        d = (double)strtol(text, NULL, 10);
    } else if (!json_is_number(value)) {
        return false;
    }
    if (!(d >= 0) || d > PACK_NUMBER_MAX || d != floor(d)) {
        return false;
    }
    if (!json_is_integer(value)) {
        pack_complain(m, PROBLEM_WARNING, path, "%d should be written as an integer", (int)d);
    }
    *number = (int)d;
    return true;
}

/* Is this the number of generated phases: "1-N", "2 - 5", "N", "N+1", "dynamic"? */
static bool
is_range(const json_t *value)
{
    const char *text = json_string_value(value);
    size_t digits;

    if (!text || strcmp(text, "dynamic") == 0) {
        return text != NULL;
    }
    digits = strspn(text, "0123456789");
    text += digits;
    text += strspn(text, " ");
    if (digits > 0 && *text++ != '-') {
        return false;
    }
    text += strspn(text, " ");
    if (*text == 'N' || *text == 'n') {
        text++;
        return *text == '\0' ||
               (*text == '+' && text[1] && !text[1 + strspn(text + 1, "0123456789")]);
    }
    return digits > 0 && *text && !text[strspn(text, "0123456789")];
}

/* The phase of that number, added if it is new; null when there are too many. */
static struct pack_phase *
phase_of(struct pack_maker *m, int number, bool *is_new)
{
    struct pack *pack = m->pack;
    struct pack_phase *phase;
    char file[PACK_PATH_MAX], name[32];

    for (size_t i = 0; i < pack->phase_count; i++) {
        if (pack->phases[i].number == number) {
            *is_new = false;
            return &pack->phases[i];
        }
    }
    *is_new = true;
    if (pack->phase_count == PACK_PHASES_MAX) {
        pack_complain(m, PROBLEM_ERROR, "", "more than %u phases", PACK_PHASES_MAX);
        return NULL;
    }
    phase = &pack->phases[pack->phase_count++];
    snprintf(file, sizeof file, "phases/%d/phase.md", number);
    snprintf(name, sizeof name, "Phase %d", number);
    *phase = (struct pack_phase){.number = number, .purpose = "", .effort = ""};
    phase->file = arena_text(&pack->arena, slice_of(file));
    phase->name = arena_text(&pack->arena, slice_of(name));
    return phase;
}

/* Uses phase_file if it names a file of the pack. */
static void
read_phase_file(struct pack_maker *m, struct pack_phase *phase, const json_t *entry,
                const char *path)
{
    const char *key = json_object_get(entry, "phase_file") ? "phase_file" : "file";
    const char *file = json_string_value(json_object_get(entry, key));
    char *at = xasprintf("%s/%s", path, key);
    struct file_identity identity;

    if (file && !pack_path_is_safe(file)) {
        pack_complain(m, PROBLEM_ERROR, at, "this path leaves the workflow's folder");
    } else if (file && strcmp(file, phase->file) != 0) {
        enum err err = dir_identity(m->pack->dir, file, &identity, NULL);

        if (err == E_OK) {
            phase->file = arena_text(&m->pack->arena, slice_of(file));
        } else if (err == E_ARGUMENT) {
            pack_complain(m, PROBLEM_ERROR, at, "this path leaves the workflow's folder");
        } else {
            pack_complain(m, PROBLEM_WARNING, at, "there is no file %s", file);
        }
    }
    free(at);
}

/* Arrays of text that a phase should have. */
static void
want_list(struct pack_maker *m, const json_t *object, const char *path, const char *key)
{
    const json_t *list = json_object_get(object, key);
    char *at = xasprintf("%s/%s", path, key);

    if (!list || json_is_null(list)) {
        pack_complain(m, PROBLEM_WARNING, path, "'%s' is missing", key);
    } else if (!json_is_array(list)) {
        pack_complain(m, PROBLEM_WARNING, at, "'%s' should be a list", key);
    }
    free(at);
}

static void
read_entry(struct pack_maker *m, const json_t *entry, const char *path, int *last)
{
    const json_t *value = json_object_get(entry, "phase_number");
    char *at = xasprintf("%s/phase_number", path);
    struct pack_phase *phase = NULL;
    int number = *last + 1;
    bool is_new = false;

    if (!json_is_object(entry)) {
        pack_complain(m, PROBLEM_ERROR, path, "a phase must be an object");
    } else if (value && !pack_number(m, value, at, &number)) {
        if (!is_range(value)) {
            pack_complain(m, PROBLEM_ERROR, at, "'phase_number' must be a number of 0 to %d",
                          PACK_NUMBER_MAX);
        } else if (m->pack->range) {
            pack_complain(m, PROBLEM_WARNING, at, "a second entry for generated phases");
        } else {
            m->pack->range = entry;
        }
    } else {
        if (!value) {
            pack_complain(m, PROBLEM_WARNING, path, "'phase_number' is missing: taken for %d",
                          number);
        }
        phase = phase_of(m, number, &is_new);
        if (phase && !is_new) {
            pack_complain(m, PROBLEM_WARNING, at,
                          "phase %d is there already, this entry is left out", number);
            phase = NULL;
        }
    }
    free(at);
    if (!phase) {
        return;
    }
    *last = number;
    phase->metadata = entry;
    phase->name = pack_text(m, entry, path, "phase_name", phase->name, true);
    phase->purpose = pack_text(m, entry, path, "purpose", "", true);
    phase->effort = pack_text(m, entry, path, "estimated_effort", "", true);
    want_list(m, entry, path, "key_deliverables");
    want_list(m, entry, path, "validation_criteria");
    read_phase_file(m, phase, entry, path);
}

static void
read_entries(struct pack_maker *m)
{
    const json_t *phases = json_object_get(m->pack->metadata, "phases");
    const json_t *start = json_object_get(m->pack->metadata, "start_phase");
    int last = json_is_integer(start) && json_integer_value(start) > 0 &&
                       json_integer_value(start) <= PACK_NUMBER_MAX
                   ? (int)json_integer_value(start) - 1
                   : -1;

    if (!phases) {
        pack_complain(m, PROBLEM_WARNING, "", "'phases' is missing");
    } else if (!json_is_array(phases)) {
        pack_complain(m, PROBLEM_ERROR, "/phases", "'phases' must be a list");
    }
    for (size_t i = 0; i < json_array_size(phases); i++) {
        char path[32];

        snprintf(path, sizeof path, "/phases/%zu", i);
        read_entry(m, json_array_get(phases, i), path, &last);
    }
}

/* Reads the name of a folder of a phase: a number without leading zeros. */
static bool
folder_number(const char *name, int *number)
{
    size_t n = strspn(name, "0123456789");

    if (n == 0 || n > 4 || name[n] || (n > 1 && name[0] == '0')) {
        return false;
    }
    *number = (int)strtol(name, NULL, 10);
    return true;
}

static enum err
read_folders(struct pack_maker *m)
{
    struct dir_list list;
    enum err err = dir_list(m->pack->dir, "phases", PACK_ENTRIES_MAX, &list, m->fault);

    if (err) {
        return err == E_NOT_FOUND ? E_OK : err;
    }
    for (size_t i = 0; i < list.count; i++) {
        struct pack_phase *phase;
        bool is_new;
        int number;

        if (!list.entries[i].folder || strcmp(list.entries[i].name, "dynamic") == 0) {
            continue;
        }
        if (!folder_number(list.entries[i].name, &number)) {
            problems_add(&m->pack->warnings, PROBLEM_WARNING, "phases", 0, 0,
                         "folder phases/%s is no phase: its name is no number",
                         list.entries[i].name);
            continue;
        }
        phase = phase_of(m, number, &is_new);
        if (phase) {
            phase->folder = true;
            if (is_new) {
                pack_complain(m, PROBLEM_WARNING, "/phases", "folder phases/%d has no entry",
                              number);
            }
        }
    }
    dir_list_fini(&list);
    return E_OK;
}

static int
compare_phases(const void *a, const void *b)
{
    const struct pack_phase *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

static void
read_dynamic(struct pack_maker *m)
{
    struct pack *pack = m->pack;
    const json_t *on = json_object_get(pack->metadata, "dynamic_phases");
    const json_t *config = json_object_get(pack->metadata, "dynamic_config");
    const json_t *templates = json_object_get(config, "templates");
    const char *parser;

    pack->is_dynamic = json_is_true(on) || (!on && json_is_object(config));
    if (on && !json_is_boolean(on)) {
        pack_complain(m, PROBLEM_ERROR, "/dynamic_phases",
                      "'dynamic_phases' must be true or false");
    }
    if (!pack->is_dynamic) {
        return;
    }
    if (!json_is_object(config)) {
        pack_complain(m, config ? PROBLEM_ERROR : PROBLEM_WARNING, "/dynamic_config",
                      "'dynamic_config' should be an object");
    }
    pack->dynamic.source_type = pack_text(m, config, "/dynamic_config", "source_type", "", false);
    pack->dynamic.source_path_key =
        pack_text(m, config, "/dynamic_config", "source_path_key", "spec_path", false);
    pack->dynamic.phase_template = pack_text(m, templates, "/dynamic_config/templates", "phase",
                                             "phases/dynamic/phase-template.md", false);
    pack->dynamic.task_template = pack_text(m, templates, "/dynamic_config/templates", "task",
                                            "phases/dynamic/task-template.md", false);
    if (!pack_path_is_safe(pack->dynamic.phase_template) ||
        !pack_path_is_safe(pack->dynamic.task_template)) {
        pack_complain(m, PROBLEM_ERROR, "/dynamic_config/templates",
                      "the path of a template leaves the workflow's folder");
    }
    parser = pack_text(m, config, "/dynamic_config", "parser", "spec_tasks_parser", false);
    if (strcmp(parser, "workflow_definition_parser") == 0) {
        pack->dynamic.parser = PACK_PARSE_DEFINITION;
    } else if (strcmp(parser, "spec_tasks_parser") != 0) {
        pack_complain(m, PROBLEM_ERROR, "/dynamic_config/parser",
                      "'%.60s' is no parser: there are spec_tasks_parser and "
                      "workflow_definition_parser",
                      parser);
    }
}

/* What metadata says of all phases together, against what there is. */
static void
check_phases(struct pack_maker *m)
{
    const struct pack *pack = m->pack;
    const json_t *total = json_object_get(pack->metadata, "total_phases");
    size_t offered = 0;
    int number;

    for (size_t i = 0; i < pack->phase_count; i++) {
        const struct pack_phase *phase = &pack->phases[i];
        struct file_identity identity;

        offered += phase->folder;
        if (!phase->folder && !pack->is_dynamic) {
            pack_complain(m, PROBLEM_WARNING, "/phases",
                          "phase %d has no folder phases/%d: it is not offered", phase->number,
                          phase->number);
        } else if (phase->folder && dir_identity(pack->dir, phase->file, &identity, NULL) != E_OK) {
            problems_add(&m->pack->warnings, PROBLEM_WARNING, phase->file, 0, 0,
                         "phase %d has no readable %s", phase->number, phase->file);
        }
    }
    if (!pack->is_dynamic && offered == 0) {
        pack_complain(m, PROBLEM_ERROR, "/phases",
                      "no phase has a folder: there is nothing to run");
    }
    if (pack->range && !pack->is_dynamic) {
        pack_complain(m, PROBLEM_WARNING, "/phases",
                      "an entry for generated phases, but 'dynamic_phases' is not true");
    }
    if (!total) {
        pack_complain(m, PROBLEM_WARNING, "", "'total_phases' is missing");
    } else if (json_is_string(total) && strcmp(json_string_value(total), "dynamic") == 0) {
        if (!pack->is_dynamic) {
            pack_complain(m, PROBLEM_WARNING, "/total_phases",
                          "\"dynamic\", but 'dynamic_phases' is not true");
        }
    } else if (!pack_number(m, total, "/total_phases", &number)) {
        pack_complain(m, PROBLEM_WARNING, "/total_phases",
                      "'total_phases' should be a number or \"dynamic\"");
    } else if (!pack->is_dynamic && (size_t)number != offered) {
        pack_complain(m, PROBLEM_WARNING, "/total_phases",
                      "'total_phases' is %d, but there are %zu", number, offered);
    }
}

static void
read_root(struct pack_maker *m)
{
    struct pack *pack = m->pack;

    pack->type = pack_text(m, pack->metadata, "", "workflow_type", pack->id, true);
    pack->version = pack_text(m, pack->metadata, "", "version", "unversioned", true);
    pack->title = pack_text(m, pack->metadata, "", "name", pack->id, false);
    pack->description = pack_text(m, pack->metadata, "", "description", "", false);
    (void)pack_text(m, pack->metadata, "", "estimated_duration", "", true);
    want_list(m, pack->metadata, "", "primary_outputs");
}

enum err
pack_make(struct dir *dir, const char *id, struct pack **result, struct fault *f)
{
    struct pack *pack = xcalloc(1, sizeof *pack);
    struct pack_maker m = {.pack = pack, .fault = f};
    struct buf text = BUF_INIT;
    enum err err;

    *result = NULL;
    pack->refs = 1;
    pack->dir = dir_ref(dir);
    pack->arena.limit = PACK_ARENA_MAX;
    snprintf(pack->id, sizeof pack->id, "%s", id);
    err = pack_read_metadata(dir, id, &pack->metadata, &text, &pack->identity, f);
    if (!err) {
        m.text = buf_slice(&text);
        pack->phases = arena_take(&pack->arena, PACK_PHASES_MAX, sizeof *pack->phases);
        err = pack->phases ? E_OK : fault_set(f, E_OVERLOAD, "no memory for workflow '%s'", id);
    }
    if (!err) {
        read_root(&m);
        read_dynamic(&m);
        read_entries(&m);
        err = read_folders(&m);
    }
    if (!err) {
        qsort(pack->phases, pack->phase_count, sizeof *pack->phases, compare_phases);
        for (size_t i = 0; i < pack->phase_count; i++) {
            char path[32] = "/phases";
            const json_t *list = json_object_get(pack->metadata, "phases");

            for (size_t j = 0; j < json_array_size(list); j++) {
                if (json_array_get(list, j) == pack->phases[i].metadata) {
                    snprintf(path, sizeof path, "/phases/%zu", j);
                }
            }
            pack_make_tasks(&m, &pack->phases[i], pack->phases[i].metadata, path);
        }
        check_phases(&m);
        if (pack->arena.failed) {
            err = fault_set(f, E_OVERLOAD, "no memory for workflow '%s'", id);
        }
    }
    buf_fini(&text);
    if (err) {
        pack_unref(pack);
        return err;
    }
    *result = pack;
    return E_OK;
}
