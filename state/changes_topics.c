/* changes_topics.c -- what a listener wants by name: a short list, the newest first. */
#include "state/changes_topics.h"

size_t
topic_cost(struct slice name)
{
    return sizeof(struct topic) + name.len + 1;
}

/* The place that points to the topic of that name, or to null. */
static struct topic **
find(struct listener *l, struct slice name)
{
    struct topic **at = &l->topics;

    while (*at && !slice_equal((struct slice){(*at)->name, (*at)->len}, name)) {
        at = &(*at)->next;
    }
    return at;
}

bool
listener_wants(const struct listener *l, struct slice name)
{
    const struct topic *t = l->topics;

    while (t && !slice_equal((struct slice){t->name, t->len}, name)) {
        t = t->next;
    }
    return t != NULL;
}

enum err
listener_want(struct listener *l, struct slice name, struct fault *f)
{
    struct topic *t;

    if (*find(l, name)) {
        return E_OK;
    }
    t = l->topic_count < CHANGES_TOPICS_MAX ? try_malloc(topic_cost(name)) : NULL;
    if (!t) {
        fault_set(f, E_BUSY, "more than %u resources are subscribed to", CHANGES_TOPICS_MAX);
        return fault_remedy(f, "unsubscribe from some");
    }
    *t = (struct topic){.next = l->topics, .len = name.len};
    memcpy(t->name, name.data, name.len);
    t->name[name.len] = '\0';
    l->topics = t;
    l->topic_count++;
    l->topic_bytes += topic_cost(name);
    return E_OK;
}

static void
remove_at(struct listener *l, struct topic **at)
{
    struct topic *t = *at;

    *at = t->next;
    l->topic_count--;
    l->topic_bytes -= topic_cost((struct slice){t->name, t->len});
    free(t->waiting);
    free(t);
}

bool
topic_remove(struct listener *l, struct slice name)
{
    struct topic **at = find(l, name);

    if (!*at) {
        return false;
    }
    remove_at(l, at);
    return true;
}

void
listener_fini(struct listener *l)
{
    while (l->topics) {
        remove_at(l, &l->topics);
    }
}

bool
topic_covers(const struct topic *t, const char *name)
{
    return strncmp(name, t->name, t->len) == 0 &&
           (name[t->len] == '\0' || name[t->len] == '/' || (t->len && t->name[t->len - 1] == '/'));
}

bool
topic_begins(const struct topic *t, const char *head)
{
    return strncmp(t->name, head, strlen(head)) == 0;
}

void
topic_wait(struct topic *t, const char *name)
{
    if (t->waiting && strcmp(t->waiting, name) == 0) {
        return;
    }
    name = t->waiting ? t->name : name;
    free(t->waiting);
    t->waiting = xstrdup(name);
}

void
topic_told(struct topic *t)
{
    free(t->waiting);
    t->waiting = NULL;
}

void
topics_wake(struct listener *l)
{
    for (struct topic *t = l->topics; t; t = t->next) {
        t->resting = false;
    }
}
