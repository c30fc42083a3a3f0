/* setup_clients.c -- the table of clients, and what it says put to use. */
#include "server/setup_clients.h"

#include "state/base/mem.h"
#include "state/base/nearest.h"

#include <string.h>

/* A string in an entry that is one of these stands for what it names. */
#define COMMAND "@command" /* The program's path. */
#define ARGS "@args"       /* A list: its arguments. */
#define ARGV "@argv"       /* A list: the program and its arguments. */
#define URL "@url"
#define BEARER "@bearer" /* The value of the header Authorization. */

#define Q(TEXT) "\"" TEXT "\""
#define COMMAND_ARGS Q("command") ":" Q(COMMAND) "," Q("args") ":" Q(ARGS)
#define HEADERS Q("headers") ":{" Q("Authorization") ":" Q(BEARER) "}"
#define URL_HEADERS(KEY) Q(KEY) ":" Q(URL) "," HEADERS
#define TYPE(NAME) Q("type") ":" Q(NAME)

#define VSCODE_DATA "@/Code/User/"

const struct setup_client setup_clients[] = {
    {
        .name = "claude-code",
        .title = "Claude Code",
        .list = "mcpServers",
        .files = {".mcp.json", "~/.claude.json"},
        .entries = {"{" TYPE("stdio") "," COMMAND_ARGS "}",
                    "{" TYPE("http") "," URL_HEADERS("url") "}"},
        .token = "${TANDEM_TOKEN}",
        .next = "start claude in the project, and approve the server; /mcp lists it",
    },
    {
        .name = "claude-desktop",
        .title = "Claude Desktop",
        .list = "mcpServers",
        .files = {NULL, "@/Claude/claude_desktop_config.json"},
        .entries = {"{" COMMAND_ARGS "}", NULL},
        .next = "quit Claude Desktop and start it again",
    },
    {
        .name = "vscode",
        .title = "VS Code",
        .list = "servers",
        .files = {".vscode/mcp.json", VSCODE_DATA "mcp.json"},
        .entries = {"{" TYPE("stdio") "," COMMAND_ARGS "}",
                    "{" TYPE("http") "," URL_HEADERS("url") "}"},
        .root = "${workspaceFolder}",
        .token = "${env:TANDEM_TOKEN}",
        .next = "run \"MCP: List Servers\" and start tandem there",
    },
    {
        .name = "cursor",
        .title = "Cursor",
        .list = "mcpServers",
        .files = {".cursor/mcp.json", "~/.cursor/mcp.json"},
        .entries = {"{" COMMAND_ARGS "}", "{" URL_HEADERS("url") "}"},
        .root = "${workspaceFolder}",
        .token = "${env:TANDEM_TOKEN}",
        .next = "switch tandem on in Settings, MCP",
    },
    {
        .name = "windsurf",
        .title = "Windsurf",
        .list = "mcpServers",
        .files = {NULL, "~/.codeium/windsurf/mcp_config.json"},
        .entries = {"{" COMMAND_ARGS "}", "{" URL_HEADERS("serverUrl") "}"},
        .token = "${env:TANDEM_TOKEN}",
        .next = "refresh the servers in Cascade's MCP menu",
    },
    {
        .name = "cline",
        .title = "Cline",
        .list = "mcpServers",
        .files = {NULL, VSCODE_DATA
                  "globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"},
        .entries = {"{" COMMAND_ARGS "," Q("disabled") ":false}",
                    "{" TYPE("streamableHttp") "," URL_HEADERS("url") "," Q("disabled") ":false}"},
        .next = "look at the server in Cline's list of MCP servers",
    },
    {
        .name = "roo-code",
        .title = "Roo Code",
        .list = "mcpServers",
        .files = {".roo/mcp.json", VSCODE_DATA
                  "globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"},
        .entries = {"{" COMMAND_ARGS "}", "{" TYPE("streamable-http") "," URL_HEADERS("url") "}"},
        .root = "${workspaceFolder}",
        .token = "${env:TANDEM_TOKEN}",
        .next = "look at the server in Roo Code's list of MCP servers",
    },
    {
        .name = "gemini-cli",
        .title = "Gemini CLI",
        .list = "mcpServers",
        .files = {".gemini/settings.json", "~/.gemini/settings.json"},
        .entries = {"{" COMMAND_ARGS "}", "{" URL_HEADERS("httpUrl") "}"},
        .token = "$TANDEM_TOKEN",
        .next = "start gemini in the project; /mcp lists the server",
    },
    {
        .name = "codex",
        .title = "Codex CLI",
        .format = SETUP_TOML,
        .list = "mcp_servers",
        .files = {".codex/config.toml", "~/.codex/config.toml"},
        /* It wants the variable's name, and refuses a token. */
        .entries = {"{" COMMAND_ARGS "}", "{" Q("url") ":" Q(URL) "," Q(
                                              "bearer_token_env_var") ":" Q("TANDEM_TOKEN") "}"},
        .token = "TANDEM_TOKEN",
        .next = "start codex in the project, which it has to trust; /mcp lists the server",
    },
    {
        .name = "zed",
        .title = "Zed",
        .list = "context_servers",
        .files = {".zed/settings.json", "@/zed/settings.json"},
        .entries = {"{" Q("source") ":" Q("custom") "," COMMAND_ARGS "," Q("env") ":{}}",
                    "{" URL_HEADERS("url") "}"},
        .next = "look at the server in the Agent Panel's settings",
    },
    {
        .name = "continue",
        .title = "Continue",
        .list = "mcpServers",
        .files = {".continue/mcpServers/tandem.json", "~/.continue/mcpServers/tandem.json"},
        .entries = {"{" COMMAND_ARGS "}", "{" TYPE("streamable-http") "," Q("url") ":" Q(URL) "," Q(
                                              "requestOptions") ":{" HEADERS "}}"},
        .token = "${{ secrets.TANDEM_TOKEN }}",
        .next = "reload Continue and use it in agent mode",
    },
    {
        .name = "opencode",
        .title = "opencode",
        .list = "mcp",
        .files = {"opencode.json", "@/opencode/opencode.json"},
        .entries = {"{" TYPE("local") "," Q("command") ":" Q(ARGV) "," Q("enabled") ":true}",
                    "{" TYPE("remote") "," URL_HEADERS("url") "," Q("enabled") ":true}"},
        .token = "{env:TANDEM_TOKEN}",
        .next = "start opencode in the project",
    },
    {
        .name = "goose",
        .title = "Goose",
        .format = SETUP_YAML,
        .list = "extensions",
        .files = {NULL, "@/goose/config.yaml"},
        .entries =
            {"{" Q("enabled") ":true," TYPE("stdio") "," Q("name") ":" Q("tandem") "," Q(
                 "cmd") ":" Q(COMMAND) "," Q("args") ":" Q(ARGS) "," Q("envs") ":{}," Q("timeou"
                                                                                        "t") ":3"
                                                                                             "00"
                                                                                             "}",
             "{" Q("enabled") ":true," TYPE("streamable_http") "," Q("name") ":" Q("tandem") "," Q(
                 "uri") ":" Q(URL) "," HEADERS "," Q("envs") ":{}," Q("timeout") ":300}"},
        .next = "start a new session of goose",
    },
    {.name = NULL},
};

