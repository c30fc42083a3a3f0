/* token.c -- a token that was given, with what must hold for it; else the data folder's. */
#include "server/token.h"

#include "server/secret.h"

static const char key[] = "token_file";

bool
token_is_given(const struct settings *settings)
{
    return settings->token_file[0] != '\0';
}

/* How many different characters there are. */
static unsigned
count_kinds(const char *text)
{
    bool seen[256] = {false};
    unsigned kinds = 0;

    for (; *text; text++) {
        bool *here = &seen[(unsigned char)*text];

        kinds += !*here;
        *here = true;
    }
    return kinds;
}

/* What a header may carry as a token is RFC 6750's b64token; what is shorter than 128 bits in hex,
 * or all but one character, is no secret. */
static enum err
judge(const char *text, struct fault *f)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789-._~+/=";
    size_t len = strlen(text);

    if (strspn(text, allowed) != len || len >= TOKEN_SIZE) {
        fault_set(f, E_REFUSED,
                  "%s: there is no token of at most %d letters, digits and -._~+/=", key,
                  TOKEN_SIZE - 1);
    } else if (len < TOKEN_LEAST || count_kinds(text) < TOKEN_KINDS) {
        fault_set(f, E_REFUSED,
                  "%s: the token could be guessed: it needs %u characters, %u of them different",
                  key, TOKEN_LEAST, TOKEN_KINDS);
    } else {
        return E_OK;
    }
    return fault_remedy(f, "make one with: openssl rand -hex 32");
}

enum err
token_read(const struct context *context, char token[TOKEN_SIZE], struct fault *f)
{
    const char *place = context->settings->token_file, *root = context->project.root;
    char *text = NULL;
    enum err err;

    if (!token_is_given(context->settings)) {
        return discovery_token(context->project.data, token, f);
    }
    err = secret_check_private(key, place, root, f);
    err = err ? err : secret_read_text(key, place, root, &text, f);
    err = err ? err : judge(text, f);
    if (!err) {
        memcpy(token, text, strlen(text) + 1);
    }
    secret_free(text);
    return err;
}
