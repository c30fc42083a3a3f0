/* cmd_check.c -- "tandem check": every problem of a pack, a skill, a gate, a definition, a task
 * list, a configuration, of standards, of the helpdesk, or of a whole project.
 *
 * What a path is, is told by its name: a folder with a data folder in it is a project; one called
 * "standards", or with nothing but Markdown in it, holds standards, as do those below it; one
 * called "helpdesk" is the helpdesk's; one with metadata.json is a pack, one with a SKILL.md a
 * skill, one that holds such folders is a collection; metadata.json and SKILL.md stand for their
 * folder; what is below a folder "standards" is one; any other *.md is a task list; *.yaml is a
 * definition if it has phases, else a gate; index.json and index.jsonl are the helpdesk's; a *.json
 * in a folder "tenants" is a tenant's settings, any other a configuration. */
#include "server/command.h"
#include "server/report.h"
#include "state/base/file.h"
#include "state/helpdesk_check.h"
#include "state/skills.h"
#include "state/standards_check.h"
#include "state/tenant_config.h"
#include "state/tenant_id.h"
#include "state/workflow_definition.h"
#include "state/workflow_gate.h"
#include "state/workflow_pack.h"
#include "state/workflow_tasklist.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct check {
    size_t errors, warnings, checked;
};

static bool
ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Prints what was found beneath 'folder' (empty: the names say it all) and counts it. */
static void
tell(struct check *c, const char *folder, struct problems *problems)
{
    report_problems(stdout, folder, problems);
    c->errors += problems->errors;
    c->warnings += problems->count + problems->left_out - problems->errors;
    c->checked++;
    problems_fini(problems);
}

/* A failure that no problem tells of becomes one. */
static void
add_fault(struct problems *problems, const char *file, enum err err, const struct fault *f)
{
    if (err && problems->errors == 0) {
        problems_add(problems, PROBLEM_ERROR, file, f->line, f->column, "%s", f->text);
    }
}

/* Checks a folder that is a pack or a skill; false if it is neither.  'path' is how it is told,
 * 'real' its absolute path. */
static bool
check_one(struct check *c, struct dir *dir, const char *path, const char *real)
{
    struct problems problems = PROBLEMS_INIT;
    struct fault f = FAULT_INIT;
    const char *id = strrchr(real, '/') + 1;

    if (dir_is_file(dir, "metadata.json")) {
        add_fault(&problems, "", pack_check(dir, id, &problems, &f), &f);
    } else if (dir_is_file(dir, SKILL_FILE)) {
        bool of_standards = id - real > 11 && memcmp(id - 11, "/standards/", 11) == 0;

        skill_check(dir, of_standards ? SKILL_STANDARDS : SKILL_PROJECT, id, &problems);
    } else {
        return false;
    }
    tell(c, strcmp(path, ".") == 0 ? "" : path, &problems);
    return true;
}

/* Checks the standards in the folder 'name' beneath 'base', told as 'path'; false if there are
 * none.
 */
static bool
check_standards(struct check *c, struct dir *base, const char *name, const char *path)
{
    struct problems problems = PROBLEMS_INIT;
    const struct dir_place at = {base, name};
    size_t count = standards_check(&at, &problems);

    if (count == 0 && problems.count == 0) {
        return false;
    }
    c->checked += count ? count - 1 : 0;
    tell(c, strcmp(path, ".") == 0 ? "" : path, &problems);
    return true;
}

/* The same for the folder of a helpdesk. */
static bool
check_helpdesk(struct check *c, struct dir *base, const char *name, const char *path)
{
    struct problems problems = PROBLEMS_INIT;
    const struct dir_place at = {base, name};
    size_t count = helpdesk_check(&at, &problems);

    if (count == 0 && problems.count == 0) {
        return false;
    }
    c->checked += count ? count - 1 : 0;
    tell(c, strcmp(path, ".") == 0 ? "" : path, &problems);
    return true;
}

