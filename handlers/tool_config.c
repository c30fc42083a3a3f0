/* tool_config.c -- get_config, set_config, reload_config, validate_config, and tandem://config: the
 * settings in force, and changing those that a running server can change.
 *
 * No secret and no absolute path is ever told: of a path its last part is shown, of a URL with a
 * user in it the rest. */
#include "handlers/service_resources.h"
#include "handlers/tenant.h"
#include "handlers/tool.h"
#include "state/base/json_put.h"
#include "state/config.h"
#include "state/state.h"

/* 'text' without what nobody needs to know. */
static json_t *
masked(struct slice text)
{
    const char *scheme = text.len ? memmem(text.data, text.len, "://", 3) : NULL;
    const char *slash = text.len ? memrchr(text.data, '/', text.len) : NULL;
    size_t head = scheme ? (size_t)(scheme - text.data) + 3 : 0;
    const char *end = memchr(text.data + head, '/', text.len - head);
    const char *at =
        scheme ? memrchr(text.data + head, '@', (end ? (size_t)(end - text.data) : text.len) - head)
               : NULL;
    struct buf out = BUF_INIT;

    if (at) {
        buf_add(&out, text.data, head);
        buf_adds(&out, "***");
        buf_add(&out, at, text.len - (size_t)(at - text.data));
    } else if (slash && !scheme &&
               (text.data[0] == '/' || (text.len > 5 && memcmp(text.data, "unix:/", 6) == 0))) {
        buf_adds(&out, text.data[0] == '/' ? "..." : "unix:...");
        buf_add(&out, slash, text.len - (size_t)(slash - text.data));
    } else {
        buf_add_slice(&out, text);
    }
    return json_text_of(&out);
}

static json_t *
list_value(const char *list)
{
    json_t *items = json_must(json_array());
    struct slice item;

    while (settings_next_item(&list, &item)) {
        json_add(items, masked(item));
    }
    return items;
}

/* A setting's value as JSON has it in the file. */
static json_t *
value_of(const struct settings *s, enum setting setting)
{
    const struct setting_row *row = setting_row(setting);
    const void *member = (const char *)s + row->offset;
    struct buf text = BUF_INIT;

    switch (row->type) {
    case SETTING_UINT:
        return json_must(json_integer(*(const unsigned *)member));
    case SETTING_BOOL:
        return json_must(json_boolean(*(const bool *)member));
    case SETTING_REAL:
        return json_must(json_real(*(const double *)member));
    case SETTING_LIST:
        return list_value(*(const char *const *)member);
    case SETTING_STRING: /* Paths of pages and endpoints are no files. */
        return setting == SETTING_http_path ? json_text(s->http_path)
                                            : masked(slice_of(*(const char *const *)member));
    case SETTING_DURATION:
    case SETTING_BYTES:
    case SETTING_CHOICE:
    case SETTING_SECRET:
        break;
    }
    settings_show(s, setting, &text);
    return json_text_of(&text);
}

static json_t *
where_of(const struct settings *s, enum setting setting)
{
    struct buf text = BUF_INIT;
    json_t *where;

    settings_show_origin(s, setting, &text);
    if (text.failed) {
        out_of_memory();
    }
    where = masked(buf_slice(&text));
    buf_fini(&text);
    return where;
}

/* {value, origin, where, mutable}: what there is to say of a setting. */
static json_t *
describe(const struct settings *s, enum setting setting)
{
    json_t *told = json_must(json_object());

    json_put(told, "value", value_of(s, setting));
    json_put_text(told, "origin", setting_origin_name((enum setting_origin)s->origins[setting]));
    json_put(told, "where", where_of(s, setting));
    json_put_bool(told, "mutable", setting_row(setting)->where == SETTING_LIVE);
    return told;
}

enum err
read_config(struct request *req, const struct slice *variables, struct buf *out, struct fault *f)
{
    struct settings *s = config_settings(state_config(req->state));
    json_t *told = json_must(json_object()), *all = json_must(json_object());
    char loaded[CLOCK_TEXT_SIZE];

    (void)variables, (void)f;
    for (int i = 0; i < SETTING_COUNT; i++) {
        json_put(all, setting_row((enum setting)i)->key, describe(s, (enum setting)i));
    }
    clock_format_utc(s->loaded_ns, loaded);
    json_put_int(told, "version", (int64_t)s->version);
    json_put_text(told, "loaded_at", loaded);
    json_put(told, "settings", all);
    settings_unref(s);
    return service_resource_tell(E_OK, told, out);
}

