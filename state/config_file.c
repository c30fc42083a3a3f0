/* config_file.c -- a configuration file's text into texts of settings, with places.
 *
 * jansson says whether the text is JSON, and decodes it; it does not tell where a member was.  So
 * the text is walked once more beside the tree, whose members come in the order of the text. */
#include "state/config.h"

#include "state/base/nearest.h"

#include <jansson.h>
#include <stdio.h>

struct walk {
    const char *at, *end;
    unsigned line, column; /* Of 'at'. */
    struct config_texts *texts;
    const char *name;
    struct problems *problems;
    unsigned lines[SETTING_COUNT]; /* Where a setting was given first; 0: not yet. */
    /* prAxIs OS gives host and port apart. */
    char *praxis_host;
    unsigned praxis_port, praxis_line;
};

/* Keys of prAxIs OS that mean a setting of ours, or nothing here (-1). */
static const struct praxis_key {
    const char *key;
    int setting;
} praxis_keys[] = {
    {"mcp.http_path", SETTING_http_path},
    {"mcp.enabled_tool_groups", SETTING_groups},
    {"mcp.max_tools_warning", -1},
    {"rag.workflows_path", SETTING_workflows_path},
    {"rag.standards_path", SETTING_standards_path},
    {"rag.index_path", SETTING_index_path},
    {"rag.usage_path", -1},
    {"rag.dev_docs_path", -1},
    {"rag.embedding_provider", -1},
    {"rag.embedding_model", -1},
};
#define PRAXIS_KEYS (sizeof praxis_keys / sizeof *praxis_keys)

struct place {
    unsigned line, column;
};

static struct place
here(const struct walk *w)
{
    return (struct place){w->line, w->column};
}

/* Columns count characters, not bytes. */
static void
step(struct walk *w)
{
    if (*w->at == '\n') {
        w->line++;
        w->column = 1;
    } else if (((unsigned char)*w->at & 0xC0) != 0x80) {
        w->column++;
    }
    w->at++;
}

static void
skip_to_token(struct walk *w)
{
    while (w->at < w->end && strchr(" \t\r\n,:", *w->at)) {
        step(w);
    }
}

static void
skip_string(struct walk *w)
{
    step(w);
    while (w->at < w->end && *w->at != '"') {
        if (*w->at == '\\') {
            step(w);
        }
        step(w);
    }
    step(w);
}

/* Any value; the text is known to be JSON. */
static void
skip_value(struct walk *w)
{
    unsigned depth = 0;

    do {
        skip_to_token(w);
        if (*w->at == '"') {
            skip_string(w);
        } else if (*w->at == '{' || *w->at == '[') {
            depth++;
            step(w);
        } else if (*w->at == '}' || *w->at == ']') {
            depth--;
            step(w);
        } else {
            while (w->at < w->end && !strchr(" \t\r\n,:]}", *w->at)) {
                step(w);
            }
        }
    } while (depth && w->at < w->end);
}

static void
add_error(struct walk *w, struct place place, const char *text)
{
    problems_add(w->problems, PROBLEM_ERROR, w->name, place.line, place.column, "%s", text);
}

/* An array of strings as a LIST's text.  New, or null if it holds anything else. */
static char *
list_text(const json_t *array)
{
    struct buf b = BUF_INIT;
    const json_t *item;
    size_t i;

    json_array_foreach(array, i, item) {
        const char *word = json_string_value(item);
        if (!word || strchr(word, ',')) {
            buf_fini(&b);
            return NULL;
        }
        if (i) {
            buf_addc(&b, ',');
        }
        buf_adds(&b, word);
    }
    return buf_steal(&b);
}

