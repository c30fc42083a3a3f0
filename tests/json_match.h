/* json_match.h -- compares a JSON value with what was expected of it, and says where they differ.
 *
 * An expected value is JSON in which some values stand for many:
 *
 *     "*"                          any value, which must be there
 *     "*string" "*int" "*number"   any value of that type; also "*bool", "*null", "*object",
 * "*array"
 *     "!"                          no such member
 *     "~part"                      a string that holds 'part'
 *     {}                           an empty object
 *     {"a": 1}                     an object with at least these members, in any order
 *     {"=": "", "a": 1}            an object with these members and no others
 *     ["x", "*"]                   an array that begins so: "*" as the last element is any further
 * ones
 *     ["~", "x", "y"]              an array with these elements, in any order
 *     ["x", "y"]                   an array of these elements
 *
 * A string that begins with one of * ! ~ is written with a backslash before it. */
#ifndef TANDEM_TESTS_JSON_MATCH_H
#define TANDEM_TESTS_JSON_MATCH_H

#include <jansson.h>

#include "state/base/mem.h"

#include <stdbool.h>

/* True if 'got' is what 'expected' says; else adds where it is not to 'why', as "result.tools[1]:
 * ...". 'why' may be null. */
bool json_match(const json_t *expected, const json_t *got, struct buf *why);

#endif
