/* test_settings.c -- the table of settings: every row's own promises, and values of each type. */
#include "state/embed_configured.h"
#include "state/settings.h"

#include "state/base/log.h"
#include "tests/check.h"

#include <stdio.h>

static const char *
shown(const struct settings *s, enum setting setting)
{
    static char text[256];
    struct buf b = BUF_INIT;

    settings_show(s, setting, &b);
    snprintf(text, sizeof text, "%s", b.data ? b.data : "");
    buf_fini(&b);
    return text;
}

static void
every_row_keeps_its_promises(void **unused)
{
    struct settings *s = settings_create();

    (void)unused;
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = setting_row((enum setting)i);
        char option[SETTING_NAME_SIZE], variable[SETTING_NAME_SIZE];

        setting_option_name((enum setting)i, option);
        setting_variable_name((enum setting)i, variable);
        CHECK_INT(setting_find(slice_of(row->key)), i);
        CHECK_INT(setting_find(slice_of(option)), i);
        CHECK_INT(setting_find(slice_of(variable + strlen("TANDEM_"))), i);
        CHECK(strlen(row->key) < SETTING_NAME_SIZE - 8);
        CHECK(row->help[0] && row->help[strlen(row->help) - 1] != '.');
        CHECK(*setting_takes((enum setting)i));
        CHECK_INT(s->origins[i], ORIGIN_DEFAULT);
        CHECK_STR(shown(s, (enum setting)i), row->initial);
        if (row->type == SETTING_UINT || row->type == SETTING_DURATION ||
            row->type == SETTING_BYTES) {
            CHECK_INT(settings_set(s, (enum setting)i, row->least, ORIGIN_FILE, NULL), E_OK);
            CHECK_STR(shown(s, (enum setting)i), row->least);
            CHECK_INT(settings_set(s, (enum setting)i, row->most, ORIGIN_FILE, NULL), E_OK);
            CHECK(*shown(s, (enum setting)i));
        }
    }
    settings_unref(s);
}

/* tests/lint/security.txt promises these; how each holds is tested beside it, often at another
 * value, so a default that has changed by mistake is seen here. */
static void
limits_are_those_that_are_promised(void **unused)
{
    static const struct {
        enum setting setting;
        const char *initial, *most;
    } promised[] = {
        {SETTING_listen, "127.0.0.1", NULL},
        {SETTING_auth, "token", NULL},
        {SETTING_drain, "5s", "1m"},
        {SETTING_limits_message, "1MiB", "16MiB"},
        {SETTING_limits_json_depth, "64", "512"},
        {SETTING_limits_json_values, "50000", "500000"},
        {SETTING_limits_request_line, "8KiB", "64KiB"},
        {SETTING_limits_headers, "16KiB", "64KiB"},
        {SETTING_limits_header_count, "100", "200"},
        {SETTING_limits_head_time, "10s", "1m"},
        {SETTING_limits_body_idle, "10s", "1m"},
        {SETTING_limits_body_time, "30s", "5m"},
        {SETTING_limits_keep_alive, "1m", NULL},
        {SETTING_limits_requests, "10000", NULL},
        {SETTING_limits_ws_ping, "30s", NULL},
        {SETTING_limits_connections, "1024", NULL},
        {SETTING_limits_unchecked, "256", NULL},
        {SETTING_limits_sessions, "512", "10000"},
        {SETTING_limits_sessions_each, "256", "10000"},
        {SETTING_limits_session_idle, "30m", "24h"},
        {SETTING_limits_streams, "4", "16"},
        {SETTING_limits_calls, "256", NULL},
        {SETTING_limits_calls_each, "32", NULL},
        {SETTING_limits_call_rate, "100", NULL},
        {SETTING_limits_call_time, "1m", "10m"},
        {SETTING_limits_stdout, "8MiB", NULL},
        {SETTING_limits_state_file, "1MiB", NULL},
        {SETTING_limits_state_files, "10000", NULL},
    };
    struct settings *s = settings_create();

    (void)unused;
    for (size_t i = 0; i < sizeof promised / sizeof *promised; i++) {
        CHECK_STR(shown(s, promised[i].setting), promised[i].initial);
        if (promised[i].most) {
            CHECK_STR(setting_row(promised[i].setting)->most, promised[i].most);
        }
    }
    settings_unref(s);
}

