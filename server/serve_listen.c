/* serve_listen.c -- where HTTP is served.
 *
 * Sockets that were handed over count, and the setting "listen" does not: a manager that holds them
 * has told clients where they are. */
#include "server/serve_private.h"

#include "state/base/log.h"

LOG_MODULE("serve");

/* Loopback is for anybody on this machine who has the token; anything wider must be meant. */
static enum err
check_exposure(const struct settings *settings, const struct listen_address *address,
               const char *where, struct fault *f)
{
    if (listen_is_local(address)) {
        return E_OK;
    }
    if (settings->origins[SETTING_auth] == ORIGIN_DEFAULT) {
        fault_set(f, E_REFUSED, "listen: %s can be reached from other machines", where);
        return fault_remedy(f,
                            "say how clients are let in: --auth token, --auth jwt, or --auth none");
    }
    if (!settings->allow_host[0]) {
        fault_set(f, E_REFUSED,
                  "listen: %s can be reached from other machines, but no Host header "
                  "of theirs would be taken",
                  where);
        return fault_remedy(f, "name this machine as clients do, with --allow-host NAME");
    }
    return E_OK;
}

/* The sockets of the manager's; what it listens on must be allowed as what the settings say. */
static enum err
adopt_all(struct server *s, struct fault *f)
{
    const struct settings *settings = s->context->settings;
    enum err err = E_OK;

    for (size_t i = 0; !err && i < s->activation.count; i++) {
        struct listener *l = &s->listeners[i];
        struct listen_address address;
        char url[LISTEN_URL_SIZE];

        err = listen_adopt(s->activation.all[i].fd, &address, l, f);
        if (!err) {
            s->activation.all[i].fd = -1;
            s->listener_count++;
            listen_url(l, settings->http_path, url);
            log_info("a socket was handed over", F_STR("name", s->activation.all[i].name),
                     F_STR("url", url));
            err = check_exposure(settings, &address, url, f);
        }
    }
    if (!err && settings->origins[SETTING_listen] != ORIGIN_DEFAULT) {
        log_warn("sockets were handed over; the setting \"listen\" is left aside",
                 F_STR("listen", settings->listen));
    }
    return err;
}

enum err
serve_choose_address(struct server *s, struct fault *f)
{
    const struct settings *settings = s->context->settings;
    enum err err;

    if (s->activation.count) {
        return adopt_all(s, f);
    }
    err = listen_parse(settings->listen, &s->address, f);
    return err ? err : check_exposure(settings, &s->address, settings->listen, f);
}

enum err
serve_listen(struct server *s, struct fault *f)
{
    const struct settings *settings = s->context->settings;
    struct listener *l = &s->listeners[0];
    enum err err;

    if (s->listener_count) {
        return E_OK;
    }
    err = listen_open(&s->address, settings->ports_first, settings->ports_last, l, f);
    if (!err) {
        s->listener_count = 1;
        if (l->moved) {
            log_warn("the given port is taken, another is used", F_STR("listen", settings->listen),
                     F_UINT("port", l->port));
        }
    }
    return err;
}

void
serve_close_sockets(struct server *s)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        listen_close(&s->listeners[i]);
    }
    s->listener_count = 0;
    activation_close(&s->activation);
}
