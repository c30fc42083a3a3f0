/* ws_plugin.c -- libwebsockets with its plug-in for libuv, wherever both are: libtandem-ws.so.
 *
 * libwebsockets looks for plug-ins in the one folder that it was installed to on the machine that
 * built it.  A tandem that brings it along (portable.sh) loads this library in its place, which
 * is linked with both; and as a library that is loaded is asked for names before those that it
 * needs, libwebsockets too calls the functions below instead of its own.  Threads: that of HTTP. */
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

extern const lws_plugin_evlib_t
    evlib_uv; /* The one thing that the plug-in has, which is called as "filter" says. */

/* Those of libwebsockets: lws-protocols-plugins.h says what they do. */
int
lws_plugins_init(struct lws_plugin **list, const char *const *folders, const char *class,
                 const char *filter, each_plugin_cb_t each, void *arg)
{
    struct lws_plugin *plugin;

    (void)folders;
    if (!filter || strcmp(filter, "evlib_uv") != 0 || strcmp(class, evlib_uv.hdr._class) != 0 ||
        evlib_uv.hdr.api_magic != LWS_PLUGIN_API_MAGIC) {
        return 1; /* Not there. */
    }
    plugin = calloc(1, sizeof *plugin);
    if (!plugin) {
        return 1;
    }
    plugin->hdr = &evlib_uv.hdr;
    if (each && each(plugin, arg) != 0) {
        free(plugin);
        return 1;
    }
    plugin->list = *list;
    *list = plugin;
    return 0;
}

int
lws_plugins_destroy(struct lws_plugin **list, each_plugin_cb_t each, void *arg)
{
    struct lws_plugin *plugin;

    while ((plugin = *list) != NULL) {
        *list = plugin->list;
        if (each) {
            each(plugin, arg);
        }
        free(plugin);
    }
    return 0;
}
