/* setup_token.c -- finds the token in an entry, and judges its place. */
#include "server/setup_token.h"

#include <string.h>

#define OURS "TANDEM_TOKEN" /* In the client's own way of naming it: struct setup_client. */
#define HEADER "Authorization"
#define SCHEME "Bearer "
#define VARIABLE_KEY "bearer_token_env_var" /* Of the one client that has a key for it. */
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

/* The object with the headers, which most clients have in the entry itself; null if none. */
static json_t *
headers_of(const json_t *entry)
{
    const json_t *options = json_object_get(entry, "requestOptions");

    return json_object_get(options ? options : entry, "headers");
}

/* Which variable 'text' names, in the way in which the client's row names ours; "" if it names
 * none. */
static void
find_variable(const struct setup_client *client, const char *text, struct setup_token *t)
{
    const char *ours = client->token ? strstr(client->token, OURS) : NULL;
    size_t before = ours ? (size_t)(ours - client->token) : 0, len;

    if (!ours || strncmp(text, client->token, before) != 0) {
        return;
    }
    text += before;
    len = strspn(text, LETTERS);
    if (len && len < sizeof t->variable && strcmp(text + len, ours + strlen(OURS)) == 0) {
        memcpy(t->variable, text, len);
        t->variable[len] = '\0';
    }
}

struct setup_token
setup_token_of(const struct setup_client *client, const json_t *entry)
{
    const char *named = json_string_value(json_object_get(entry, VARIABLE_KEY));
    const char *value = json_string_value(json_object_get(headers_of(entry), HEADER));
    struct setup_token t = {.literal = NULL};

    if (named) {
        find_variable(client, named, &t);
    } else if (value && strncmp(value, SCHEME, strlen(SCHEME)) == 0) {
        value += strlen(SCHEME);
        find_variable(client, value, &t);
        if (!t.variable[0] && value[0] && !(client->token && strpbrk(value, "${"))) {
            t.literal = value;
        }
    }
    return t;
}

void
setup_token_keep(const struct setup_client *client, const json_t *old, json_t *entry)
{
    struct setup_token before = setup_token_of(client, old), now = setup_token_of(client, entry);
    json_t *headers = headers_of(entry);

    if (!before.variable[0] || !now.variable[0]) {
        return;
    }
    if (headers) {
        json_object_set(headers, HEADER, json_object_get(headers_of(old), HEADER));
    } else {
        json_object_set(entry, VARIABLE_KEY, json_object_get(old, VARIABLE_KEY));
    }
}

enum err
setup_token_check(const struct setup *s, const json_t *entry, struct fault *f)
{
    struct setup_token t = setup_token_of(s->client, entry);

    if (!t.literal || !s->there || !(s->mode & 044)) {
        return E_OK;
    }
    fault_set(f, E_REFUSED, "the token in it is for you alone, and others can read %s (mode %03o)",
              s->path, s->mode);
    return fault_remedy(f, "chmod 600 %s", s->path);
}