/* A setting's text, new; null if JSON's type does not suit the setting's. */
static char *
value_text(enum setting setting, const json_t *value)
{
    enum setting_type type = setting_row(setting)->type;

    switch (json_typeof(value)) {
    case JSON_STRING:
        return memchr(json_string_value(value), '\0', json_string_length(value))
                   ? NULL
                   : xstrdup(json_string_value(value));
    case JSON_REAL:
        return type == SETTING_REAL ? xasprintf("%.15f", json_real_value(value)) : NULL;
    case JSON_INTEGER:
        return type == SETTING_UINT || type == SETTING_REAL || type == SETTING_BYTES ||
                       type == SETTING_DURATION
                   ? xasprintf("%lld", (long long)json_integer_value(value))
                   : NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return type == SETTING_BOOL ? xstrdup(json_is_true(value) ? "true" : "false") : NULL;
    case JSON_ARRAY:
        return type == SETTING_LIST ? list_text(value) : NULL;
    default:
        return NULL;
    }
}

static const char *
wanted_json(enum setting setting)
{
    static const char *const wanted[] = {[SETTING_STRING] = "a string",
                                         [SETTING_LIST] = "an array of strings without commas",
                                         [SETTING_UINT] = "a whole number",
                                         [SETTING_DURATION] = "a string such as \"10s\"",
                                         [SETTING_BYTES] = "a number, or a string as \"1MiB\"",
                                         [SETTING_BOOL] = "true or false",
                                         [SETTING_REAL] = "a number",
                                         [SETTING_CHOICE] = "a string",
                                         [SETTING_SECRET] = "a string"};
    return wanted[setting_row(setting)->type];
}

/* Takes one setting's value, trying it at once so that its problem has its place. */
static void
take_setting(struct walk *w, enum setting setting, const char *key, const json_t *value,
             struct place at_key, struct place at_value)
{
    const struct setting_row *row = setting_row(setting);
    char message[256];
    char *text;

    if (row->where == SETTING_START) {
        snprintf(message, sizeof message, "%s cannot be set in the file, only at the start", key);
        add_error(w, at_key, message);
        return;
    }
    if (w->lines[setting]) {
        snprintf(message, sizeof message, "%s was given already, in line %u", key,
                 w->lines[setting]);
        add_error(w, at_key, message);
        return;
    }
    w->lines[setting] = at_key.line;
    text = value_text(setting, value);
    if (!text) {
        snprintf(message, sizeof message, "%s must be %s", key, wanted_json(setting));
        add_error(w, at_value, message);
    } else {
        struct settings *trial = settings_create();
        struct fault f = FAULT_INIT;

        if (settings_set(trial, setting, text, ORIGIN_FILE, &f)) {
            add_error(w, at_value, f.text);
        } else {
            config_texts_add(w->texts, setting, text);
            w->texts->line[setting] = at_key.line;
        }
        settings_unref(trial);
    }
    free(text);
}

/* True if 'key' was one of prAxIs OS. */
static bool
take_praxis(struct walk *w, const char *key, const json_t *value, struct place at_key,
            struct place at_value)
{
    if (strcmp(key, "mcp.http_port") == 0) {
        json_int_t port = json_integer_value(value);
        if (!json_is_integer(value) || port < 1 || port > 65535) {
            add_error(w, at_value, "mcp.http_port must be a number from 1 to 65535");
        } else {
            w->praxis_port = (unsigned)port;
            w->praxis_line = at_key.line;
        }
        return true;
    }
    if (strcmp(key, "mcp.http_host") == 0) {
        if (!json_is_string(value)) {
            add_error(w, at_value, "mcp.http_host must be a string");
        } else {
            free(w->praxis_host); /* Written in both ways, nested and dotted. */
            w->praxis_host = xstrdup(json_string_value(value));
            w->praxis_line = at_key.line;
        }
        return true;
    }
    for (size_t i = 0; i < PRAXIS_KEYS; i++) {
        if (strcmp(key, praxis_keys[i].key) == 0) {
            if (praxis_keys[i].setting >= 0) {
                take_setting(w, (enum setting)praxis_keys[i].setting, key, value, at_key, at_value);
            } else {
                problems_add(w->problems, PROBLEM_WARNING, w->name, at_key.line, at_key.column,
                             "%s means nothing to tandem", key);
            }
            return true;
        }
    }
    return false;
}

