/* http_script.h -- the HTTP transport on real sockets, before a dispatcher whose answers come when
 * the test says so, and a clock that moves when the test says so.
 *
 * A test program includes http_script.c, whose dispatcher takes the place of the real one. */
#ifndef TANDEM_TESTS_HTTP_SCRIPT_H
#define TANDEM_TESTS_HTTP_SCRIPT_H

#include "handlers/dispatch.h"
#include "state/settings.h"
#include "tests/fakes.h"
#include "tests/http_client.h"
#include "tests/script.h"
#include "transports/http_private.h"

#include <semaphore.h>

#define SECOND ((int64_t)1000000000)
#define TOKEN "0123456789012345678901234567890123456789012"
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, prepare, finish)
#define JSON "Content-Type: application/json\r\n"
#define HOST "Host: localhost\r\n"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"
#define STREAM "Accept: application/json, text/event-stream\r\n"

/* The dispatcher of this program: a body's first word says what becomes of it.
 *   hold     is kept; released by the test, or by a "release" on another connection, inline
 *   thread   is answered by a thread of its own
 *   note     is taken without an answer
 *   big      gets 4 MB
 *   session  makes a session
 *   busy     is turned away
 *   and anything else is echoed. */
struct dispatcher {
    struct sink *_Atomic held;
    sem_t holding, gone, room, go_on;
    _Atomic unsigned taken, tools, ended;
    const struct sink *_Atomic gone_sink, *_Atomic drained;
    struct script_late late;
    char heard[256];  /* What the envelope said; read after the answer. */
    struct buf turns; /* The last bytes of all that began with "turn", in order; read likewise. */
};

extern struct dispatcher dispatcher;
extern struct settings *settings;
extern struct fake_clock fake;
extern struct transport *transport;
extern unsigned port;

int prepare(void **state);
void start_on(int fd, const char *token);
void start(const char *token);
void stop_at(int64_t deadline_ns);
int finish(void **state);
char *post(const char *body);
void send_post(struct client *c, const char *body);
void expect(struct client *c, int status, const char *body);
/* Sends 'text' on a connection of its own and reads one answer. */
struct response ask(struct client *c, const char *text);
int status_of(const char *text);
/* Still served, whatever happened before. */
void check_alive(void);
/* Sends "hold" for a stream and waits until dispatch has it. */
struct sink *hold(struct client *c, const char *version);

#endif
