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

bool
tools_repeatable(const struct rpc_message *call)
{
    const struct json_value *name = &call->param[RPC_PARAM_NAME];
    const struct json_value *arguments = &call->param[RPC_PARAM_ARGUMENTS];
    const struct tool *tool = name->kind == KIND_STRING ? find_row(name->raw) : NULL;

    return tool && ((tool->hints & (HINT_READ_ONLY | HINT_IDEMPOTENT)) ||
                    (tool->repeatable && arguments->kind == KIND_OBJECT &&
                     tool->repeatable(arguments->raw)));
}
