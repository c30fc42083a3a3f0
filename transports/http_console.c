/* http_console.c -- the console: a page that shows what the server knows, with its styles and
 * scripts, all inside the binary.
 *
 * The page itself tells nothing: what it shows it asks for, with a token, by /api and /ws.  It may
 * load nothing but its own files, and no other page may frame it. */
#include "transports/http_private.h"

#define FOLDER "/console/"
#define HEADERS                                                                                \
    "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: "          \
    "no-referrer\r\n"                                                                          \
    "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n" \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "       \
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "                 \
    "frame-ancestors 'none'\r\n"

/* The files, as they are in transports/console. */
#define FILES(ROW)                             \
    ROW(page, "index.html", "text/html")       \
    ROW(style, "console.css", "text/css")      \
    ROW(main, "console.js", "text/javascript") \
    ROW(live, "live.js", "text/javascript")    \
    ROW(draw, "draw.js", "text/javascript")

#define ROW(NAME, FILE, TYPE)                                                    \
    __asm__(".section .rodata\n"                                                 \
            ".global console_" #NAME "_begin\n.hidden console_" #NAME "_begin\n" \
            ".global console_" #NAME "_end\n.hidden console_" #NAME "_end\n"     \
            "console_" #NAME "_begin: .incbin \"transports/console/" FILE "\"\n" \
            "console_" #NAME "_end:\n.previous\n");                              \
    extern const char console_##NAME##_begin[], console_##NAME##_end[];
FILES(ROW)
#undef ROW

static const struct {
    const char *name, *type;
    const char *begin, *end;
} files[] = {
#define ROW(NAME, FILE, TYPE) \
    {FILE, TYPE "; charset=utf-8", console_##NAME##_begin, console_##NAME##_end},
    FILES(ROW)
#undef ROW
};

void
http_console(struct connection *c, const struct http_parser *p)
{
    struct slice path = http_path(p), name = SLICE("index.html");
    size_t len = strlen(FOLDER);

    if (path.len > 1) {
        name = (struct slice){path.data + len, path.len - len};
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (slice_is(name, files[i].name)) {
            connection_answer(
                c, 200, files[i].type, HEADERS,
                (struct slice){files[i].begin, (size_t)(files[i].end - files[i].begin)});
            return;
        }
    }
    connection_refuse(c, false, 404, "not_found", "the console has no such file", NULL);
}