static void
choices_match_their_enums(void **unused)
{
    static const struct {
        enum setting setting;
        const char *word;
        unsigned value;
    } pairs[] = {
        {SETTING_transport, "auto", TRANSPORT_MODE_AUTO},
        {SETTING_transport, "dual", TRANSPORT_MODE_DUAL},
        {SETTING_transport, "stdio", TRANSPORT_MODE_STDIO},
        {SETTING_transport, "http", TRANSPORT_MODE_HTTP},
        {SETTING_auth, "none", AUTH_NONE},
        {SETTING_auth, "token", AUTH_TOKEN},
        {SETTING_auth, "jwt", AUTH_JWT},
        {SETTING_log_format, "auto", LOG_FORMAT_AUTO},
        {SETTING_log_format, "text", LOG_FORMAT_TEXT},
        {SETTING_log_format, "json", LOG_FORMAT_JSON},
        {SETTING_log_format, "journal", LOG_FORMAT_JOURNAL},
        {SETTING_log_level, "debug", LOG_DEBUG},
        {SETTING_log_level, "info", LOG_INFO},
        {SETTING_log_level, "warn", LOG_WARN},
        {SETTING_log_level, "error", LOG_ERROR},
        {SETTING_log_level, "off", LOG_OFF},
    };
    struct settings *s = settings_create();
    struct fault f = FAULT_INIT;

    (void)unused;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const void *member = (char *)s + setting_row(pairs[i].setting)->offset;
        CHECK_INT(settings_set(s, pairs[i].setting, pairs[i].word, ORIGIN_OPTION, NULL), E_OK);
        CHECK_INT(*(const unsigned *)member, pairs[i].value);
        CHECK_STR(shown(s, pairs[i].setting), pairs[i].word);
    }
    CHECK_INT(settings_set(s, SETTING_auth, "tok", ORIGIN_OPTION, &f), E_ARGUMENT);
    CHECK_STR(f.text, "auth: \"tok\" is not one of none|token|jwt");
    CHECK_INT(settings_set(s, SETTING_auth, "none|token", ORIGIN_OPTION, NULL), E_ARGUMENT);
    CHECK_INT(s->auth, AUTH_JWT); /* As it was. */
    settings_unref(s);
}

