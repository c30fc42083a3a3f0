/* offers_conformance.c -- the resources and prompts that the official conformance suite reads, by
 * names and contents that it fixes; there only where the settings name their group. */
#include "handlers/dispatch_private.h"
#include "handlers/offers.h"

#include "handlers/need.h"
#include "state/base/json_put.h"

#define TEMPLATE_HEAD "test://template/"
#define TEMPLATE_TAIL "/data"

/* One grey pixel. */
static const char image[] = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd8"
                            "1ytgAAAABJRU5ErkJggg==";

/* ---- Resources ---- */

/*      URI                    name             MIME type     member  content */
#define FIXED(ROW)                                                           \
    ROW("test://static-binary", "Static binary", "image/png", "blob", image) \
    ROW("test://static-text", "Static text", "text/plain", "text",           \
        "This is the content of the static text resource.")                  \
    ROW("test://watched-resource", "Watched resource", "text/plain", "text", \
        "This is the content of the watched resource.")

static const struct {
    const char *uri, *name, *mime, *member, *content;
} fixed[] = {
#define ROW(URI, NAME, MIME, MEMBER, CONTENT) {URI, NAME, MIME, MEMBER, CONTENT},
    FIXED(ROW)
#undef ROW
};

void
fixtures_add_resources(struct offers *o)
{
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        offers_add(o, fixed[i].uri,
                   json_must(json_pack("{s:s, s:s, s:s, s:s}", "uri", fixed[i].uri, "name",
                                       fixed[i].name, "description", "For the conformance suite.",
                                       "mimeType", fixed[i].mime)));
    }
}

void
fixtures_add_templates(json_t *templates)
{
    json_add(templates, json_must(json_pack("{s:s, s:s, s:s, s:s}", "uriTemplate",
                                            TEMPLATE_HEAD "{id}" TEMPLATE_TAIL, "name", "Template",
                                            "description", "For the conformance suite.", "mimeType",
                                            "application/json")));
}

/* The content of a URI of the template: tells its id. */
static json_t *
read_template(const char *uri)
{
    size_t head = strlen(TEMPLATE_HEAD), tail = strlen(TEMPLATE_TAIL), len = strlen(uri);
    struct buf text = BUF_INIT;
    json_t *content;

    if (len <= head + tail || strncmp(uri, TEMPLATE_HEAD, head) != 0 ||
        strcmp(uri + len - tail, TEMPLATE_TAIL) != 0) {
        return NULL;
    }
    buf_adds(&text, "{\"id\":");
    buf_add_json(&text, (struct slice){uri + head, len - head - tail});
    buf_addc(&text, '}');
    content = json_must(json_pack("{s:o, s:s, s:o}", "uri", json_text(uri), "mimeType",
                                  "application/json", "text", json_text_slice(buf_slice(&text))));
    buf_fini(&text);
    return content;
}

json_t *
fixtures_read(const char *uri)
{
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (strcmp(uri, fixed[i].uri) == 0) {
            return json_must(json_pack("{s:s, s:s, s:s}", "uri", uri, "mimeType", fixed[i].mime,
                                       fixed[i].member, fixed[i].content));
        }
    }
    return read_template(uri);
}

/* ---- Prompts ---- */

static json_t *
message(json_t *content)
{
    return json_must(json_pack("{s:s, s:o}", "role", "user", "content", content));
}

static json_t *
text_block(const char *text)
{
    return json_must(json_pack("{s:s, s:o}", "type", "text", "text", json_text(text)));
}

/* Each returns the messages, a new array; its arguments are there. */
static json_t *
simple(const json_t *args)
{
    (void)args;
    return json_must(json_pack("[o]", message(text_block("This is a simple prompt for testing."))));
}

static json_t *
with_arguments(const json_t *args)
{
    char *text = xasprintf("Prompt with arguments: arg1='%s', arg2='%s'",
                           json_string_value(json_object_get(args, "arg1")),
                           json_string_value(json_object_get(args, "arg2")));
    json_t *messages = json_must(json_pack("[o]", message(text_block(text))));

    free(text);
    return messages;
}

static json_t *
with_resource(const json_t *args)
{
    json_t *resource = json_must(
        json_pack("{s:O, s:s, s:s}", "uri", json_object_get(args, "resourceUri"), "mimeType",
                  "text/plain", "text", "Embedded resource content for testing."));
    json_t *block = json_must(json_pack("{s:s, s:o}", "type", "resource", "resource", resource));

    return json_must(json_pack("[o, o]", message(block),
                               message(text_block("Please process the embedded resource above."))));
}

static json_t *
with_image(const json_t *args)
{
    json_t *block = json_must(
        json_pack("{s:s, s:s, s:s}", "type", "image", "data", image, "mimeType", "image/png"));

    (void)args;
    return json_must(json_pack("[o, o]", message(block),
                               message(text_block("Please look at the image above."))));
}