enum err
setup_client_find(const char *name, const struct setup_client **client, struct fault *f)
{
    const char *names[sizeof setup_clients / sizeof setup_clients[0]];
    size_t count = 0;
    int near;

    for (*client = setup_clients; (*client)->name; ++*client) {
        if (strcmp((*client)->name, name) == 0) {
            return E_OK;
        }
        names[count++] = (*client)->name;
    }
    near = text_nearest(slice_of(name), names, count);
    fault_set(f, E_NOT_FOUND, "no client \"%s\" is known", name);
    return near >= 0 ? fault_remedy(f, "did you mean %s?", names[near])
                     : fault_remedy(f, "\"tandem setup\" lists them");
}

char *
setup_file(const struct setup_client *client, enum setup_scope scope, const char *root)
{
    const char *file = client->files[scope], *home = getenv("HOME");
    const char *settings = getenv("XDG_CONFIG_HOME");

    if (!file) {
        return NULL;
    }
    home = home && home[0] ? home : "/";
    if (strncmp(file, "~/", 2) == 0) {
        return xasprintf("%s/%s", home, file + 2);
    }
    if (strncmp(file, "@/", 2) == 0) {
        return settings && settings[0] == '/' ? xasprintf("%s/%s", settings, file + 2)
                                              : xasprintf("%s/.config/%s", home, file + 2);
    }
    return xasprintf("%s/%s", root, file);
}