static void
numbers_hold_their_bounds(void **unused)
{
    static const struct {
        enum setting setting;
        const char *text;
        enum err err;
        const char *shown;
    } cases[] = {
        {SETTING_limits_json_depth, "8", E_OK, "8"},
        {SETTING_limits_json_depth, "7", E_ARGUMENT, NULL},
        {SETTING_limits_json_depth, "512", E_OK, "512"},
        {SETTING_limits_json_depth, "513", E_ARGUMENT, NULL},
        {SETTING_limits_json_depth, "-1", E_ARGUMENT, NULL},
        {SETTING_limits_json_depth, "64x", E_ARGUMENT, NULL},
        {SETTING_limits_json_depth, "", E_ARGUMENT, NULL},
        {SETTING_limits_json_depth, "99999999999999999999", E_ARGUMENT, NULL},
        {SETTING_limits_json_depth, "18446744073709551615", E_ARGUMENT, NULL},
        {SETTING_limits_message, "16MiB", E_OK, "16MiB"},
        {SETTING_limits_message, "16777216", E_OK, "16MiB"},
        {SETTING_limits_message, "16777217", E_ARGUMENT, NULL},
        {SETTING_limits_message, "16777215", E_OK, "16777215"},
        {SETTING_limits_message, "17 mib", E_ARGUMENT, NULL},
        {SETTING_limits_message, "5 kib", E_OK, "5KiB"},
        {SETTING_limits_message, "4095", E_ARGUMENT, NULL},
        {SETTING_limits_message, "99999999999GiB", E_ARGUMENT, NULL},
        {SETTING_limits_message, "1.5MiB", E_ARGUMENT, NULL},
        {SETTING_limits_message, "5 ", E_ARGUMENT, NULL},
        {SETTING_drain, "0", E_OK, "0s"},
        {SETTING_drain, "0s", E_OK, "0s"},
        {SETTING_drain, "1500ms", E_OK, "1500ms"},
        {SETTING_drain, "1m", E_OK, "1m"},
        {SETTING_drain, "60000ms", E_OK, "1m"},
        {SETTING_drain, "60001ms", E_ARGUMENT, NULL},
        {SETTING_drain, "1ns", E_OK, "1ns"},
        {SETTING_drain, "5", E_ARGUMENT, NULL}, /* Seconds or minutes?  It has to say. */
        {SETTING_limits_session_idle, "24h", E_OK, "24h"},
        {SETTING_limits_session_idle, "86401s", E_ARGUMENT, NULL},
    };
    struct settings *s = settings_create();

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_INT(settings_set(s, cases[i].setting, cases[i].text, ORIGIN_OPTION, NULL),
                  cases[i].err);
        if (cases[i].shown) {
            CHECK_STR(shown(s, cases[i].setting), cases[i].shown);
        }
    }
    CHECK_INT(s->limits_session_idle, 86400 * INT64_C(1000000000));
    settings_unref(s);
}

static void
errors_say_what_is_allowed(void **unused)
{
    struct settings *s = settings_create();
    struct fault f = FAULT_INIT;

    (void)unused;
    settings_set(s, SETTING_limits_message, "17MiB", ORIGIN_FILE, &f);
    CHECK_STR(f.text, "limits.message: 17MiB is not within 4KiB to 16MiB");
    settings_set(s, SETTING_limits_message, "big", ORIGIN_FILE, &f);
    CHECK_STR(f.text, "limits.message: \"big\" is not a size such as 512, 16KiB, 1MiB");
    settings_set(s, SETTING_drain, "5", ORIGIN_FILE, &f);
    CHECK_STR(f.text, "drain: \"5\" is not a time such as 500ms, 10s, 30m");
    settings_set(s, SETTING_workers_threads, "many", ORIGIN_FILE, &f);
    CHECK_STR(f.text, "workers.threads: \"many\" is not a whole number");
    settings_set(s, SETTING_linger, "maybe", ORIGIN_FILE, &f);
    CHECK_STR(f.text, "linger: \"maybe\" is neither true nor false");
    CHECK_INT(s->origins[SETTING_linger], ORIGIN_DEFAULT);
    settings_unref(s);
}

static void
bools_and_texts(void **unused)
{
    struct settings *s = settings_create();

    (void)unused;
    CHECK_INT(settings_set(s, SETTING_linger, "Yes", ORIGIN_ENVIRONMENT, NULL), E_OK);
    CHECK(s->linger);
    CHECK_STR(shown(s, SETTING_linger), "true");
    CHECK_INT(s->origins[SETTING_linger], ORIGIN_ENVIRONMENT);
    CHECK_STR(setting_origin_name(ORIGIN_ENVIRONMENT), "environment");
    CHECK_INT(settings_set(s, SETTING_linger, "0", ORIGIN_OPTION, NULL), E_OK);
    CHECK(!s->linger);
    CHECK_INT(settings_set(s, SETTING_listen, "unix:/a b", ORIGIN_OPTION, NULL), E_OK);
    CHECK_STR(s->listen, "unix:/a b");
    CHECK_STR(shown(s, SETTING_listen), "unix:/a b");
    settings_unref(s);
}

