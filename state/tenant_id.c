/* tenant_id.c -- ids of tenants, and who is bound to which. */
#include "state/tenant_id.h"

#include "state/settings.h"

static bool
is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool
tenant_id_valid(struct slice id)
{
    if (id.len == 0 || id.len >= TENANT_ID_SIZE || !is_alnum(id.data[0])) {
        return false;
    }
    for (size_t i = 1; i < id.len; i++) {
        if (!is_alnum(id.data[i]) && id.data[i] != '_' && id.data[i] != '-') {
            return false;
        }
    }
    return true;
}

bool
tenant_ids_next(struct slice *ids, struct slice *id)
{
    const char *blank;

    while (ids->len && *ids->data == ' ') {
        *ids = (struct slice){ids->data + 1, ids->len - 1};
    }
    if (!ids->len) {
        return false;
    }
    blank = memchr(ids->data, ' ', ids->len);
    *id = (struct slice){ids->data, blank ? (size_t)(blank - ids->data) : ids->len};
    *ids = (struct slice){ids->data + id->len, ids->len - id->len};
    return true;
}

/* Takes an item of the setting apart, at its last '=': a principal may hold some. */
static bool
split_item(struct slice item, struct slice *principal, struct slice *id)
{
    const char *equals = item.len ? memrchr(item.data, '=', item.len) : NULL;

    if (!equals || equals == item.data) {
        return false;
    }
    *principal = (struct slice){item.data, (size_t)(equals - item.data)};
    *id = (struct slice){equals + 1, item.len - principal->len - 1};
    return tenant_id_valid(*id);
}

/* Adds the ids of those items that name 'who'. */
static void
add_named(const char *bindings, struct slice who, struct buf *out)
{
    struct slice item, principal, id;

    while (settings_next_item(&bindings, &item)) {
        if (split_item(item, &principal, &id) && slice_equal(principal, who)) {
            buf_adds(out, out->len ? " " : "");
            buf_add_slice(out, id);
        }
    }
}

void
tenant_bindings_find(const char *bindings, struct slice principal, struct buf *out)
{
    const char *blank = principal.len ? memchr(principal.data, ' ', principal.len) : NULL;

    add_named(bindings, principal, out);
    if (blank) {
        struct slice subject = {blank + 1, principal.len - (size_t)(blank + 1 - principal.data)};

        add_named(bindings, subject, out);
    }
    if (out->len == 0) {
        add_named(bindings, SLICE("*"), out);
    }
}

bool
tenant_bindings_valid(const char *bindings, struct slice *bad)
{
    struct slice principal, id;

    while (settings_next_item(&bindings, bad)) {
        if (!split_item(*bad, &principal, &id)) {
            return false;
        }
    }
    return true;
}
