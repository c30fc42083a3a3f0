/* tools_repeat.c -- which calls may be made again when nobody knows whether they were done.
 *
 * For a bridge whose server has died.  It goes by the rows alone: which groups a server offers is
 * no matter, since a call that is refused does nothing. */
#include "handlers/tools.h"

static const struct tool *
find_row(struct slice name)
{
    static const struct tool *const rows[] = {
#define ROW(NAME, FILE) &tool_##NAME,
        TOOLS(ROW)
#undef ROW
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (json_string_is(name, rows[i]->name)) {
            return rows[i];
        }
    }
    return NULL;
}

/* Whether the call's argument 'action' is one of those that only read. */
static bool
only_reads(const struct tool *tool, struct slice arguments)
{
    struct json_value action;

    if (!tool->reads || !json_slice_member(arguments, "action", &action) ||
        action.kind != KIND_STRING) {
        return false;
    }
    for (const char *const *name = tool->reads; *name; name++) {
        if (json_string_is(action.raw, *name)) {
            return true;
        }
    }
    return false;
}

bool
tools_repeatable(const struct rpc_message *call)
{
    const struct json_value *name = &call->param[RPC_PARAM_NAME];
    const struct json_value *arguments = &call->param[RPC_PARAM_ARGUMENTS];
    const struct tool *tool = name->kind == KIND_STRING ? find_row(name->raw) : NULL;

    return tool && ((tool->hints & (HINT_READ_ONLY | HINT_IDEMPOTENT)) ||
                    (arguments->kind == KIND_OBJECT && only_reads(tool, arguments->raw)));
}
