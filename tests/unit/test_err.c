/* The error table holds together, and telling an error never fails. */
#include "tests/check.h"

#include "state/base/err.h"
#include "state/base/mem.h"
#include "state/base/rune.h"

#include <ctype.h>

static void
every_row_is_usable(void **state)
{
    (void)state;
    for (int e = 1; e < ERR_COUNT; e++) {
        const struct err_info *info = err_info((enum err)e);

        CHECK(info->http_status >= 200 && info->http_status < 600);
        /* A protocol error has a code on the wire; a tool's is told in its result. */
        CHECK(info->told == ERR_TOLD_TOOL || info->rpc_code != 0);
        CHECK(info->name[0] && info->type[0]);
        for (const char *p = info->code; *p; p++) {
            CHECK(islower((unsigned char)*p) || *p == '_');
        }
        for (int other = 1; other < e; other++) {
            CHECK(strcmp(info->code, err_info((enum err)other)->code) != 0);
        }
    }
}

static void
codes_are_those_of_the_protocol(void **state)
{
    (void)state;
    CHECK_INT(err_info(E_PARSE)->rpc_code, -32700);
    CHECK_INT(err_info(E_INVALID_REQUEST)->rpc_code, -32600);
    CHECK_INT(err_info(E_NO_METHOD)->rpc_code, -32601);
    CHECK_INT(err_info(E_NO_METHOD)->http_status, 404);
    CHECK_INT(err_info(E_PARAMS)->rpc_code, -32602);
    CHECK_INT(err_info(E_META)->http_status, 400);
    CHECK_INT(err_info(E_HEADERS)->rpc_code, -32020);
    CHECK_INT(err_info(E_CAPABILITY)->rpc_code, -32021);
    CHECK_INT(err_info(E_VERSION)->rpc_code, -32022);
    CHECK_INT(err_info(E_INTERNAL)->rpc_code, -32603);
    CHECK_INT(err_info(E_NO_RESOURCE)->rpc_code, -32002);
}

static void
a_fault_tells_what_where_and_what_next(void **state)
{
    struct fault f = FAULT_INIT;

    (void)state;
    CHECK(fault_at(&f, E_ARGUMENT, 3, 14, "no '%s' in %d files", "gate", 2) == E_ARGUMENT);
    CHECK(fault_remedy(&f, "add '%s'", "gate") == E_ARGUMENT);
    CHECK_INT(f.line, 3);
    CHECK_INT(f.column, 14);
    CHECK_STR(f.text, "no 'gate' in 2 files");
    CHECK_STR(f.remedy, "add 'gate'");
    /* A new one forgets the old one's place and remedy. */
    CHECK(fault_set(&f, E_IO, "disk") == E_IO);
    CHECK_INT(f.code, E_IO);
    CHECK_INT(f.line, 0);
    CHECK_INT(f.column, 0);
    CHECK_STR(f.remedy, "");
    CHECK_STR(f.text, "disk");
    /* Errors of the machine have a next step all the same. */
    CHECK(strstr(fault_next_step(&f), "disk has room"));
    fault_set(&f, E_OVERLOAD, "full");
    CHECK(strstr(fault_next_step(&f), "wait"));
    fault_set(&f, E_INTERNAL, "strange");
    CHECK(*fault_next_step(&f));
    fault_remedy(&f, "tell us");
    CHECK_STR(fault_next_step(&f), "tell us");
    fault_set(&f, E_STATE, "paused");
    CHECK_STR(fault_next_step(&f), "");
}

static void
nobody_needs_to_listen(void **state)
{
    (void)state;
    CHECK(fault_set(NULL, E_IO, "x") == E_IO);
    CHECK(fault_at(NULL, E_STATE, 1, 2, "x") == E_STATE);
    CHECK(fault_remedy(NULL, "x") == E_STATE);
}

/* Whatever is put into a text, it stays UTF-8 and is cut between two characters. */
static void
texts_stay_utf8(void **state)
{
    struct fault f = FAULT_INIT;
    char text[700];

    (void)state;
    for (size_t shift = 0; shift < 8; shift++) {
        memset(text, 'a', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4) {
            memcpy(text + i, "\xF0\x9F\x99\x82", 5);
        }
        fault_set(&f, E_IO, "%s", text);
        CHECK(rune_valid(slice_of(f.text)));
        CHECK(strlen(f.text) > sizeof f.text - 5);
        CHECK(strlen(f.text) < sizeof f.text);
    }
    fault_set(&f, E_IO, "%s",
              "a\xFF"
              "b\xC3(\xED\xA0\x80"
              "c\xF0\x9F\x99");
    CHECK_STR(f.text, "a?b?(???c???");
    fault_remedy(&f, "%s", "\xE2\x82\xAC");
    CHECK_STR(f.remedy, "\xE2\x82\xAC");
}

static void
check_written(const struct fault *f, const char *want)
{
    struct buf out = BUF_INIT;

    fault_write(&out, f);
    buf_addc(&out, '\0');
    CHECK(!out.failed);
    CHECK_STR(out.data, want);
    buf_fini(&out);
}

static void
a_fault_is_written_as_it_is(void **state)
{
    struct fault f = FAULT_INIT;

    (void)state;
    fault_set(&f, E_ARGUMENT, "'%s' is no name", "a\"b");
    check_written(&f, "{\"code\":\"invalid_argument\",\"message\":\"'a\\\"b' is no name\","
                      "\"retryable\":false}");
    fault_remedy(&f, "use letters");
    f.reason = "name";
    check_written(&f, "{\"code\":\"invalid_argument\",\"message\":\"'a\\\"b' is no name\","
                      "\"retryable\":false,\"remedy\":\"use letters\","
                      "\"details\":{\"reason\":\"name\"}}");
    fault_set(&f, E_OVER_QUOTA, "no more");
    f.retry_s = 7;
    check_written(&f, "{\"code\":\"quota_exhausted\",\"message\":\"no more\",\"retryable\":true,"
                      "\"details\":{\"retry_after\":7}}");
    f.reason = "exhausted";
    check_written(&f, "{\"code\":\"quota_exhausted\",\"message\":\"no more\",\"retryable\":true,"
                      "\"details\":{\"reason\":\"exhausted\",\"retry_after\":7}}");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_usable),
        cmocka_unit_test(codes_are_those_of_the_protocol),
        cmocka_unit_test(a_fault_tells_what_where_and_what_next),
        cmocka_unit_test(nobody_needs_to_listen),
        cmocka_unit_test(texts_stay_utf8),
        cmocka_unit_test(a_fault_is_written_as_it_is),
    };
    return CHECK_RUN(tests);
}
