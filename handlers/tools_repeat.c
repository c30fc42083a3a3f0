/* tools_repeat.c -- which calls may be made again when nobody knows whether they were done.
 *
 * For a bridge whose server has died.  It goes by the rows alone: which groups a server offers is
 * no matter, since a call that is refused does nothing. */
#include "handlers/tools.h"

bool
tools_repeatable(const struct rpc_message *call)
{
    const struct json_value *name = &call->param[RPC_PARAM_NAME];
    const struct json_value *arguments = &call->param[RPC_PARAM_ARGUMENTS];
    const struct tool *tool = NULL;
    char text[TOOL_NAME_SIZE];

    if (name->kind == KIND_STRING && json_string_into(name->raw, text, sizeof text) >= 0) {
        tool = tools_row(slice_of(text));
    }
    return tool && ((tool->hints & (HINT_READ_ONLY | HINT_IDEMPOTENT)) ||
                    (tool->repeatable && arguments->kind == KIND_OBJECT &&
                     tool->repeatable(arguments->raw)));
}
