/* http_parser_private.h -- what the files of the request parser share.
 *
 *   http_parser.c        the driver, lines, and what is handed out
 *   http_parser_head.c   request line and headers       http_parser_body.c   bodies and chunks */
#ifndef TANDEM_HTTP_PARSER_PRIVATE_H
#define TANDEM_HTTP_PARSER_PRIVATE_H

#include "transports/http_parser.h"

enum state {
    STATE_LINE, /* Waits for the request line, or empty lines before it. */
    STATE_HEADERS,
    STATE_BODY, /* The head has been told; how long the body is, is to be looked at. */
    STATE_SIZED,
    STATE_CHUNK_LINE,
    STATE_CHUNK_DATA,
    STATE_CHUNK_END,
    STATE_TRAILERS,
    STATE_OVER,
};

enum times { ONCE, MANY };
struct header_row {
    struct slice name;
    enum times times;
};
/* By enum http_header. */
extern const struct header_row parser_headers[];
/* By enum http_method. */
extern const struct slice parser_methods[];

static inline struct http_span
parser_span(const struct http_parser *p, struct slice s)
{
    return (struct http_span){(uint32_t)(s.data - p->data), (uint32_t)s.len};
}

/* Ends the parse, telling why.  Returns false. */
bool parser_refuse(struct http_parser *p, enum http_refusal why);

enum line { LINE_MORE, LINE_WHOLE, LINE_REFUSED };
/* The same where the run of its bytes has ended at 'at', and not with CRLF. */
enum line parser_stop_line(struct http_parser *p, size_t len, size_t at, bool visible,
                           enum http_refusal too_long, enum http_refusal bad);
/* Looks for the end of the line that begins at p->line, which may have 'limit' bytes that are
 * visible, or any that a header may have.  Once it is whole, 'line_len' is set and 'scan' is the
 * next line's place. */
static inline enum line
parser_next_line(struct http_parser *p, size_t len, size_t limit, bool visible,
                 enum http_refusal too_long, enum http_refusal bad)
{
    size_t stop = p->line + limit < len ? p->line + limit : len;
    size_t at = http_line_run(p->data, p->scan, stop, visible);

    if (len - at < 2 || p->data[at] != '\r' || p->data[at + 1] != '\n') {
        return parser_stop_line(p, len, at, visible, too_long, bad);
    }
    p->line_len = (uint32_t)(at - p->line);
    p->scan = (uint32_t)at + 2;
    return LINE_WHOLE;
}
/* The line that is whole, without its end. */
static inline struct slice
parser_line(const struct http_parser *p)
{
    return (struct slice){p->data + p->line, p->line_len};
}

/* Takes the whole line of a header or trailer apart: NAME ":" OWS VALUE OWS.  False after a
 * refusal.
 */
bool parser_split_header(struct http_parser *p, struct http_field *field);
/* Takes what is new of a head: HTTP_MORE, HTTP_HEAD or HTTP_REFUSED. */
enum http_event parser_head(struct http_parser *p, size_t len);
/* Takes what is new of a body: HTTP_MORE, HTTP_WHOLE or HTTP_REFUSED. */
enum http_event parser_body(struct http_parser *p, char *data, size_t *len);

#endif