static void
lists_are_stepped_through(void **unused)
{
    const char *list = " core, full ,,x ,";
    struct slice item;

    (void)unused;
    CHECK(settings_next_item(&list, &item) && slice_is(item, "core"));
    CHECK(settings_next_item(&list, &item) && slice_is(item, "full"));
    CHECK(settings_next_item(&list, &item) && slice_is(item, "x"));
    CHECK(!settings_next_item(&list, &item));
    CHECK(!settings_next_item(&list, &item));
}

static void
names_are_found_and_guessed(void **unused)
{
    (void)unused;
    CHECK_INT(setting_find(SLICE("LIMITS_JSON_DEPTH")), SETTING_limits_json_depth);
    CHECK_INT(setting_find(SLICE("limits-json.depth")), SETTING_limits_json_depth);
    CHECK_INT(setting_find(SLICE("limits")), -1);
    CHECK_INT(setting_find(SLICE("limitsxjson_depth")), -1);
    CHECK_INT(setting_nearest(SLICE("limits.jsondepth")), SETTING_limits_json_depth);
    CHECK_INT(setting_nearest(SLICE("qqqqqqqqqqqq")), -1);
}

static void
settings_agree_with_each_other(void **unused)
{
    struct settings *s = settings_create();
    struct fault f = FAULT_INIT;
    static const char *const bad_paths[] = {"mcp", "", "/mcp/", "/a b", "/a?b", "/a#b"};

    (void)unused;
    CHECK_INT(settings_check(s, &f), E_OK);
    for (size_t i = 0; i < sizeof bad_paths / sizeof *bad_paths; i++) {
        settings_set(s, SETTING_http_path, bad_paths[i], ORIGIN_FILE, NULL);
        CHECK_INT(settings_check(s, &f), E_ARGUMENT);
    }
    settings_set(s, SETTING_http_path, "/", ORIGIN_FILE, NULL);
    CHECK_INT(settings_check(s, &f), E_OK);
    settings_set(s, SETTING_workers_reserve, "16", ORIGIN_FILE, NULL);
    CHECK_INT(settings_check(s, &f), E_ARGUMENT);
    settings_set(s, SETTING_workers_threads, "17", ORIGIN_FILE, NULL);
    CHECK_INT(settings_check(s, &f), E_OK);
    settings_set(s, SETTING_ports_last, "4241", ORIGIN_FILE, NULL);
    CHECK_INT(settings_check(s, &f), E_ARGUMENT);
    settings_set(s, SETTING_ports_last, "5242", ORIGIN_FILE, NULL);
    settings_set(s, SETTING_helpdesk_url, "http://elsewhere/index.jsonl", ORIGIN_FILE, NULL);
    CHECK_INT(settings_check(s, &f), E_ARGUMENT);
    settings_set(s, SETTING_helpdesk_url, "https://elsewhere/index.jsonl", ORIGIN_FILE, NULL);
    CHECK_INT(settings_check(s, &f), E_OK);
    settings_unref(settings_ref(s));
    settings_unref(s);
    settings_unref(NULL);
}

/* Settings of --auth jwt, one of them with another text; what is said of them. */
static enum err
jwt_verdict(enum setting setting, const char *text)
{
    struct settings *s = settings_create();
    struct fault f = FAULT_INIT;
    enum err err;

    settings_set(s, SETTING_auth, "jwt", ORIGIN_FILE, NULL);
    settings_set(s, SETTING_jwt_issuer, "https://as.example.com/", ORIGIN_FILE, NULL);
    settings_set(s, SETTING_jwt_resource, "https://tandem.example.com/mcp", ORIGIN_FILE, NULL);
    settings_set(s, SETTING_jwt_keys, "https://as.example.com/jwks", ORIGIN_FILE, NULL);
    settings_set(s, setting, text, ORIGIN_FILE, NULL);
    err = settings_check(s, &f);
    CHECK(!err == !f.text[0]);
    settings_unref(s);
    return err;
}

