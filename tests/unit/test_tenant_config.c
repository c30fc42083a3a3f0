/* test_tenant_config.c -- what a tenant's settings may be, each mistake with its place. */
#include "tests/check.h"

#include "state/base/json_put.h"
#include "state/tenant_config.h"
#include "state/tenant_id.h"

#include <stdio.h>

static void
expect(const char *text, const char *want)
{
    struct problems problems = PROBLEMS_INIT;
    struct buf told = BUF_INIT;
    json_t *config = NULL;
    struct fault f = FAULT_INIT;
    enum err err = tenant_config_parse(slice_of(text), "acme", "acme.json", &problems, &config, &f);

    buf_adds(&told, "");
    for (size_t i = 0; i < problems.count; i++) {
        buf_addf(&told, "%s%u:%u %s", i ? "\n" : "", problems.items[i].line,
                 problems.items[i].column, problems.items[i].text);
    }
    CHECK_STR(told.data ? told.data : "", want);
    CHECK_INT(err, *want ? E_REFUSED : E_OK);
    CHECK((config != NULL) == (err == E_OK));
    if (err) {
        char place[32];

        snprintf(place, sizeof place, "acme.json:%u:%u: ", f.line, f.column);
        CHECK(strncmp(f.text, place, strlen(place)) == 0);
    }
    json_decref(config);
    buf_fini(&told);
    problems_fini(&problems);
}

#define CLIENT                                                                                  \
    "\"client\":{\"id\":\"acme\",\"name\":\"Acme\",\"short_name\":\"A\",\"timezone\":\"Europe/" \
    "Lisbon\"}"

static void
what_is_right(void **unused)
{
    (void)unused;
    expect("{" CLIENT "}", "");
    expect(
        "{\"client\":{\"id\":\"acme\",\"name\":\"Acme\",\"short_name\":\"A\",\"timezone\":"
        "\"America/Argentina/Ushuaia\",\"currency\":\"EUR\"},\"branding\":{\"color\":\"#123\"},"
        "\"llm\":{\"provider\":\"ollama\",\"tier\":\"fast\",\"fallback\":[\"x\"],\"cache\":true},"
        "\"helpdesk\":{\"index\":\"acme\",\"min_score\":0.4},\"quota\":{\"tiingo\":"
        "\"5/month\"},\"features\":{\"x\":true},\"agents\":{\"ann\":{\"enabled\":true,"
        "\"prompt_file\":\"prompts/ann.md\"}},\"_meta\":{\"status\":\"suspended\"},"
        "\"whatever\":[1,null,\"\\u00e4\"]}",
        "");
    expect("{\"client\":{\"id\":\"acme\",\"name\":\"Acme\",\"short_name\":\"A\",\"timezone\":"
           "\"Etc/GMT+5\"}}",
           "");
}

static void
what_is_wrong(void **unused)
{
    (void)unused;
    expect("{}", "1:1 client: an object with id, name, short_name and timezone is needed");
    expect("{\n  \"client\": {\"id\": \"other\", \"name\": \"\", \"short_name\": 7,\n"
           "    \"timezone\": \"Mars/..\", \"currency\": \"euro\"}\n}",
           "2:37 client/name: a text of 1 to 256 bytes is needed\n"
           "2:55 client/short_name: a text of 1 to 256 bytes is needed\n"
           "3:17 client/timezone: a time zone such as Europe/Lisbon is needed\n"
           "3:40 client/currency: a currency of three letters such as EUR is needed\n"
           "2:20 client/id: it must be the name of the file without .json");
    expect("{" CLIENT
           ",\n\"helpdesk\":{\"index\":\"../x\",\"min_score\":2},\n\"agents\":{\"ann\":3,"
           "\"bob\":{\"enabled\":1,\"prompt_file\":\"/etc/passwd\"}},\n\"_meta\":{\"status\":"
           "\"gone\"},\n\"quota\":1,\"llm\":{\"tier\":[],\"provider\":1}}",
           "5:39 llm/provider: a text of 1 to 256 bytes is needed\n"
           "5:25 llm/tier: a text of 1 to 256 bytes is needed\n"
           "2:21 helpdesk/index: " TENANT_ID_RULE "\n"
           "2:40 helpdesk/min_score: a number from 0 to 1 is needed\n"
           "5:9 quota: an object is needed\n"
           "3:17 agents/ann: an object with enabled and prompt_file is needed\n"
           "3:36 agents/bob/enabled: true or false is needed\n"
           "3:52 agents/bob/prompt_file: a path without .. and hidden parts is needed\n"
           "4:19 _meta/status: \"active\" or \"suspended\" is needed");
}

static void
what_is_no_json(void **unused)
{
    (void)unused;
    expect("{\"client\":\n  {,}}", "2:4 not JSON: string or '}' expected near ','");
    expect("[]", "1:1 it must be one JSON object");
}

static void
patches(void **unused)
{
    static const struct {
        const char *config, *patch, *want;
    } cases[] = {
        {"{\"a\":1}", "{\"b\":2}", "{\"a\":1,\"b\":2}"},
        {"{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"x\":null,\"z\":3}}", "{\"a\":{\"y\":2,\"z\":3}}"},
        {"{\"a\":[1,2]}", "{\"a\":[3]}", "{\"a\":[3]}"},
        {"{\"a\":1}", "{\"a\":{\"b\":null,\"c\":1}}", "{\"a\":{\"c\":1}}"},
        {"{\"a\":{\"b\":1}}", "{\"a\":null}", "{}"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *config = json_loads(cases[i].config, 0, NULL);
        json_t *patch = json_loads(cases[i].patch, 0, NULL);
        struct buf text = BUF_INIT;

        tenant_config_merge(config, patch);
        json_write(&text, config);
        CHECK_STR(text.data, cases[i].want);
        buf_fini(&text);
        json_decref(config);
        json_decref(patch);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right),
        cmocka_unit_test(what_is_wrong),
        cmocka_unit_test(what_is_no_json),
        cmocka_unit_test(patches),
    };
    return CHECK_RUN(tests);
}
