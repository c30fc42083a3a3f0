/* embed_http.h -- vectors made by a model that a provider runs: Ollama, or whoever speaks as OpenAI
 * does.
 *
 * Each thread that asks has a connection of its own, kept for the next one.  Texts go out in
 * batches; one that is too long for the model is known by its beginning.  A provider that asks to
 * be left alone for a while (429, 503) is, if the time is there. The key is sent as a header and
 * nowhere else: it stands in no identity, error or log. */
#ifndef TANDEM_EMBED_HTTP_H
#define TANDEM_EMBED_HTTP_H

#include "state/embed_answer.h"

#define EMBED_MODEL_MAX 120u /* Bytes of a model's name. */
#define EMBED_BATCH_MAX 256u

struct embed_http_options {
    enum embed_dialect dialect;
    const char *url;    /* The base, one that may be fetched; copied, as all text. */
    const char *model;  /* Up to EMBED_MODEL_MAX bytes. */
    const char *key;    /* Null or empty: none. */
    unsigned dimension; /* What the model is asked for and must give; 0: whatever it gives. */
    unsigned batch;     /* Texts of one request, up to EMBED_BATCH_MAX. */
    int64_t timeout_ns; /* Of one batch, all waiting included. */
};

/* A new embedder, "ollama/MODEL" or "openai/MODEL"; nothing has been asked yet. */
struct embedder *embed_http_create(const struct embed_http_options *options);

#endif