static void
jwt_needs_all_that_it_needs(void **unused)
{
    static const char *const resources[] = {"https://tandem.example.com/mcp/",
                                            "https://Tandem.example.com/mcp",
                                            "tandem.example.com",
                                            "https://tandem.example.com/mcp#x",
                                            "https://tandem.example.com/m p",
                                            "https://u@tandem.example.com/mcp",
                                            "https://tandem.example.com/mcp?x",
                                            "https://",
                                            "",
                                            "https://tandem.example.com/\"x"};

    (void)unused;
    CHECK_INT(jwt_verdict(SETTING_jwt_skew, "1m"), E_OK);
    CHECK_INT(jwt_verdict(SETTING_jwt_issuer, ""), E_ARGUMENT);
    CHECK_INT(jwt_verdict(SETTING_jwt_issuer, "as.example.com"), E_ARGUMENT);
    CHECK_INT(jwt_verdict(SETTING_jwt_issuer, "https://as/\r\nx"), E_ARGUMENT);
    CHECK_INT(jwt_verdict(SETTING_jwt_keys, ""), E_ARGUMENT);
    CHECK_INT(jwt_verdict(SETTING_jwt_keys, "http://as.example.com/jwks"), E_ARGUMENT);
    CHECK_INT(jwt_verdict(SETTING_jwt_keys, "http://127.0.0.1:80/jwks"), E_OK);
    CHECK_INT(jwt_verdict(SETTING_jwt_keys, "keys.json"), E_OK);
    CHECK_INT(jwt_verdict(SETTING_jwt_scopes, "a,b"), E_OK);
    CHECK_INT(jwt_verdict(SETTING_jwt_scopes, "a\"b"), E_ARGUMENT);
    CHECK_INT(jwt_verdict(SETTING_jwt_scopes, "a b"), E_ARGUMENT);
    CHECK_INT(jwt_verdict(SETTING_jwt_resource, "https://tandem.example.com"), E_OK);
    CHECK_INT(jwt_verdict(SETTING_jwt_resource, "http://[::1]:4242/mcp"), E_OK);
    for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
        CHECK_INT(jwt_verdict(SETTING_jwt_resource, resources[i]), E_ARGUMENT);
    }
}

/* Settings of a provider of vectors, one of them with another text; what is said of them. */
static enum err
embed_verdict(enum setting setting, const char *text)
{
    struct settings *s = settings_create();
    struct fault f = FAULT_INIT;
    enum err err;

    settings_set(s, SETTING_embed_provider, "openai", ORIGIN_FILE, NULL);
    settings_set(s, SETTING_embed_model, "small", ORIGIN_FILE, NULL);
    settings_set(s, SETTING_embed_hosts, "gpu-box, 192.168.1.7", ORIGIN_FILE, NULL);
    CHECK_INT(settings_set(s, setting, text, ORIGIN_FILE, NULL), E_OK);
    err = settings_check(s, &f);
    CHECK(!err == !f.text[0] && !strstr(f.text, "secret"));
    settings_unref(s);
    return err;
}

