/* What an envelope keeps of its sender once the message is gone. */
#include "handlers/envelope.h"
#include "tests/check.h"

static void
texts_of_the_sender_are_kept(void **unused)
{
    char principal[] = "ann", scopes[] = "read write", peer[] = "192.0.2.1", none[] = "";
    struct envelope env = {
        .transport = TRANSPORT_WS,
        .principal = {principal, 3},
        .scopes = {scopes, 10},
        .tenants = {none, 0},
        .peer = {peer, 9},
        .events = true,
    };
    struct buf texts = BUF_INIT;

    (void)unused;
    envelope_keep(&env, &texts);
    memset(principal, 'x', 3);
    memset(scopes, 'x', 10);
    memset(peer, 'x', 9);
    CHECK(slice_is(env.principal, "ann"));
    CHECK(slice_is(env.scopes, "read write"));
    CHECK(slice_is(env.peer, "192.0.2.1"));
    CHECK(env.tenants.data != NULL && env.tenants.len == 0); /* Bound to none is not unbound. */
    CHECK(env.tenants.data != none);
    CHECK(env.tenant.data == NULL && env.client_id.data == NULL);
    CHECK(env.transport == TRANSPORT_WS && env.events);
    buf_fini(&texts);
}

static void
what_is_kept_can_be_kept_anew(void **unused)
{
    struct envelope env = {.client_id = SLICE("acme")};
    struct buf first = BUF_INIT, second = BUF_INIT;

    (void)unused;
    envelope_keep(&env, &first);
    env.principal = SLICE("bob");
    envelope_keep(&env, &second);
    buf_fini(&first);
    CHECK(slice_is(env.client_id, "acme"));
    CHECK(slice_is(env.principal, "bob"));
    buf_fini(&second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_the_sender_are_kept),
        cmocka_unit_test(what_is_kept_can_be_kept_anew),
    };

    return CHECK_RUN(tests);
}
