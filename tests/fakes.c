/* fakes.c -- time that stands still, sinks that remember, projects that vanish. */
#include "tests/fakes.h"

#include "state/base/mem.h"

#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

static int64_t
fake_mono(const struct clock *c)
{
    return atomic_load(&((const struct fake_clock *)c)->mono_ns);
}

static int64_t
fake_wall(const struct clock *c)
{
    return atomic_load(&((const struct fake_clock *)c)->wall_ns);
}

#define HOUR_NS INT64_C(3600000000000)

void
fake_clock_init(struct fake_clock *c)
{
    c->clock = (struct clock){fake_mono, fake_wall};
    /* Who waits for another thread until a deadline of this clock waits by the machine's: it must
     * not be over before it began. */
    atomic_init(&c->mono_ns, clock_mono(clock_real()) + HOUR_NS);
    atomic_init(&c->wall_ns, FAKE_CLOCK_START);
}

void
fake_clock_pass(struct fake_clock *c, int64_t ns)
{
    atomic_fetch_add(&c->mono_ns, ns);
    atomic_fetch_add(&c->wall_ns, ns);
}

static enum err
keep_message(struct sink *sink, const struct event *event)
{
    struct fake_sink *s = (struct fake_sink *)sink;
    enum err err;

    pthread_mutex_lock(&s->mutex);
    assert(s->answers == 0);
    err = s->refuse;
    if (!err) {
        buf_add_slice(&s->sent, event->body);
        buf_addc(&s->sent, '\n');
        s->lines++;
        pthread_cond_broadcast(&s->cond);
    }
    pthread_mutex_unlock(&s->mutex);
    return err;
}

static void
keep_answer(struct sink *sink, const struct reply *reply)
{
    struct fake_sink *s = (struct fake_sink *)sink;

    pthread_mutex_lock(&s->mutex);
    s->answers++;
    free(s->body);
    s->body = xstrndup(reply->body.data, reply->body.len);
    s->status = reply->status;
    s->retry_after = reply->retry_after;
    snprintf(s->session_id, sizeof s->session_id, "%.*s", (int)reply->session_id.len,
             reply->session_id.data ? reply->session_id.data : "");
    pthread_mutex_unlock(&s->mutex);
}

static void
let_go(struct sink *sink)
{
    struct fake_sink *s = (struct fake_sink *)sink;

    pthread_mutex_lock(&s->mutex);
    s->unrefs++;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

static const struct sink_class fake_sink_class = {keep_message, keep_answer, let_go};

void
fake_sink_init(struct fake_sink *s)
{
    *s = (struct fake_sink){.sink = {&fake_sink_class},
                            .mutex = PTHREAD_MUTEX_INITIALIZER,
                            .cond = PTHREAD_COND_INITIALIZER};
}

void
fake_sink_fini(struct fake_sink *s)
{
    free(s->body);
    buf_fini(&s->sent);
}

void
fake_sink_wait_sent(struct fake_sink *s, unsigned lines)
{
    pthread_mutex_lock(&s->mutex);
    while (s->lines < lines) {
        pthread_cond_wait(&s->cond, &s->mutex);
    }
    pthread_mutex_unlock(&s->mutex);
}

const char *
fake_sink_wait(struct fake_sink *s)
{
    pthread_mutex_lock(&s->mutex);
    while (s->unrefs == 0) {
        pthread_cond_wait(&s->cond, &s->mutex);
    }
    pthread_mutex_unlock(&s->mutex);
    assert(s->answers == 1 && s->unrefs == 1);
    return s->body;
}

void
fake_project_init(struct fake_project *p, const struct clock *clock)
{
    static const struct fake_setting none = {.text = NULL};

    fake_project_init_with(p, clock, &none);
}

void
fake_project_init_with(struct fake_project *p, const struct clock *clock,
                       const struct fake_setting *settings)
{
    const char *folder = getenv("TMPDIR");

    memset(p, 0, sizeof *p);
    snprintf(p->path, sizeof p->path, "%s/tandem-test-XXXXXX", folder ? folder : "/tmp");
    if (!mkdtemp(p->path) || dir_open(p->path, false, &p->root, NULL) != E_OK ||
        dir_sub(p->root, ".tandem", true, &p->data, NULL) != E_OK) {
        abort();
    }
    p->settings = settings_create();
    for (; settings->text; settings++) {
        if (settings_set(p->settings, settings->setting, settings->text, ORIGIN_FILE, NULL) !=
            E_OK) {
            abort();
        }
    }
    p->options = (struct state_options){
        .settings = p->settings,
        .clock = clock ? clock : clock_real(),
        .root_path = p->path,
        .data_name = ".tandem",
        .root = p->root,
        .data = p->data,
        .mode = "dual",
        .instance = "test",
    };
    if (state_create(&p->options, &p->state, NULL) != E_OK) {
        abort();
    }
}

void
fake_project_tenant(struct fake_project *p, const char *id)
{
    struct dir *folder = NULL;
    char name[80], text[256];

    snprintf(name, sizeof name, "%s.json", id);
    snprintf(
        text, sizeof text,
        "{\"client\":{\"id\":\"%s\",\"name\":\"N\",\"short_name\":\"S\",\"timezone\":\"UTC\"}}",
        id);
    if (dir_sub(p->data, "tenants", true, &folder, NULL) != E_OK ||
        dir_write(folder, name, slice_of(text), NULL) != E_OK) {
        abort();
    }
    dir_unref(folder);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

void
fake_project_fini(struct fake_project *p)
{
    state_destroy(p->state);
    settings_unref(p->settings);
    dir_unref(p->data);
    dir_unref(p->root);
    nftw(p->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