/* The setting that 'key' means. */
static enum err
find(const char *key, enum setting *setting, struct fault *f)
{
    int found = setting_find(slice_of(key)), nearest = setting_nearest(slice_of(key));

    if (found >= 0) {
        *setting = (enum setting)found;
        return E_OK;
    }
    fault_set(f, E_NOT_FOUND, "there is no setting \"%.80s\"", key);
    return nearest >= 0
               ? fault_remedy(f, "did you mean \"%s\"?", setting_row((enum setting)nearest)->key)
               : fault_remedy(f, "tandem://config lists all that there are");
}

static enum err
get_config(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    const char *key = json_string_value(json_object_get(args, "key"));
    json_t *fallback = json_object_get(args, "default");
    enum setting setting;
    enum err err = find(key, &setting, f);

    if (!err) {
        struct settings *s = config_settings(state_config(req->state));

        *result = describe(s, setting);
        json_put_text(*result, "key", setting_row(setting)->key);
        json_put_text(*result, "takes", setting_takes(setting));
        json_put_int(*result, "version", (int64_t)s->version);
        settings_unref(s);
    } else if (fallback) {
        err = E_OK;
        *result = json_must(json_object());
        json_put(*result, "value", json_incref(fallback));
        json_put_text(*result, "key", key);
        json_put_text(*result, "origin", "argument");
        json_put_bool(*result, "mutable", false);
    }
    return err;
}

const struct tool tool_get_config = {
    .name = "get_config",
    .title = "Get a setting",
    .group = "config",
    .description = "Tells a setting's value in force, where it comes from, and whether set_config "
                   "can change it. tandem://config lists all of them.",
    .input_schema = "{\"type\":\"object\",\"properties\":{"
                    "\"key\":{\"type\":\"string\",\"description\":\"Such as limits.call_time\"},"
                    "\"default\":{\"type\":\"string\",\"description\":\"The value if there is no "
                    "such setting\"}},"
                    "\"required\":[\"key\"],\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"key\":{\"type\":\"string\"},"
                     "\"origin\":{\"type\":\"string\"},"
                     "\"where\":{\"type\":\"string\"},\"mutable\":{\"type\":\"boolean\"}},"
                     "\"required\":[\"key\",\"origin\",\"mutable\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = INLINE,
    .call = get_config,
};

static enum err
set_config(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    struct config *config = state_config(req->state);
    const char *text = json_string_value(json_object_get(args, "value"));
    struct settings *before = config_settings(config), *after;
    enum setting setting;
    enum err err = tenant_check_operator(req, "settings", f);

    err = err ? err : find(json_string_value(json_object_get(args, "key")), &setting, f);
    err = err ? err : config_set(config, setting, text, f);
    if (!err) {
        after = config_settings(config);
        *result = describe(after, setting);
        json_put_text(*result, "key", setting_row(setting)->key);
        json_put(*result, "previous", value_of(before, setting));
        json_put_int(*result, "version", (int64_t)after->version);
        settings_unref(after);
    }
    settings_unref(before);
    return err;
}

const struct tool tool_set_config = {
    .name = "set_config",
    .title = "Change a setting",
    .group = "config",
    .description = "Changes a setting that is mutable, at once and until the server ends; the file "
                   "stays as it is. Without a value it gets back that of file, environment or "
                   "option.",
    .input_schema = "{\"type\":\"object\",\"properties\":{\"key\":{\"type\":\"string\"},"
                    "\"value\":{\"type\":\"string\",\"description\":\"As on the command line: "
                    "50, true, 10s, a list as a,b\"}},"
                    "\"required\":[\"key\"],\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"key\":{\"type\":\"string\"},"
                     "\"origin\":{\"type\":\"string\"},"
                     "\"version\":{\"type\":\"integer\"}},"
                     "\"required\":[\"key\",\"origin\",\"version\"]}",
    .hints = HINT_IDEMPOTENT,
    .runs = WORKER, /* Without a value it reads the file. */
    .call = set_config,
};

