/* tool_conformance.h -- what the files of the conformance suite's tools share. */
#ifndef TANDEM_TOOL_CONFORMANCE_H
#define TANDEM_TOOL_CONFORMANCE_H

#include "handlers/content.h"
#include "handlers/need.h"
#include "handlers/tool.h"

#define NO_ARGUMENTS "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}"

/* A question by a form of one member, which is required. */
struct need conformance_form(const char *key, const char *message, const char *member,
                             const char *type);

#endif