/* Asks the user first. */
static enum err
with_context(struct request *req, json_t **messages)
{
    json_t *schema =
        json_must(json_pack("{s:s, s:{s:{s:s}}, s:[s]}", "type", "object", "properties", "context",
                            "type", "string", "required", "context"));
    struct need n = {.key = "user_context",
                     .kind = NEED_FORM,
                     .params = need_form("What is this about?", schema)};
    enum err err = need(req, &n, 1, &req->fault);

    if (!err) {
        const char *context = json_string_value(json_object_get(n.answer, "context"));
        char *text = xasprintf("The user said: %s", context ? context : "(nothing)");

        *messages = json_must(json_pack("[o]", message(text_block(text))));
        free(text);
    }
    return err;
}

/* The one that comes and goes. */
#define CHANGING_PROMPT "test_changing_prompt"

#define ARGUMENTS_MAX 2
static const struct prompt {
    const char *name, *description;
    const char *arguments[ARGUMENTS_MAX]; /* All required. */
    json_t *(*messages)(const json_t *args);
    enum err (*ask)(struct request *req, json_t **messages); /* Or this one. */
} prompts[] = {
    {CHANGING_PROMPT, "Comes and goes.", {NULL}, simple, NULL},
    {"test_input_required_result_prompt", "A question first.", {NULL}, NULL, with_context},
    {"test_prompt_with_arguments", "Two arguments.", {"arg1", "arg2"}, with_arguments, NULL},
    {"test_prompt_with_embedded_resource", "A resource.", {"resourceUri"}, with_resource, NULL},
    {"test_prompt_with_image", "An image.", {NULL}, with_image, NULL},
    {"test_simple_prompt", "One text.", {NULL}, simple, NULL},
};

static bool
is_hidden(const struct request *req, const struct prompt *p)
{
    return strcmp(p->name, CHANGING_PROMPT) == 0 &&
           !atomic_load(&req->dispatcher->fixture_prompt_shown);
}

static const struct prompt *
find_prompt(const struct request *req, const char *name)
{
    for (size_t i = 0; i < sizeof prompts / sizeof prompts[0]; i++) {
        if (strcmp(name, prompts[i].name) == 0 && !is_hidden(req, &prompts[i])) {
            return &prompts[i];
        }
    }
    return NULL;
}

void
fixtures_change_prompts(struct request *req)
{
    _Atomic bool *shown = &req->dispatcher->fixture_prompt_shown;
    bool before = false;

    if (!atomic_compare_exchange_strong(shown, &before, true)) {
        atomic_store(shown, false);
    }
}

void
fixtures_add_prompts(const struct request *req, struct offers *o)
{
    for (size_t i = 0; i < sizeof prompts / sizeof prompts[0]; i++) {
        json_t *arguments;

        if (is_hidden(req, &prompts[i])) {
            continue;
        }
        arguments = json_must(json_array());

        for (size_t a = 0; a < ARGUMENTS_MAX && prompts[i].arguments[a]; a++) {
            json_add(arguments,
                     json_must(json_pack("{s:s, s:s, s:b}", "name", prompts[i].arguments[a],
                                         "description", "Any text.", "required", 1)));
        }
        offers_add(o, prompts[i].name,
                   json_must(json_pack("{s:s, s:s, s:o}", "name", prompts[i].name, "description",
                                       prompts[i].description, "arguments", arguments)));
    }
}

bool
fixtures_prompt(struct request *req, const char *name, const json_t *args, json_t **result,
                const char **missing, enum err *err)
{
    const struct prompt *p = find_prompt(req, name);
    json_t *messages = NULL;

    if (!p) {
        return false;
    }
    for (size_t a = 0; a < ARGUMENTS_MAX && p->arguments[a]; a++) {
        if (!json_object_get(args, p->arguments[a])) {
            *missing = p->arguments[a];
            return true;
        }
    }
    *err = p->ask ? p->ask(req, &messages) : E_OK;
    if (!*err) {
        messages = p->ask ? messages : p->messages(args);
        *result =
            json_must(json_pack("{s:s, s:o}", "description", p->description, "messages", messages));
    }
    return true;
}

bool
fixtures_complete(const struct request *req, bool prompt, const char *name, const char *variable,
                  struct offers *values)
{
    const struct prompt *p = prompt ? find_prompt(req, name) : NULL;

    if (!prompt) {
        return strcmp(name, TEMPLATE_HEAD "{id}" TEMPLATE_TAIL) == 0 && strcmp(variable, "id") == 0;
    }
    for (size_t a = 0; p && a < ARGUMENTS_MAX && p->arguments[a]; a++) {
        if (strcmp(variable, p->arguments[a]) == 0) {
            if (a == 0 && p->messages == with_arguments) {
                offers_add(values, "test_one", NULL);
                offers_add(values, "test_two", NULL);
            }
            return true;
        }
    }
    return false;
}
