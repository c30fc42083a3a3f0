/* envelope.c -- an envelope that outlives the message it came with. */
#include "handlers/envelope.h"

void
envelope_keep(struct envelope *env, struct buf *texts)
{
    struct slice *const kept[] = {&env->principal, &env->scopes, &env->tenants,
                                  &env->peer,      &env->tenant, &env->client_id};
    size_t at = 1;

    buf_addc(texts, '\0'); /* So that an empty text has an address. */
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        buf_add_slice(texts, *kept[i]);
    }
    if (texts->failed) {
        out_of_memory();
    }
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (kept[i]->data) {
            kept[i]->data = texts->data + at;
            at += kept[i]->len;
        }
    }
}
