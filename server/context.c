/* context.c -- the way from a command line to a project with settings. */
#include "server/context.h"

#include "server/report.h"
#include "state/base/log.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

extern char **environ;

/* The start's own settings, which say where to look for all others. */
static const char *
early(const struct config_options *o, enum setting setting)
{
    return o->options.text[setting]       ? o->options.text[setting]
           : o->environment.text[setting] ? o->environment.text[setting]
                                          : "";
}

static enum err
find_project(const struct config_options *o, struct project *project, struct fault *f)
{
    char here[PATH_MAX];

    if (!getcwd(here, sizeof here)) {
        return fault_set(f, E_IO, "the current folder cannot be told: %s", strerror(errno));
    }
    return project_find(early(o, SETTING_root), here, getenv("HOME"), project, f);
}

/* A server tells what it does; of a command only its result is wanted, unless it was asked for
 * more. */
static void
set_up_log(const struct command *command, const struct settings *s)
{
    bool asked = s->origins[SETTING_log_level] != ORIGIN_DEFAULT;

    log_configure(asked || command->serves ? (enum log_level)s->log_level : LOG_WARN,
                  (enum log_format)s->log_format);
}

bool
context_open(struct invocation *invocation, struct context *c)
{
    struct config_options o = {.options = invocation->settings};
    struct problems problems = PROBLEMS_INIT;
    struct fault f = FAULT_INIT;
    char *path = NULL, *name = NULL;
    enum err err;

    invocation->settings = (struct config_texts){.text = {NULL}};
    *c = (struct context)CONTEXT_INIT;
    config_texts_from_environment(&o.environment, environ, &problems);
    err = find_project(&o, &c->project, &f);
    if (err) {
        config_texts_fini(&o.environment);
        config_texts_fini(&o.options);
    } else {
        const char *given = early(&o, SETTING_config);

        path = *given ? xstrdup(given) : project_data_path(&c->project, "config.json");
        name = *given ? xstrdup(given) : xasprintf("%s/config.json", c->project.data_name);
        o.required = *given != '\0';
        o.path = path;
        o.name = name;
        err = config_create(&o, &c->config, &problems, &f);
    }
    report_problems(stderr, "", &problems);
    if (!err) {
        c->settings = config_settings(c->config);
        set_up_log(invocation->command, c->settings);
    } else {
        if (problems.errors == 0) { /* Else it has been told already. */
            report_fault(stderr, &f);
        }
        context_close(c);
    }
    problems_fini(&problems);
    free(path);
    free(name);
    return !err;
}

void
context_close(struct context *c)
{
    settings_unref(c->settings);
    config_unref(c->config);
    project_fini(&c->project);
    *c = (struct context)CONTEXT_INIT;
}