/* Checks the packs and skills in a folder. */
static enum err
check_collection(struct check *c, struct dir *dir, const char *path, const char *real,
                 struct fault *f)
{
    struct dir_list list = {.count = 0};
    size_t before = c->checked;
    enum err err = dir_list(dir, ".", PACKS_MAX, &list, f);

    for (size_t i = 0; i < list.count && !err; i++) {
        char *its_path = xasprintf("%s/%s", path, list.entries[i].name);
        char *its_real = xasprintf("%s/%s", real, list.entries[i].name);
        struct dir *folder = NULL;

        if (list.entries[i].folder) {
            err = dir_sub(dir, list.entries[i].name, false, &folder, f);
            if (!err) {
                check_one(c, folder, its_path, its_real);
            }
        }
        dir_unref(folder);
        free(its_real);
        free(its_path);
    }
    if (!err && c->checked == before && !check_standards(c, dir, ".", path)) {
        fault_set(f, E_ARGUMENT,
                  "%s has no metadata.json or " SKILL_FILE
                  ", nor has any folder in it, nor is any Markdown there",
                  path);
        err =
            fault_remedy(f, "give the folder of a pack, a skill or standards, a folder of packs or "
                            "skills, or a project");
    }
    dir_list_fini(&list);
    return err;
}

/* The folder that the configuration of a project sets by 'key', else 'own' in the data folder
 * 'name'; from the root.  New. */
static char *
folder_of(struct dir *data, const char *name, enum setting key, const char *own)
{
    struct config_texts texts = {.text = {NULL}};
    struct problems problems = PROBLEMS_INIT;
    struct buf file = BUF_INIT;
    char *path = NULL;

    if (dir_read(data, "config.json", CONFIG_FILE_MAX, &file, NULL, NULL) == E_OK) {
        config_texts_from_file(&texts, buf_slice(&file), "config.json", &problems);
        path = texts.text[key];
        path = path ? xstrdup(path) : NULL;
    }
    buf_fini(&file);
    problems_fini(&problems);
    config_texts_fini(&texts);
    return path ? path : xasprintf("%s/%s", name, own);
}

static enum err check_folder(struct check *c, const char *path, struct fault *f);
static enum err check_file(struct check *c, const char *path, struct fault *f);

/* Checks the settings of each tenant of a project. */
static enum err
check_tenants(struct check *c, struct dir *data, const char *path, const char *name,
              struct fault *f)
{
    struct dir_list list;
    enum err err = E_OK;

    if (dir_list(data, "tenants", PACKS_MAX, &list, NULL) != E_OK) {
        return E_OK; /* There are none. */
    }
    for (size_t i = 0; i < list.count && !err; i++) {
        char *at = xasprintf("%s/%s/tenants/%s", path, name, list.entries[i].name);

        if (!list.entries[i].folder && ends_with(at, ".json")) {
            err = check_file(c, at, f);
        }
        free(at);
    }
    dir_list_fini(&list);
    return err;
}

/* Checks what of a project is there; false if 'dir' is none. */
static bool
check_project(struct check *c, struct dir *dir, const char *path, enum err *err, struct fault *f)
{
    static const char *const folders[] = {"workflows", "skills"};
    const char *name = dir_is_folder(dir, ".tandem") ? ".tandem" : ".praxis-os";
    struct dir *data;
    char *standards, *helpdesk, *at;

    if (dir_sub(dir, name, false, &data, NULL) != E_OK) {
        return false;
    }
    *err = E_OK;
    if (dir_is_file(data, "config.json")) {
        at = xasprintf("%s/%s/config.json", path, name);
        *err = check_file(c, at, f);
        free(at);
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && !*err; i++) {
        at = xasprintf("%s/%s/%s", path, name, folders[i]);
        *err = dir_is_folder(data, folders[i]) ? check_folder(c, at, f) : E_OK;
        free(at);
    }
    *err = *err ? *err : check_tenants(c, data, path, name, f);
    standards = folder_of(data, name, SETTING_standards_path, "standards");
    at = xasprintf("%s/%s", path, standards);
    check_standards(c, dir, standards, at);
    free(at);
    helpdesk = folder_of(data, name, SETTING_helpdesk_folder, "helpdesk");
    at = xasprintf("%s/%s", path, helpdesk);
    check_helpdesk(c, dir, helpdesk, at);
    free(at);
    free(helpdesk);
    free(standards);
    dir_unref(data);
    return true;
}

