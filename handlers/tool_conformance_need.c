/* tool_conformance_need.c -- the tools of the official conformance suite that ask their client, by
 * names, keys and answers that it fixes; offered only where the settings name their group. */
#include "handlers/tool_conformance.h"

#include "state/base/json_put.h"

#define VISITED                                                               \
    "{\"type\":\"object\",\"properties\":{\"visited\":{\"type\":\"boolean\"," \
    "\"description\":\"The user has been there.\"}},\"additionalProperties\":false}"
#define ONE_TEXT(NAME, WHAT)                                                               \
    "{\"type\":\"object\",\"properties\":{\"" NAME "\":{\"type\":\"string\","              \
    "\"description\":\"" WHAT "\"}},\"required\":[\"" NAME "\"],\"additionalProperties\":" \
    "false}"

/* ---- Questions ---- */

/* A form of one member. */
static json_t *
form(const char *message, const char *member, const char *type)
{
    return need_form(message,
                     json_must(json_pack("{s:s, s:{s:{s:s}}, s:[s]}", "type", "object",
                                         "properties", member, "type", type, "required", member)));
}

struct need
conformance_form(const char *key, const char *message, const char *member, const char *type)
{
    return (struct need){.key = key, .kind = NEED_FORM, .params = form(message, member, type)};
}

static struct need
ask_model(const char *key, const char *text)
{
    json_t *params =
        json_must(json_pack("{s:[{s:s, s:{s:s, s:o}}], s:i}", "messages", "role", "user", "content",
                            "type", "text", "text", json_text(text), "maxTokens", 100));

    return (struct need){.key = key, .kind = NEED_SAMPLING, .params = params};
}

static struct need
ask_roots(const char *key)
{
    return (struct need){.key = key, .kind = NEED_ROOTS};
}

/* ---- What came of them ---- */

static const char *
action(const struct need *n)
{
    static const char *const words[] = {[NEED_ACCEPTED] = "accept",
                                        [NEED_DECLINED] = "decline",
                                        [NEED_CANCELLED] = "cancel",
                                        [NEED_REFUSED] = "refused"};

    return words[n->outcome];
}