static void
refuse_unknown(struct walk *w, const char *key, struct place at_key)
{
    const char *known[SETTING_COUNT + PRAXIS_KEYS];
    char message[256];
    int nearest;

    for (int i = 0; i < SETTING_COUNT; i++) {
        known[i] = setting_row((enum setting)i)->key;
    }
    for (size_t i = 0; i < PRAXIS_KEYS; i++) {
        known[SETTING_COUNT + i] = praxis_keys[i].key;
    }
    nearest = text_nearest(slice_of(key), known, sizeof known / sizeof *known);
    if (nearest >= 0) {
        snprintf(message, sizeof message, "unknown key \"%.80s\"; did you mean \"%s\"?", key,
                 known[nearest]);
    } else {
        snprintf(message, sizeof message,
                 "unknown key \"%.80s\"; \"tandem settings\" lists all that there are", key);
    }
    add_error(w, at_key, message);
}

/* True if settings begin with 'key' and a dot. */
static bool
is_section(const char *key)
{
    size_t len = strlen(key);

    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *known = setting_row((enum setting)i)->key;
        if (strncmp(known, key, len) == 0 && known[len] == '.') {
            return true;
        }
    }
    return strcmp(key, "mcp") == 0 || strcmp(key, "rag") == 0;
}

/* Walks the members of 'object'; 'w' is at its '{'.  Sections are never deeper than two, since
 * what is no section is stepped over. */
static void
walk_object(struct walk *w, json_t *object, const char *section)
{
    const char *name;
    json_t *value;

    step(w);
    json_object_foreach(object, name, value) {
        char *key = *section ? xasprintf("%s.%s", section, name) : xstrdup(name);
        struct place at_key, at_value;
        int setting = setting_find(slice_of(key));

        skip_to_token(w);
        at_key = here(w);
        skip_string(w);
        skip_to_token(w);
        at_value = here(w);
        if (json_is_object(value) && is_section(key)) {
            walk_object(w, value, key);
            skip_to_token(w);
            step(w); /* Its '}'. */
        } else {
            if (setting >= 0) {
                take_setting(w, (enum setting)setting, key, value, at_key, at_value);
            } else if (!take_praxis(w, key, value, at_key, at_value) &&
                       strcmp(key, "$schema") != 0) {
                refuse_unknown(w, key, at_key);
            }
            skip_value(w);
        }
        free(key);
    }
}

/* prAxIs OS's host and port, unless "listen" says it. */
static void
take_praxis_address(struct walk *w)
{
    if ((w->praxis_host || w->praxis_port) && !w->texts->text[SETTING_listen]) {
        const char *host = w->praxis_host ? w->praxis_host : setting_row(SETTING_listen)->initial;
        bool bare_v6 = strchr(host, ':') && host[0] != '[';
        char *text = w->praxis_port ? xasprintf(bare_v6 ? "[%s]:%u" : "%s:%u", host, w->praxis_port)
                                    : xasprintf(bare_v6 ? "[%s]" : "%s", host);
        config_texts_add(w->texts, SETTING_listen, text);
        w->texts->line[SETTING_listen] = w->praxis_line;
        free(text);
    }
    free(w->praxis_host);
}

void
config_texts_from_file(struct config_texts *texts, struct slice file, const char *name,
                       struct problems *problems)
{
    json_error_t error;
    json_t *root = json_loadb(file.data ? file.data : "", file.len, JSON_REJECT_DUPLICATES, &error);

    if (!root) {
        /* jansson leaves places at their start values when it has none. */
        problems_add(problems, PROBLEM_ERROR, name, error.line > 0 ? (unsigned)error.line : 0,
                     error.column > 0 ? (unsigned)error.column : 0, "not JSON: %s", error.text);
        return;
    }
    if (!json_is_object(root)) {
        problems_add(problems, PROBLEM_ERROR, name, 1, 1, "the file must be one JSON object");
    } else {
        struct walk w = {.at = file.data,
                         .end = file.data + file.len,
                         .line = 1,
                         .column = 1,
                         .texts = texts,
                         .name = name,
                         .problems = problems};
        skip_to_token(&w);
        walk_object(&w, root, "");
        take_praxis_address(&w);
    }
    json_decref(root);
}