static enum err
check_folder(struct check *c, const char *path, struct fault *f)
{
    char *real = realpath(path, NULL);
    struct dir *dir = NULL;
    enum err err = dir_open(path, false, &dir, f);

    if (!err && !real) {
        err = fault_set(f, E_NOT_FOUND, "%s cannot be read: %s", path, strerror(errno));
    }
    if (!err && ends_with(real, "/standards") && check_standards(c, dir, ".", path)) {
        goto out;
    }
    if (!err && ends_with(real, "/helpdesk") && check_helpdesk(c, dir, ".", path)) {
        goto out;
    }
    if (!err && !check_one(c, dir, path, real) && !check_project(c, dir, path, &err, f)) {
        err = check_collection(c, dir, path, real, f);
    }
out:
    dir_unref(dir);
    free(real);
    return err;
}

/* True if a definition's list of phases begins some line of 'text'. */
static bool
has_phases(struct slice text)
{
    static const char key[] = "phases:";

    for (const char *p = text.data; p && p < text.data + text.len;) {
        const char *end = memchr(p, '\n', (size_t)(text.data + text.len - p));
        if ((size_t)(text.data + text.len - p) >= strlen(key) && memcmp(p, key, strlen(key)) == 0) {
            return true;
        }
        p = end ? end + 1 : NULL;
    }
    return false;
}

/* Checks a tenant's settings; 'name' is the file's. */
static enum err
check_tenant(const char *path, const char *name, struct slice text, struct problems *problems,
             struct fault *f)
{
    char *id = xstrndup(name, strlen(name) - strlen(".json"));
    json_t *config = NULL;
    enum err err;

    if (!tenant_id_valid(slice_of(id))) {
        problems_add(problems, PROBLEM_ERROR, path, 0, 0, "\"%s\" is no tenant's id: %s", id,
                     TENANT_ID_RULE);
    }
    err = tenant_config_parse(text, id, path, problems, &config, f);
    json_decref(config);
    free(id);
    return err;
}

/* 'folder' and 'name' are the file's real ones. */
static enum err
check_text(struct check *c, const char *path, const char *folder, const char *name,
           struct slice text, struct fault *f)
{
    struct problems problems = PROBLEMS_INIT;
    struct wf_source *source = NULL;
    struct gate *gate = NULL;
    enum err err = E_OK;

    if (ends_with(path, ".md")) {
        err = wf_tasklist_parse(text, path, &problems, &source, f);
    } else if (ends_with(name, ".json") && ends_with(folder, "/tenants")) {
        err = check_tenant(path, name, text, &problems, f);
    } else if (ends_with(path, ".json")) {
        config_check(text, path, &problems);
    } else if (!ends_with(path, ".yaml") && !ends_with(path, ".yml")) {
        fault_set(f, E_ARGUMENT, "%s: what it is cannot be told from its name", path);
        return fault_remedy(f, "task lists end in .md, gates and definitions in .yaml, "
                               "configurations in .json");
    } else if (has_phases(text)) {
        err = wf_definition_parse(text, path, &problems, &source, f);
    } else {
        err = gate_parse(text, path, &gate, &problems, f);
    }
    add_fault(&problems, path, err, f);
    wf_source_unref(source);
    gate_unref(gate);
    tell(c, "", &problems);
    return E_OK;
}

