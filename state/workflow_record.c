/* workflow_record.c -- the session document: what its members say, its id and its text. */
#include "state/workflow_record_private.h"

#include "state/base/json_put.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

static const char *const states[RECORD_STATE_COUNT] = {
#define ROW(NAME, TEXT) [RECORD_##NAME] = TEXT,
    RECORD_STATES(ROW)
#undef ROW
};

const char *
record_state_name(enum record_state state)
{
    return states[state];
}

int
record_state_named(const char *name)
{
    if (strcmp(name, "error") == 0) {
        return RECORD_FAILED;
    }
    for (int i = 0; i < RECORD_STATE_COUNT; i++) {
        if (strcmp(states[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

enum err
record_make_id(char id[RECORD_ID_SIZE], struct fault *f)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[16];
    char *p = id;

    if (getrandom(raw, sizeof raw, 0) != (ssize_t)sizeof raw) {
        return fault_set(f, E_IO, "no random bytes for a session id: %s", strerror(errno));
    }
    raw[6] = (unsigned char)(0x40 | (raw[6] & 0x0F));
    raw[8] = (unsigned char)(0x80 | (raw[8] & 0x3F));
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *p++ = '-';
        }
        *p++ = digits[raw[i] >> 4];
        *p++ = digits[raw[i] & 15];
    }
    *p = '\0';
    return E_OK;
}

bool
record_is_id(const char *text)
{
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = text[i];

        if (dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false; /* Also where the text ends too soon. */
        }
    }
    return text[36] == '\0';
}

const char *
record_text(const json_t *record, const char *key)
{
    const char *text = json_string_value(json_object_get(record, key));
    return text ? text : "";
}

const char *
record_id(const json_t *record)
{
    return record_text(record, "session_id");
}

const char *
record_pack(const json_t *record)
{
    return record_text(record, "workflow_type");
}

const char *
record_target(const json_t *record)
{
    return record_text(record, "target_file");
}

int64_t
record_revision(const json_t *record)
{
    return json_integer_value(json_object_get(record, "revision"));
}

enum record_state
record_state(const json_t *record)
{
    int state = record_state_named(record_text(json_object_get(record, "lifecycle"), "state"));
    return state < 0 ? RECORD_ACTIVE : (enum record_state)state;
}

int
record_current(const json_t *record)
{
    return (int)json_integer_value(json_object_get(record, "current_phase"));
}

const json_t *
record_options(const json_t *record)
{
    return json_object_get(record, "metadata");
}

static bool
has_number(const json_t *array, int number)
{
    size_t i;
    json_t *item;

    json_array_foreach((json_t *)(uintptr_t)array, i, item) {
        if (json_integer_value(item) == number) {
            return true;
        }
    }
    return false;
}

bool
record_has_completed(const json_t *record, int phase)
{
    return has_number(json_object_get(record, "completed_phases"), phase);
}

static const json_t *
phases_of(const json_t *record)
{
    return json_object_get(json_object_get(record, "structure"), "phases");
}

size_t
record_phase_count(const json_t *record)
{
    return json_array_size(phases_of(record));
}

int
record_phase_at(const json_t *record, size_t i)
{
    return (int)json_integer_value(json_array_get(phases_of(record), i));
}

bool
record_has_phase(const json_t *record, int phase)
{
    return has_number(phases_of(record), phase);
}

struct phase_key
record_key(int phase)
{
    struct phase_key key;

    snprintf(key.text, sizeof key.text, "%d", phase);
    return key;
}

const char *
record_title(const json_t *record, int phase)
{
    return record_text(json_object_get(json_object_get(record, "structure"), "titles"),
                       record_key(phase).text);
}

double
record_phase_seconds(const json_t *record, int phase, int64_t now_ns)
{
    const json_t *timing =
        json_object_get(json_object_get(record, "phase_timing"), record_key(phase).text);
    int64_t started = record_time(timing, "started_at");
    int64_t ended = record_time(timing, "completed_at");
    double seconds;

    if (started < 0) {
        return 0;
    }
    if (ended < 0) {
        int64_t paused = record_time(json_object_get(record, "lifecycle"), "paused_at");
        ended = record_state(record) == RECORD_PAUSED && paused >= 0 ? paused : now_ns;
    }
    seconds = (double)(ended - started) / 1e9 -
              json_number_value(json_object_get(timing, "paused_seconds"));
    return seconds > 0 ? seconds : 0;
}

enum err
record_dump(const json_t *record, size_t max, struct buf *out, struct fault *f)
{
    static const size_t styles[] = {JSON_INDENT(2), JSON_COMPACT};

    for (size_t i = 0; i < 2; i++) {
        char *text = json_dumps(record, styles[i]);
        size_t len;

        if (!text) {
            return fault_set(f, E_OVERLOAD, "no memory to write the session file");
        }
        len = strlen(text);
        if (len < max) {
            buf_add(out, text, len);
            buf_addc(out, '\n');
            free(text);
            return out->failed ? fault_set(f, E_OVERLOAD, "no memory to write the session file")
                               : E_OK;
        }
        free(text);
    }
    return fault_set(f, E_TOO_LARGE, "the session file would pass its limit of %zu bytes", max);
}

json_t *
record_errors(const json_t *record, int phase)
{
    json_t *list = json_must(json_array());
    size_t i;
    json_t *error;

    json_array_foreach(json_object_get(record, "errors"), i, error) {
        if (phase < 0 || json_integer_value(json_object_get(error, "phase")) == phase) {
            json_t *told = json_clone(error);
            json_object_del(told, "details");
            json_object_del(told, "cut");
            json_add(list, told);
        }
    }
    return list;
}
