/* traffic.c -- a line for each message. */
#include "tests/traffic.h"

#include <stdio.h>

static unsigned connection;

static void
write_line(struct buf *line)
{
    const char *path = getenv("TRAFFIC_LOG");
    FILE *file = fopen(path, "a");

    if (!file || line->failed || fprintf(file, "%s\n", line->data) < 0 || fclose(file) != 0) {
        perror(path);
        abort();
    }
    buf_fini(line);
}

static void
add(struct buf *line, const char *key, struct slice text)
{
    buf_addf(line, ",\"%s\":", key);
    buf_add_json(line, text);
}

void
traffic_begin(const char *transport, const char *name)
{
    struct buf line = BUF_INIT;

    if (getenv("TRAFFIC_LOG")) {
        buf_addf(&line, "{\"connection\":%u", ++connection);
        add(&line, "transport", slice_of(transport));
        add(&line, "name", slice_of(name));
        buf_addc(&line, '}');
        write_line(&line);
    }
}

void
traffic_sent(struct slice head, struct slice text)
{
    struct buf line = BUF_INIT;

    if (getenv("TRAFFIC_LOG")) {
        buf_addf(&line, "{\"connection\":%u", connection);
        add(&line, "head", head);
        add(&line, "sent", text);
        buf_addc(&line, '}');
        write_line(&line);
    }
}

void
traffic_got(int status, const char *session_id, const char *text)
{
    struct buf line = BUF_INIT;

    if (getenv("TRAFFIC_LOG")) {
        buf_addf(&line, "{\"connection\":%u,\"status\":%d", connection, status);
        if (session_id && *session_id) {
            add(&line, "session", slice_of(session_id));
        }
        add(&line, "got", slice_of(text));
        buf_addc(&line, '}');
        write_line(&line);
    }
}
