/* embed_configured.c -- from the embed.* settings to an embedder. */
#include "state/embed_configured.h"

#include "state/embed_http.h"
#include "state/fetch.h"
#include "state/settings.h"

static const char *
base_url(const struct settings *s)
{
    return s->embed_url[0]                              ? s->embed_url
           : s->embed_provider == EMBED_PROVIDER_OLLAMA ? "http://127.0.0.1:11434"
                                                        : "https://api.openai.com/v1";
}

static bool
may_be_asked(const struct settings *s)
{
    const char *hosts = s->embed_hosts, *url = base_url(s);
    bool allowed = fetch_allowed(url);
    struct slice host;

    while (!allowed && settings_next_item(&hosts, &host)) {
        allowed = fetch_allowed_to(url, host);
    }
    return allowed;
}

static bool
is_printable(const char *text)
{
    while ((unsigned char)*text > ' ' && *text != 0x7F) {
        text++;
    }
    return !*text;
}

enum err
embed_check(const struct settings *s, struct fault *f)
{
    if (s->embed_provider == EMBED_PROVIDER_NONE) {
        return E_OK;
    }
    if (!s->embed_model[0] || strlen(s->embed_model) > EMBED_MODEL_MAX ||
        !is_printable(s->embed_model)) {
        fault_set(f, E_ARGUMENT, "embed.model: \"%.40s\" is no name of a model", s->embed_model);
        return fault_remedy(f, "name one that makes embeddings, such as nomic-embed-text");
    }
    if (strpbrk(base_url(s), "?#")) {
        return fault_set(f, E_ARGUMENT, "embed.url: a base URL has neither '?' nor '#' in it");
    }
    if (!may_be_asked(s)) {
        fault_set(f, E_ARGUMENT,
                  "embed.url is not an https URL without user and password (http is for this "
                  "machine, and for hosts that embed.hosts names)");
        return fault_remedy(f, "name the host in embed.hosts too if its network is to be trusted");
    }
    return E_OK;
}

struct embedder *
embed_configured(const struct settings *s, const char *key)
{
    if (s->embed_provider == EMBED_PROVIDER_NONE) {
        return NULL;
    }
    return embed_http_create(&(struct embed_http_options){
        .dialect = s->embed_provider == EMBED_PROVIDER_OLLAMA ? EMBED_OLLAMA : EMBED_OPENAI,
        .url = base_url(s),
        .model = s->embed_model,
        .key = key,
        .dimension = s->embed_dimension,
        .batch = s->embed_batch,
        .timeout_ns = s->embed_timeout,
    });
}