static void
a_provider_of_vectors_needs_an_address_and_a_model(void **unused)
{
    (void)unused;
    CHECK_INT(embed_verdict(SETTING_embed_url, ""), E_OK);
    CHECK_INT(embed_verdict(SETTING_embed_provider, "ollama"), E_OK);
    CHECK_INT(embed_verdict(SETTING_embed_url, "https://models.example.com/v1"), E_OK);
    CHECK_INT(embed_verdict(SETTING_embed_url, "http://127.0.0.1:11434"), E_OK);
    CHECK_INT(embed_verdict(SETTING_embed_url, "http://gpu-box:11434"), E_OK);
    CHECK_INT(embed_verdict(SETTING_embed_url, "http://192.168.1.7"), E_OK);
    CHECK_INT(embed_verdict(SETTING_embed_url, "http://192.168.1.8"), E_ARGUMENT);
    CHECK_INT(embed_verdict(SETTING_embed_url, "http://169.254.169.254/"), E_ARGUMENT);
    CHECK_INT(embed_verdict(SETTING_embed_url, "https://me:secret@example.com"), E_ARGUMENT);
    CHECK_INT(embed_verdict(SETTING_embed_url, "https://example.com/?key=secret"), E_ARGUMENT);
    CHECK_INT(embed_verdict(SETTING_embed_url, "file:///etc/passwd"), E_ARGUMENT);
    CHECK_INT(embed_verdict(SETTING_embed_model, ""), E_ARGUMENT);
    CHECK_INT(embed_verdict(SETTING_embed_model, "a b"), E_ARGUMENT);
    CHECK_INT(embed_verdict(SETTING_embed_model, "a\r\nb"), E_ARGUMENT);
    CHECK_INT(embed_verdict(SETTING_embed_provider, "none"), E_OK);
}

static void
the_embedder_is_the_one_that_settings_name(void **unused)
{
    struct settings *s = settings_create();
    struct embedder *e;

    (void)unused;
    CHECK(!embed_configured(s, NULL));
    settings_set(s, SETTING_embed_provider, "ollama", ORIGIN_FILE, NULL);
    settings_set(s, SETTING_embed_model, "nomic-embed-text", ORIGIN_FILE, NULL);
    e = embed_configured(s, NULL);
    CHECK_STR(e->identity, "ollama/nomic-embed-text");
    embedder_unref(e);
    settings_set(s, SETTING_embed_provider, "openai", ORIGIN_FILE, NULL);
    settings_set(s, SETTING_embed_dimension, "256", ORIGIN_FILE, NULL);
    e = embed_configured(s, "key");
    CHECK_STR(e->identity, "openai/nomic-embed-text");
    CHECK_INT(e->dimension, 256);
    embedder_unref(e);
    settings_unref(s);
}

static void
numbers_with_decimals(void **unused)
{
    static const char *const wrong[] = {"",    "x",   "0.3x", "1.1",  "-0.1",
                                        "nan", "inf", "0x1",  "1e-1", " 0.3"};
    struct settings *s = settings_create();
    struct fault f = FAULT_INIT;

    (void)unused;
    CHECK(s->helpdesk_min_score == 0.3);
    CHECK_STR(shown(s, SETTING_helpdesk_min_score), "0.3");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_INT(settings_set(s, SETTING_helpdesk_min_score, wrong[i], ORIGIN_FILE, &f),
                  E_ARGUMENT);
        CHECK(strstr(f.text, "helpdesk.min_score") != NULL);
    }
    CHECK_INT(settings_set(s, SETTING_helpdesk_min_score, "1", ORIGIN_FILE, NULL), E_OK);
    CHECK_INT(settings_set(s, SETTING_helpdesk_min_score, "0.45", ORIGIN_FILE, NULL), E_OK);
    CHECK(s->helpdesk_min_score == 0.45);
    settings_unref(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_keeps_its_promises),
        cmocka_unit_test(limits_are_those_that_are_promised),
        cmocka_unit_test(choices_match_their_enums),
        cmocka_unit_test(numbers_hold_their_bounds),
        cmocka_unit_test(errors_say_what_is_allowed),
        cmocka_unit_test(bools_and_texts),
        cmocka_unit_test(lists_are_stepped_through),
        cmocka_unit_test(names_are_found_and_guessed),
        cmocka_unit_test(numbers_with_decimals),
        cmocka_unit_test(settings_agree_with_each_other),
        cmocka_unit_test(jwt_needs_all_that_it_needs),
        cmocka_unit_test(a_provider_of_vectors_needs_an_address_and_a_model),
        cmocka_unit_test(the_embedder_is_the_one_that_settings_name),
    };
    return CHECK_RUN(tests);
}