/* What a string of an entry stands for, new; the string itself, if for nothing else. */
static json_t *
filled(const json_t *text, const char *command, const char *root, const char *url,
       const char *bearer)
{
    const char *place = json_string_value(text);

    if (strcmp(place, ARGS) == 0) {
        return json_pack("[s, s, s]", "serve", "--root", root);
    }
    if (strcmp(place, ARGV) == 0) {
        return json_pack("[s, s, s, s]", command, "serve", "--root", root);
    }
    return json_string(strcmp(place, COMMAND) == 0  ? command
                       : strcmp(place, URL) == 0    ? url
                       : strcmp(place, BEARER) == 0 ? bearer
                                                    : place);
}

static void
fill(json_t *object, const char *command, const char *root, const char *url, const char *bearer)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, key, value)
    {
        if (json_is_object(value)) {
            fill(value, command, root, url, bearer);
        } else if (json_is_string(value)) {
            json_object_set_new(object, key, filled(value, command, root, url, bearer));
        }
    }
}

/* Takes what tells of a token out of an entry for a server that asks for none. */
static void
without_token(json_t *entry)
{
    json_object_del(json_object_get(entry, "requestOptions"), "headers");
    json_object_del(entry, "headers");
    json_object_del(entry, "bearer_token_env_var");
}

enum err
setup_entry(const struct setup_client *client, enum setup_scope scope,
            enum setup_transport transport, const struct setup_values *values, json_t **entry,
            struct fault *f)
{
    const char *template = client->entries[transport];
    const char *token = client->token ? client->token : values->token;
    const char *root = scope == SETUP_PROJECT && client->root ? client->root : values->root;
    char *bearer;

    *entry = NULL;
    if (!client->files[scope]) {
        fault_set(f, E_REFUSED, "%s has no file for one %s", client->title,
                  scope == SETUP_PROJECT ? "project" : "user");
        return fault_remedy(f, "add --scope %s", scope == SETUP_PROJECT ? "user" : "project");
    }
    if (!template) {
        fault_set(f, E_REFUSED, "%s starts its servers; it does not take their URL", client->title);
        return fault_remedy(f, "leave out --transport http");
    }
    if (transport == SETUP_HTTP && values->token && !client->token && scope == SETUP_PROJECT) {
        fault_set(f, E_REFUSED,
                  "%s reads no variables, so the token would stand in a file of the project",
                  client->title);
        return fault_remedy(f, "add --scope user, or leave out --transport http");
    }
    bearer = xasprintf("Bearer %s", token ? token : "");
    *entry = json_loads(template, 0, NULL);
    if (*entry && transport == SETUP_HTTP && !values->token) {
        without_token(*entry);
    }
    fill(*entry, values->command, root, values->url ? values->url : "", bearer);
    explicit_bzero(bearer, strlen(bearer));
    free(bearer);
    return *entry ? E_OK : fault_set(f, E_OVERLOAD, "there is no memory for the entry");
}