/* Those of one severity. */
static json_t *
told_problems(const struct problems *problems, enum problem_severity severity)
{
    json_t *list = json_must(json_array());

    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *p = &problems->items[i];
        json_t *told;

        if (p->severity != severity) {
            continue;
        }
        told = json_must(json_object());
        json_put(told, "file", p->file ? masked(slice_of(p->file)) : json_null());
        json_put_int(told, "line", p->line);
        json_put_int(told, "column", p->column);
        json_put_text(told, "message", p->text);
        json_add(list, told);
    }
    return list;
}

/* The error of a reading, with no more of the file's name, which it begins with, than the last
 * part. */
static void
hide_folder(struct fault *f)
{
    size_t end = strcspn(f->text, ": ");
    const char *slash = f->text[0] == '/' ? memrchr(f->text, '/', end) : NULL;

    if (slash) {
        memmove(f->text, slash + 1, strlen(slash));
    }
}

static enum err
reload_config(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    struct config *config = state_config(req->state);
    struct settings *before, *after;
    struct problems problems = PROBLEMS_INIT;
    json_t *changed;
    enum err err = tenant_check_operator(req, "settings", f);

    (void)args;
    if (err) {
        return err;
    }
    before = config_settings(config);
    err = config_reload(config, &problems, f);
    if (err) {
        hide_folder(f);
        fault_remedy(f, "the settings stay as they were; validate_config tells all errors");
    } else {
        after = config_settings(config);
        changed = json_must(json_array());
        for (int i = 0; i < SETTING_COUNT; i++) {
            if (!settings_same(before, after, (enum setting)i)) {
                json_add(changed, json_text(setting_row((enum setting)i)->key));
            }
        }
        *result = json_must(json_object());
        json_put_int(*result, "version", (int64_t)after->version);
        json_put(*result, "changed", changed);
        json_put(*result, "warnings", told_problems(&problems, PROBLEM_WARNING));
        settings_unref(after);
    }
    settings_unref(before);
    problems_fini(&problems);
    return err;
}

#define PROBLEM_LIST "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}"

const struct tool tool_reload_config = {
    .name = "reload_config",
    .title = "Read the configuration anew",
    .group = "config",
    .description = "Reads the configuration file anew. With any error in it all settings stay as "
                   "they were; what only a restart can change is told as a warning.",
    .input_schema = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"version\":{\"type\":\"integer\"},"
                     "\"changed\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
                     "\"warnings\":" PROBLEM_LIST "},"
                     "\"required\":[\"version\",\"changed\",\"warnings\"]}",
    .hints = HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = reload_config,
};

static enum err
validate_config(struct request *req, const json_t *args, json_t **result, struct fault *f)
{
    struct problems problems = PROBLEMS_INIT;
    struct fault why = FAULT_INIT;
    enum err err = config_validate(state_config(req->state), &problems, &why);
    json_t *errors;

    (void)args, (void)f;
    errors = told_problems(&problems, PROBLEM_ERROR);
    if (err && json_array_size(errors) == 0) { /* The file could not be read at all. */
        json_t *told = json_must(json_object());

        hide_folder(&why);
        json_put_text(told, "message", why.text);
        json_add(errors, told);
    }
    *result = json_must(json_object());
    json_put_bool(*result, "valid", !err);
    json_put(*result, "errors", errors);
    json_put(*result, "warnings", told_problems(&problems, PROBLEM_WARNING));
    problems_fini(&problems);
    return E_OK;
}

const struct tool tool_validate_config = {
    .name = "validate_config",
    .title = "Check the configuration",
    .group = "config",
    .description = "Reads the configuration file as reload_config would and tells every mistake "
                   "with its line and column; changes nothing.",
    .input_schema = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
    .output_schema = "{\"type\":\"object\",\"properties\":{\"valid\":{\"type\":\"boolean\"},"
                     "\"errors\":" PROBLEM_LIST ",\"warnings\":" PROBLEM_LIST "},"
                     "\"required\":[\"valid\",\"errors\",\"warnings\"]}",
    .hints = HINT_READ_ONLY | HINT_IDEMPOTENT,
    .runs = WORKER,
    .call = validate_config,
};
