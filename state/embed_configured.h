/* embed_configured.h -- the embedder that the settings name. */
#ifndef TANDEM_EMBED_CONFIGURED_H
#define TANDEM_EMBED_CONFIGURED_H

#include "state/embed.h"

struct settings;

/* E_ARGUMENT if the embed.* settings do not go together.  Pure; any thread. */
enum err embed_check(const struct settings *settings, struct fault *f);
/* A new embedder as checked settings say, with 'key' (null or empty: none), which is copied; null
 * if they name no provider.  Nothing is asked yet. */
struct embedder *embed_configured(const struct settings *settings, const char *key);

#endif