/* Checks a file below a folder "standards"; false if it is none that a search would use. */
static bool
check_one_standard(struct check *c, const char *path, char *real)
{
    struct problems problems = PROBLEMS_INIT;
    struct dir_place at = {.path = "."};
    char *end = strstr(real, "/standards/"), *below, *shown;
    bool good;

    if (!end) {
        return false;
    }
    end += strlen("/standards");
    below = end + 1;
    *end = '\0';
    good = dir_open(real, false, &at.base, NULL) == E_OK &&
           standards_check_file(&at, below, &problems);
    *end = '/';
    dir_unref(at.base);
    if (good) { /* It is told by the path that was given, as far as that goes. */
        shown = ends_with(path, end) ? xstrndup(path, strlen(path) - strlen(end)) : xstrdup("");
        tell(c, shown, &problems);
        free(shown);
    }
    return good;
}

static enum err
check_file(struct check *c, const char *path, struct fault *f)
{
    char *real = realpath(path, NULL); /* The user's own path: links in it are followed. */
    char *name = real ? strrchr(real, '/') : NULL;
    char *folder = xstrdup(path);
    struct buf text = BUF_INIT;
    struct dir *dir = NULL;
    enum err err;

    if (!name) {
        err = fault_set(f, E_NOT_FOUND, "%s cannot be read: %s", path, strerror(errno));
        goto out;
    }
    if (strcmp(name, "/metadata.json") == 0 || strcmp(name, "/" SKILL_FILE) == 0) {
        *name = '\0';
        err = check_folder(c, strchr(path, '/') ? dirname(folder) : ".", f);
        goto out;
    }
    if (check_one_standard(c, path, real)) {
        err = E_OK;
        goto out;
    }
    *name++ = '\0';
    err = dir_open(*real ? real : "/", false, &dir, f);
    if (!err && helpdesk_check_knows(name)) {
        struct problems problems = PROBLEMS_INIT;

        helpdesk_check_file(dir, name, path, &problems);
        tell(c, "", &problems);
        goto out;
    }
    if (!err) {
        err = dir_read(dir, name, WF_SOURCE_BYTES_MAX, &text, NULL, f);
    }
    if (!err) {
        err = check_text(c, path, real, name, buf_slice(&text), f);
    }
out:
    buf_fini(&text);
    dir_unref(dir);
    free(folder);
    free(real);
    return err;
}

static int
run(struct invocation *invocation)
{
    struct check c = {.checked = 0};
    bool failed = false;

    for (int i = 0; i < invocation->arg_count; i++) {
        char *path = xstrdup(invocation->args[i]);
        struct fault f = FAULT_INIT;
        struct stat st;

        for (size_t len = strlen(path); len > 1 && path[len - 1] == '/'; len--) {
            path[len - 1] = '\0';
        }
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? check_folder(&c, path, &f)
                                                        : check_file(&c, path, &f)) {
            report_fault(stderr, &f);
            failed = true;
        }
        free(path);
    }
    if (c.checked) {
        printf("%zu checked: %zu error%s, %zu warning%s\n", c.checked, c.errors,
               c.errors == 1 ? "" : "s", c.warnings, c.warnings == 1 ? "" : "s");
    }
    return failed || c.errors ? STATUS_FAILED : STATUS_OK;
}

const struct command command_check = {
    .name = "check",
    .usage = "PATH ...",
    .summary = "check packs, skills, gates, standards, helpdesk, tasks, settings",
    .details =
        "Tells every problem as file:line:column: error or warning: what is wrong. A folder "
        "is a project, a pack or a skill, holds some of these, or is one of standards; .md "
        "is a task list, .yaml a gate or a definition, .json a configuration, or in a folder "
        "tenants a tenant's settings; index.json and index.jsonl are the helpdesk's. The status is "
        "1 if there is any error.",
    .least_args = 1,
    .most_args = 10000,
    .run = run,
};