/* Tells what was said in a form, or what was done instead. */
static void
tell_form(struct content *told, const struct need *n)
{
    char *content = n->answer ? json_dumps(n->answer, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    char *text =
        xasprintf("User response: action=%s, content=%s%s%s", action(n), content ? content : "{}",
                  n->said ? ", said=" : "", n->said ? n->said : "");

    free(content);
    content_told(told, text);
}

/* The first text of a model's answer. */
static const char *
sampled_text(const struct need *n)
{
    const json_t *content = json_object_get(n->answer, "content");
    const json_t *block = json_is_array(content) ? json_array_get(content, 0) : content;
    const char *text = json_string_value(json_object_get(block, "text"));

    return text ? text : n->said ? n->said : "(no text)";
}

static const char *
form_text(const struct need *n, const char *member)
{
    const char *text = json_string_value(json_object_get(n->answer, member));

    return text ? text : action(n);
}

static void
add_roots(struct buf *out, const struct need *n)
{
    const json_t *root;
    size_t i;

    buf_adds(out, "Roots:");
    json_array_foreach(json_object_get(n->answer, "roots"), i, root) {
        buf_addf(out, " %s", json_string_value(json_object_get(root, "uri")));
    }
}

/* ---- Tools of both eras ---- */

static enum err
sampling(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    struct need n = ask_model("reply", json_string_value(json_object_get(args, "prompt")));
    enum err err = need(req, &n, 1, f);

    if (!err) {
        content_told(content, xasprintf("LLM response: %s", sampled_text(&n)));
    }
    return err;
}

/* Asks one form, and tells what came of it. */
static enum err
ask_and_tell(struct request *req, json_t *params, struct content *content, struct fault *f)
{
    struct need n = {.key = "form", .kind = NEED_FORM, .params = params};
    enum err err = need(req, &n, 1, f);

    if (!err) {
        tell_form(content, &n);
    }
    return err;
}

static enum err
elicitation(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    json_t *schema = json_must(json_pack(
        "{s:s, s:{s:{s:s, s:s}, s:{s:s, s:s}}, s:[s, s]}", "type", "object", "properties",
        "username", "type", "string", "description", "User's response", "email", "type", "string",
        "description", "User's email address", "required", "username", "email"));

    return ask_and_tell(req, need_form(json_string_value(json_object_get(args, "message")), schema),
                        content, f);
}

/* Forms whose schemas the suite reads, as they are written there. */
static enum err
ask_schema(struct request *req, const char *schema, struct content *content, struct fault *f)
{
    return ask_and_tell(req,
                        need_form("Please review and update the form fields.",
                                  json_must(json_loads(schema, 0, NULL))),
                        content, f);
}

static enum err
defaults(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    (void)args;
    return ask_schema(
        req,
        "{\"type\":\"object\",\"properties\":{"
        "\"name\":{\"type\":\"string\",\"description\":\"User name\",\"default\":\"John Doe\"},"
        "\"age\":{\"type\":\"integer\",\"description\":\"User age\",\"default\":30},"
        "\"score\":{\"type\":\"number\",\"description\":\"User score\",\"default\":95.5},"
        "\"status\":{\"type\":\"string\",\"description\":\"User status\","
        "\"enum\":[\"active\",\"inactive\",\"pending\"],\"default\":\"active\"},"
        "\"verified\":{\"type\":\"boolean\",\"description\":\"Verification status\","
        "\"default\":true}},\"required\":[]}",
        content, f);
}

static enum err
enums(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    (void)args;
    return ask_schema(
        req,
        "{\"type\":\"object\",\"properties\":{"
        "\"untitledSingle\":{\"type\":\"string\",\"enum\":[\"option1\",\"option2\",\"option3\"]},"
        "\"titledSingle\":{\"type\":\"string\",\"oneOf\":["
        "{\"const\":\"value1\",\"title\":\"First Option\"},"
        "{\"const\":\"value2\",\"title\":\"Second Option\"},"
        "{\"const\":\"value3\",\"title\":\"Third Option\"}]},"
        "\"legacyEnum\":{\"type\":\"string\",\"enum\":[\"opt1\",\"opt2\",\"opt3\"],"
        "\"enumNames\":[\"Option One\",\"Option Two\",\"Option Three\"]},"
        "\"untitledMulti\":{\"type\":\"array\",\"items\":{\"type\":\"string\","
        "\"enum\":[\"option1\",\"option2\",\"option3\"]}},"
        "\"titledMulti\":{\"type\":\"array\",\"items\":{\"anyOf\":["
        "{\"const\":\"value1\",\"title\":\"First Choice\"},"
        "{\"const\":\"value2\",\"title\":\"Second Choice\"},"
        "{\"const\":\"value3\",\"title\":\"Third Choice\"}]}}},\"required\":[]}",
        content, f);
}

/* ---- Tools of the modern era's rounds ---- */

static enum err
ask_name(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    struct need n = conformance_form("user_name", "What is your name?", "name", "string");
    enum err err = need(req, &n, 1, f);

    (void)args;
    if (!err) {
        content_told(content, xasprintf("Hello, %s!", form_text(&n, "name")));
    }
    return err;
}

static enum err
ask_capital(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    struct need n = ask_model("capital_question", "What is the capital of France?");
    enum err err = need(req, &n, 1, f);

    (void)args;
    if (!err) {
        content_told(content, xasprintf("The model said: %s", sampled_text(&n)));
    }
    return err;
}

static enum err
ask_client_roots(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    struct need n = ask_roots("client_roots");
    enum err err = need(req, &n, 1, f);
    struct buf text = BUF_INIT;

    (void)args;
    if (!err) {
        add_roots(&text, &n);
        content_told(content, buf_steal(&text));
    }
    return err;
}

static enum err
ask_ok(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    struct need n = conformance_form("confirm", "Please confirm.", "ok", "boolean");
    enum err err = need(req, &n, 1, f);

    (void)args;
    if (!err) { /* The state was ours: else we would not have come here. */
        content_told(content, xasprintf("state-ok: %s", action(&n)));
    }
    return err;
}

static enum err
ask_many(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    struct need n[] = {
        conformance_form("user_name", "What is your name?", "name", "string"),
        ask_model("greeting", "Write a greeting."),
        ask_roots("client_roots"),
    };
    enum err err = need(req, n, sizeof n / sizeof n[0], f);
    struct buf text = BUF_INIT;

    (void)args;
    if (!err) {
        buf_addf(&text, "%s, %s. ", sampled_text(&n[1]), form_text(&n[0], "name"));
        add_roots(&text, &n[2]);
        content_told(content, buf_steal(&text));
    }
    return err;
}

static enum err
ask_twice(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    struct need first = conformance_form("step1", "Step 1: what is your name?", "name", "string");
    enum err err = need(req, &first, 1, f);
    struct need second;

    (void)args;
    if (err) {
        return err;
    }
    second = conformance_form("step2", "Step 2: what is your favourite colour?", "color", "string");
    err = need(req, &second, 1, f);
    if (!err) {
        content_told(content, xasprintf("%s likes %s.", form_text(&first, "name"),
                                        form_text(&second, "color")));
    }
    return err;
}

/* Asks only for what the client can do, but for something. */
static enum err
ask_possible(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    struct need n[3];
    size_t count = 0;
    enum err err;

    (void)args;
    if (need_allowed(req, NEED_FORM)) {
        n[count++] = conformance_form("user_name", "What is your name?", "name", "string");
    }
    if (need_allowed(req, NEED_ROOTS)) {
        n[count++] = ask_roots("client_roots");
    }
    if (need_allowed(req, NEED_SAMPLING) || !count) {
        n[count++] = ask_model("greeting", "Write a greeting.");
    }
    err = need(req, n, count, f);
    if (!err) {
        content_told(content, xasprintf("%zu questions were answered.", count));
    }
    return err;
}

/* Not the suite's: a page that must have been visited, which the caller says. */
static enum err
visit(struct request *req, const json_t *args, struct content *content, struct fault *f)
{
    struct need page = {.key = "visit", .kind = NEED_URL};
    enum err err = E_OK;

    if (!json_is_true(json_object_get(args, "visited"))) {
        page.params = need_url("Please visit this page.", "https://example.org/visit", "visit-1");
        err = need_pages(req, &page, 1, f);
    } else if (req->session) {
        err = need_page_done(req->session, "visit-1");
        err = err ? fault_set(f, err, "the client cannot be told now") : E_OK;
    }
    if (!err) {
        content_told(content, xasprintf("Visited: %s", action(&page)));
    }
    return err;
}

/* clang-format off */
/*      name                                        title                          call              schema                                description */
#define ROWS(ROW)                                                                                  \
    ROW(test_sampling,                              "Conformance: sampling",       sampling,         ONE_TEXT("prompt", "For the model."), "Asks the client's model.") \
    ROW(test_elicitation,                           "Conformance: form",           elicitation,      ONE_TEXT("message", "For the user."), "Asks the user to fill in a form.") \
    ROW(test_elicitation_sep1034_defaults,          "Conformance: defaults",       defaults,         NO_ARGUMENTS, "Asks by a form with defaults.") \
    ROW(test_elicitation_sep1330_enums,             "Conformance: choices",        enums,            NO_ARGUMENTS, "Asks by a form with choices.") \
    ROW(test_input_required_result_elicitation,     "Conformance: round of form",  ask_name,         NO_ARGUMENTS, "Asks the user's name.") \
    ROW(test_input_required_result_sampling,        "Conformance: round of model", ask_capital,      NO_ARGUMENTS, "Asks the client's model for a capital.") \
    ROW(test_input_required_result_list_roots,      "Conformance: round of roots", ask_client_roots, NO_ARGUMENTS, "Asks which folders the client works on.") \
    ROW(test_input_required_result_request_state,   "Conformance: state",          ask_ok,           NO_ARGUMENTS, "Asks, and checks that the state comes back.") \
    ROW(test_input_required_result_multiple_inputs, "Conformance: three at once",  ask_many,         NO_ARGUMENTS, "Asks three questions in one round.") \
    ROW(test_input_required_result_multi_round,     "Conformance: two rounds",     ask_twice,        NO_ARGUMENTS, "Asks two questions, one after the other.") \
    ROW(test_input_required_result_tampered_state,  "Conformance: broken state",   ask_ok,           NO_ARGUMENTS, "Asks, and refuses a state that was changed.") \
    ROW(test_input_required_result_capabilities,    "Conformance: what it can",    ask_possible,     NO_ARGUMENTS, "Asks only for what the client declares.") \
    ROW(test_page,                                  "Conformance: page",           visit,            VISITED,      "Sends the user to a page, unless they have been there.")
/* clang-format on */

#define ROW(NAME, TITLE, CALL, SCHEMA, DESCRIPTION) \
    const struct tool tool_##NAME = {               \
        .name = #NAME,                              \
        .title = TITLE,                             \
        .group = "conformance",                     \
        .description = DESCRIPTION,                 \
        .input_schema = SCHEMA,                     \
        .hints = HINT_READ_ONLY,                    \
        .runs = WORKER,                             \
        .tell = CALL,                               \
    };
ROWS(ROW)
#undef ROW
