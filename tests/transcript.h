/* transcript.h -- transcripts: what is said to a server, and what it must answer.
 *
 * A transcript is a text file of cases.  Each case has a server of its own, on an empty project,
 * and one connection to it, so that what legacy clients agreed lasts for the case.  A line is
 *
 *     # a comment
 *     @let NAME TEXT       from here on, in this file, %{NAME} stands for TEXT
 *     == what this shows   begins a case
 *     @only stdio ws       plays it on these transports only (of stdio, http, ws); what is for
 *                          stdio is played through a bridge too: over the stdio of another window
 *                          of the project
 *     @copy FROM TO        copies a folder of the repository into the project before that
 *     @options --x y       starts the server with these options too
 *     @capabilities JSON   what @init declares; usual is {}
 *     @init VERSION ...    sends initialize for that version and initialized, as any legacy client
 *                          does; with several versions the case is played for each
 *     @keep NAME A.B.C     behind what is expected: from here on %{NAME} stands for the string
 *                          there in a message that has just come
 *     @end                 ends the server's input; what is expected behind it comes after that
 *     @header NAME: VALUE  over HTTP, the next message has this header instead of the usual one;
 *                          without a value, none
 *     > LINE               sent as it stands; %{TEXT*N} stands for N times TEXT, %{\xHH} for
 *                          that byte
 *     < JSON               expected, in the words of tests/json_match.h; a message has the members
 *                          named and no others
 *     <404 JSON            the same, and over HTTP with this status; usual is 200
 *     <202                 over HTTP, an answer without a message (202 is usual where no message is
 *                          expected)
 *
 * Lines that are sent without one expected between them go out together; then as many messages must
 * come as are expected, in any order.  Nothing else may come, until the end of the case: the
 * server's input ends, it answers what it has, closes a WebSocket with 1001, and exits with 0. */
#ifndef TANDEM_TESTS_TRANSCRIPT_H
#define TANDEM_TESTS_TRANSCRIPT_H

#include "state/base/mem.h"

#define TRANSCRIPT_LINES 400 /* That count, at most. */

/* In this order: what stands before a case's messages, from ONLY to OPTIONS; what goes to the
 * server, from HEADER to END. */
enum line_kind {
    LINE_CASE,
    LINE_ONLY,
    LINE_COPY,
    LINE_CAPABILITIES,
    LINE_OPTIONS,
    LINE_INIT,
    LINE_HEADER,
    LINE_SEND,
    LINE_END,
    LINE_EXPECT,
    LINE_KEEP
};

struct line {
    enum line_kind kind;
    unsigned number; /* In its file. */
    char *text;      /* Owned; expanded. */
    size_t len;      /* It may hold NUL. */
    int status;      /* Of LINE_EXPECT; 0: the usual one. */
};

struct transcript {
    const char *name; /* Below tests/transcripts. */
    struct line lines[TRANSCRIPT_LINES];
    size_t count;
};

/* Reads a transcript; what cannot be read ends the program with status 2.  The texts of its lines
 * are the caller's to free. */
void transcript_read(struct transcript *t, const char *name);
/* Ends the program: a line of it means nothing. */
void transcript_bad(const struct transcript *t, unsigned number, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

#endif
