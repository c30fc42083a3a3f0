/* schema.h -- JSON Schema, the part of 2020-12 that tools use, checked in bounded time.
 *
 * Keywords that are checked are the rows of SCHEMA_KEYWORDS.  Annotations (title, description,
 * default, examples, format and whatever is unknown) are stepped over.  Keywords that would need
 * more are refused by schema_check(), so that no schema promises what is not checked.  A $ref
 * leads to a place in the same schema (JSON pointer or $anchor); nothing is ever fetched.
 *
 * Errors are written for an agent that will correct its call: where, what was expected, what came.
 * Pure: a schema may be used by many threads at once, a value by one. */
#ifndef TANDEM_SCHEMA_H
#define TANDEM_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

#include "state/base/err.h"

#define SCHEMA_DEPTH_MAX 128     /* Schemas inside each other in one check; a $ref counts as one. */
#define SCHEMA_WORK_MAX 1000000u /* Steps of one check; 20 ns each or so. */
#define SCHEMA_NODES_MAX 10000u  /* Schemas inside one schema. */
#define SCHEMA_UNIQUE_MAX 1000u  /* Elements that can be checked to be unique. */

/* clang-format off */
/* In the order in which they are checked: what is said first helps most. */
#define SCHEMA_KEYWORDS(ROW)                                                                   \
    ROW(REF,               "$ref",                 ref)                                        \
    ROW(TYPE,              "type",                 type)                                       \
    ROW(CONST,             "const",                const)                                      \
    ROW(ENUM,              "enum",                 enum)                                       \
    ROW(MINIMUM,           "minimum",              minimum)                                    \
    ROW(MAXIMUM,           "maximum",              maximum)                                    \
    ROW(EXCLUSIVE_MINIMUM, "exclusiveMinimum",     exclusive_minimum)                          \
    ROW(EXCLUSIVE_MAXIMUM, "exclusiveMaximum",     exclusive_maximum)                          \
    ROW(MULTIPLE_OF,       "multipleOf",           multiple_of)                                \
    ROW(MIN_LENGTH,        "minLength",            min_length)                                 \
    ROW(MAX_LENGTH,        "maxLength",            max_length)                                 \
    ROW(PATTERN,           "pattern",              pattern)                                    \
    ROW(MIN_ITEMS,         "minItems",             min_items)                                  \
    ROW(MAX_ITEMS,         "maxItems",             max_items)                                  \
    ROW(UNIQUE_ITEMS,      "uniqueItems",          unique_items)                               \
    ROW(PREFIX_ITEMS,      "prefixItems",          prefix_items)                               \
    ROW(ITEMS,             "items",                items)                                      \
    ROW(MIN_PROPERTIES,    "minProperties",        min_properties)                             \
    ROW(MAX_PROPERTIES,    "maxProperties",        max_properties)                             \
    ROW(ADDITIONAL,        "additionalProperties", additional)                                 \
    ROW(REQUIRED,          "required",             required)                                   \
    ROW(PROPERTIES,        "properties",           properties)                                 \
    ROW(ALL_OF,            "allOf",                all_of)                                     \
    ROW(ANY_OF,            "anyOf",                any_of)                                     \
    ROW(ONE_OF,            "oneOf",                one_of)                                     \
    ROW(NOT,               "not",                  not)                                        \
    ROW(IF,                "if",                   if)      

/* Keywords that are known and not taken. */
#define SCHEMA_REFUSED(ROW)                                                                    \
    ROW("patternProperties") ROW("propertyNames") ROW("contains") ROW("minContains")           \
    ROW("maxContains") ROW("dependentRequired") ROW("dependentSchemas")                        \
    ROW("unevaluatedItems") ROW("unevaluatedProperties") ROW("$dynamicRef")                    \
    ROW("$recursiveRef") ROW("dependencies") ROW("additionalItems")
/* clang-format on */

/* Checks 'value' against 'schema', which has passed schema_check(); 'name' is what an error calls
 * the value ("arguments").  A real without fraction, 5.0, is an integer, and is replaced by one
 * inside 'value' where the type is integer, so that a reader of integers reads it.  Returns E_OK;
 * or
 *   E_ARGUMENT   it does not fit
 *   E_TOO_LARGE  a bound was reached
 *   E_INTERNAL   the schema is not a good one. */
enum err schema_validate(const json_t *schema, json_t *value, const char *name, struct fault *f);

/* Whether the object that 'schema' describes must have the member 'name'. */
bool schema_requires(const json_t *schema, const char *name);

/* Checks that 'schema' is one that schema_validate() can work with: keywords of the right types,
 * nothing refused, every $ref leading somewhere.  E_ARGUMENT if not. */
enum err schema_check(const json_t *schema, struct fault *f);

/* The profile that every MCP client takes for a tool's arguments: also root "type": "object", no
 * combinator and no $ref at the root, "items" on every array, names of properties that all model
 * providers take ([A-Za-z0-9_.-], 1 to 64).  E_ARGUMENT if not. */
enum err schema_check_profile(const json_t *schema, struct fault *f);

#endif
