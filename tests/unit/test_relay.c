/* test_relay.c -- the cards of those who read events by WebSocket: who comes back to which, how
 * many there may be, and when they are forgotten. */
#include "tests/check.h"

#include "state/relay.h"
#include "tests/fakes.h"
#include "tests/threads.h"

#include <stdio.h>

#define SECOND INT64_C(1000000000)
#define CLIENTS 4
#define KEPT_S 300

struct rig {
    struct fake_clock clock;
    struct relay *relay;
};

static void
rig_init(struct rig *r)
{
    fake_clock_init(&r->clock);
    r->relay = relay_create(&(struct relay_options){
        .clock = &r->clock.clock, .clients = CLIENTS, .keep_ns = KEPT_S * SECOND});
}

/* Comes as 'id' (null: as somebody new) and must be let in. */
static struct relay_card *
come(struct rig *r, const char *id, const char *tenant, bool resumed)
{
    struct relay_card *card = NULL;
    struct fault f = FAULT_INIT;
    bool back = !resumed;

    CHECK_INT(relay_enter(r->relay, slice_of(id), tenant, &card, &back, &f), E_OK);
    CHECK_INT(back, resumed);
    return card;
}

static void
copy_id(const struct relay_card *card, char id[RELAY_ID_SIZE])
{
    snprintf(id, RELAY_ID_SIZE, "%s", relay_card_id(card));
}

static void
who_comes_back_has_his_card(void **state)
{
    struct rig r;
    struct relay_card *card, *other;
    struct relay_view views[CLIENTS];
    char id[RELAY_ID_SIZE];

    (void)state;
    rig_init(&r);
    card = come(&r, NULL, "acme", false);
    copy_id(card, id);
    CHECK_INT(strlen(id), RELAY_ID_SIZE - 1);
    relay_tell(r.relay, card,
               &(struct relay_tally){.sent = 5, .dropped = 2, .acked = 7, .buffered = 3});
    other = come(&r, id, "acme", false); /* Its owner is there still. */
    CHECK(strcmp(relay_card_id(other), id) != 0);
    relay_leave(r.relay, other);
    relay_leave(r.relay, card);
    CHECK_INT(relay_views(r.relay, "acme", views, CLIENTS), 2);
    CHECK(!views[0].connected && views[0].tally.buffered == 0 && views[0].tally.sent == 5);
    relay_leave(r.relay, come(&r, id, "beta", false)); /* It is no other tenant's. */
    relay_leave(r.relay, come(&r, "short", "acme", false));
    card = come(&r, id, "acme", true);
    CHECK_STR(relay_card_id(card), id);
    relay_tell(r.relay, card, &(struct relay_tally){.sent = 1, .dropped = 1, .acked = 9});
    CHECK_INT(relay_views(r.relay, "acme", views, 1), 1);
    CHECK(views[0].connected);
    CHECK_INT(views[0].reconnects, 1);
    CHECK_INT(views[0].tally.sent, 6); /* These are added, */
    CHECK_INT(views[0].tally.dropped, 3);
    CHECK_INT(views[0].tally.acked, 9); /* and this takes the place of what was there. */
    CHECK(strncmp(views[0].name, id, 8) == 0 && views[0].name[8] == '\0');
    CHECK_INT(relay_views(r.relay, "beta", views, CLIENTS), 1);
    CHECK_INT(relay_views(r.relay, NULL, views, CLIENTS), CLIENTS);
    CHECK_INT(relay_counters(r.relay).resumed, 1);
    relay_leave(r.relay, card);
    relay_destroy(r.relay);
    relay_destroy(NULL);
}

static void
there_are_so_many_and_no_more(void **state)
{
    struct rig r;
    struct relay_card *cards[CLIENTS], *more;
    struct fault f = FAULT_INIT;
    bool back;

    (void)state;
    rig_init(&r);
    for (int i = 0; i < CLIENTS; i++) {
        cards[i] = come(&r, NULL, "acme", false);
    }
    CHECK_INT(relay_enter(r.relay, SLICE_NONE, "acme", &more, &back, &f), E_OVERLOAD);
    CHECK(more == NULL);
    CHECK(strstr(f.remedy, "relay.max_clients"));
    CHECK_INT(relay_counters(r.relay).refused, 1);
    relay_leave(r.relay, cards[0]);
    cards[0] = come(&r, NULL, "acme", false);
    CHECK_INT(relay_counters(r.relay).connected, CLIENTS);
    CHECK_INT(relay_counters(r.relay).connections, CLIENTS + 1);
    for (int i = 0; i < CLIENTS; i++) {
        relay_leave(r.relay, cards[i]);
    }
    CHECK_INT(relay_counters(r.relay).connected, 0);
    relay_destroy(r.relay);
}

/* Cards are kept for a while, and no more of them than clients may be there: the first that left
 * goes first. */
static void
cards_are_forgotten(void **state)
{
    struct rig r;
    char ids[CLIENTS + 1][RELAY_ID_SIZE];

    (void)state;
    rig_init(&r);
    for (int i = 0; i <= CLIENTS; i++) {
        struct relay_card *card = come(&r, NULL, "acme", false);

        copy_id(card, ids[i]);
        relay_leave(r.relay, card);
        fake_clock_pass(&r.clock, SECOND);
    }
    CHECK_INT(relay_counters(r.relay).known, CLIENTS);
    relay_leave(r.relay, come(&r, ids[1], "acme", true));
    relay_leave(r.relay, come(&r, ids[0], "acme", false));
    fake_clock_pass(&r.clock, (KEPT_S + 1) * SECOND);
    relay_leave(r.relay, come(&r, ids[4], "acme", false)); /* It has been away for too long. */
    CHECK_INT(relay_counters(r.relay).known, 1);
    relay_destroy(r.relay);
}

static void
come_and_go(void *arg, unsigned number)
{
    struct rig *r = arg;
    char id[RELAY_ID_SIZE] = "";

    (void)number;
    for (int i = 0; i < 200; i++) {
        struct relay_card *card;
        struct fault f = FAULT_INIT;
        bool back;

        if (relay_enter(r->relay, slice_of(id), "acme", &card, &back, &f) == E_OK) {
            CHECK(!back || strcmp(relay_card_id(card), id) == 0);
            copy_id(card, id);
            relay_tell(r->relay, card, &(struct relay_tally){.sent = 1});
            relay_leave(r->relay, card);
        } else {
            CHECK_INT(f.code, E_OVERLOAD);
        }
    }
}

static void
all_come_and_go_at_once(void **state)
{
    struct rig r;
    struct relay_counters c;

    (void)state;
    rig_init(&r);
    threads_run(8, come_and_go, &r);
    c = relay_counters(r.relay);
    CHECK_INT(c.connected, 0);
    CHECK(c.known <= CLIENTS);
    CHECK_INT(c.connections + c.refused, 8 * 200);
    relay_destroy(r.relay);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_back_has_his_card),
        cmocka_unit_test(there_are_so_many_and_no_more),
        cmocka_unit_test(cards_are_forgotten),
        cmocka_unit_test(all_come_and_go_at_once),
    };
    return CHECK_RUN(tests);
}
