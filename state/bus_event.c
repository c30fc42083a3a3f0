/* bus_event.c -- writes an envelope, all but its number, and then that.
 *
 * DESIGN.  The number is given under the lock of the bus, where nothing may take long.  So the text
 * is written before, behind room for what depends on the number, and that is put in front of it. */
#include "state/base/json_put.h"
#include "state/base/rune.h"
#include "state/bus_private.h"

#include <assert.h>
#include <stdio.h>

/* {"v":1,"seq":N,"epoch":"E","id":"E-N" */
#define FRONT_MAX 160

/* ---- Its text ---- */

static void
add_word(struct buf *text, const char *key, const char *value)
{
    struct slice word = slice_of(value);

    if (value) {
        word.len = rune_cut(word, BUS_WORD_MAX);
        buf_addf(text, ",\"%s\":", key);
        buf_add_json(text, word);
    }
}

/* Adds the topic and what follows from it; returns where it begins. */
static size_t
add_topic(struct buf *text, const char *topic)
{
    const char *dot = strchr(topic, '.');
    int type = dot ? (int)(dot - topic) : (int)strlen(topic);
    size_t at;

    buf_adds(text, ",\"topic\":\"");
    at = text->len;
    buf_addf(text, "%s\",\"type\":\"%.*s\",\"subtype\":\"%s\"", topic, type, topic,
             dot ? dot + 1 : "generic");
    return at;
}

/* Adds what an event tells; returns where it begins. */
static size_t
add_data(struct buf *text, const json_t *data, bool *truncated)
{
    size_t at, size;

    buf_adds(text, ",\"data\":");
    at = text->len;
    if (data) {
        json_write(text, data);
    } else {
        buf_adds(text, "{}");
    }
    size = text->len - at;
    *truncated = !text->failed && size > BUS_DATA_MAX;
    if (*truncated) {
        text->len = at;
        buf_addf(text, "{\"truncated\":true,\"size\":%zu}", size);
    }
    return at;
}

struct bus_event *
bus_event_new(const struct bus_draft *draft, int64_t wall_ns, int64_t mono_ns, bool *truncated)
{
    struct bus_event *event;
    struct buf text = BUF_INIT;
    char now[CLOCK_TEXT_SIZE], front[FRONT_MAX] = "";
    size_t topic, data, end;

    clock_format_utc(wall_ns, now);
    buf_add(&text, front, sizeof front);
    topic = add_topic(&text, draft->topic);
    add_word(&text, "source", draft->source ? draft->source : "server");
    buf_addf(&text, ",\"timestamp\":\"%s\",\"tenant\":", now);
    if (draft->tenant) {
        buf_add_json(&text, slice_of(draft->tenant));
    } else {
        buf_adds(&text, "null");
    }
    add_word(&text, "session_id", draft->session_id);
    add_word(&text, "correlation_id", draft->correlation_id);
    data = add_data(&text, draft->data, truncated);
    buf_addc(&text, '}');
    end = text.len;
    buf_addc(&text, '\0');
    buf_adds(&text, draft->tenant ? draft->tenant : "");
    if (text.failed) {
        buf_fini(&text);
        return NULL;
    }
    event = xcalloc(1, sizeof *event);
    atomic_init(&event->refs, 1);
    event->wall_ns = wall_ns;
    event->mono_ns = mono_ns;
    event->memory = buf_steal(&text);
    event->topic = (struct slice){event->memory + topic, strlen(draft->topic)};
    event->data = (struct slice){event->memory + data, end - 1 - data};
    event->text = (struct slice){event->memory + FRONT_MAX, end - FRONT_MAX};
    event->tenant = draft->tenant ? event->memory + end + 1 : NULL;
    return event;
}

void
bus_event_number(struct bus_event *event, const char *epoch, uint64_t seq)
{
    char front[FRONT_MAX], id[BUS_ID_SIZE];
    int len;

    bus_event_write_id(epoch, seq, id);
    len = snprintf(front, sizeof front, "{\"v\":1,\"seq\":%llu,\"epoch\":\"%s\",\"id\":\"%s\"",
                   (unsigned long long)seq, epoch, id);
    assert(len > 0 && len < FRONT_MAX && !event->seq);
    memcpy(event->memory + FRONT_MAX - len, front, (size_t)len);
    event->text.data -= len;
    event->text.len += (size_t)len;
    event->seq = seq;
}

/* ---- Its id ---- */

void
bus_event_write_id(const char *epoch, uint64_t seq, char out[BUS_ID_SIZE])
{
    snprintf(out, BUS_ID_SIZE, "%s-%llu", epoch, (unsigned long long)seq);
}

bool
bus_event_read_id(struct slice id, char epoch[BUS_EPOCH_MAX + 1], uint64_t *seq)
{
    const char *dash = id.len ? memrchr(id.data, '-', id.len) : NULL;
    size_t head = dash ? (size_t)(dash - id.data) : 0;

    if (!head || head > BUS_EPOCH_MAX ||
        !slice_number((struct slice){dash + 1, id.len - head - 1}, seq)) {
        return false;
    }
    memcpy(epoch, id.data, head);
    epoch[head] = '\0';
    return true;
}

/* ---- Who has it ---- */

struct bus_event *
bus_event_ref(struct bus_event *event)
{
    atomic_fetch_add_explicit(&event->refs, 1, memory_order_relaxed);
    return event;
}

void
bus_event_unref(struct bus_event *event)
{
    if (event && atomic_fetch_sub_explicit(&event->refs, 1, memory_order_acq_rel) == 1) {
        free(event->memory);
        free(event);
    }
}

bool
bus_event_is_for(const struct bus_event *event, const char *tenant)
{
    return !event->tenant || (tenant && strcmp(event->tenant, tenant) == 0);
}
