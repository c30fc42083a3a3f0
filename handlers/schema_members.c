/* schema_members.c -- a schema's rules for what is inside arrays and objects.  Pure. */
#include "handlers/schema_private.h"

/* Replaces 5.0 by 5 where the schema asks for an integer and nothing wider; null if there is
 * nothing to replace. */
static json_t *
as_integer(const json_t *schema, const json_t *value)
{
    const json_t *type, *word;
    bool integer = false, number = false;
    size_t i;

    if (!json_is_real(value) || !type_fits("integer", value)) {
        return NULL;
    }
    type = json_object_get(schema, "type");
    if (json_is_string(type)) {
        integer = strcmp(json_string_value(type), "integer") == 0;
    }
    json_array_foreach(type, i, word) {
        const char *name = json_string_value(word);
        integer |= name && strcmp(name, "integer") == 0;
        number |= name && strcmp(name, "number") == 0;
    }
    return integer && !number ? json_integer((json_int_t)json_real_value(value)) : NULL;
}

enum err
schema_rule_min_items(struct check *c, const struct node *n, const json_t *rule)
{
    return json_is_array(n->value)
               ? schema_count(c, n, rule, json_array_size(n->value), true, "elements")
               : E_OK;
}

enum err
schema_rule_max_items(struct check *c, const struct node *n, const json_t *rule)
{
    return json_is_array(n->value)
               ? schema_count(c, n, rule, json_array_size(n->value), false, "elements")
               : E_OK;
}

enum err
schema_rule_min_properties(struct check *c, const struct node *n, const json_t *rule)
{
    return json_is_object(n->value)
               ? schema_count(c, n, rule, json_object_size(n->value), true, "members")
               : E_OK;
}

enum err
schema_rule_max_properties(struct check *c, const struct node *n, const json_t *rule)
{
    return json_is_object(n->value)
               ? schema_count(c, n, rule, json_object_size(n->value), false, "members")
               : E_OK;
}

enum err
schema_rule_unique_items(struct check *c, const struct node *n, const json_t *rule)
{
    size_t size = json_array_size(n->value), i, j;

    if (!json_is_true(rule)) {
        return E_OK;
    }
    if (size > SCHEMA_UNIQUE_MAX) {
        return schema_out_of_bounds(c, n->at, "there are too many elements that must all differ");
    }
    for (i = 1; i < size; i++) {
        for (j = 0; j < i; j++) {
            if (schema_values_equal(json_array_get(n->value, i), json_array_get(n->value, j),
                                    &c->work)) {
                return schema_unfit(c, n->at, "elements %zu and %zu are the same", j, i);
            }
        }
    }
    return E_OK;
}

/* Checks the element 'i' of the array. */
static enum err
check_element(struct check *c, const struct node *n, const json_t *schema, size_t i)
{
    struct place at = {.up = n->at, .index = i};
    json_t *integer = as_integer(schema, json_array_get(n->value, i));

    if (integer) {
        json_array_set_new(n->value, i, integer);
    }
    return schema_check_value(c, schema, json_array_get(n->value, i), &at);
}

enum err
schema_rule_prefix_items(struct check *c, const struct node *n, const json_t *rule)
{
    enum err err = E_OK;
    size_t i;

    for (i = 0; i < json_array_size(rule) && i < json_array_size(n->value) && !err; i++) {
        err = check_element(c, n, json_array_get(rule, i), i);
    }
    return err;
}

enum err
schema_rule_items(struct check *c, const struct node *n, const json_t *rule)
{
    size_t i = json_array_size(n->keyword[KEYWORD_PREFIX_ITEMS]);
    enum err err = E_OK;

    for (; i < json_array_size(n->value) && !err; i++) {
        err = check_element(c, n, rule, i);
    }
    return err;
}

/* Checks 'member', which the object has by this name. */
static enum err
check_member(struct check *c, const struct node *n, const json_t *schema, const char *name,
             json_t *member)
{
    struct place at = {.up = n->at, .name = name};
    json_t *integer = as_integer(schema, member);

    if (integer) {
        json_object_set_new(n->value, name, integer);
        member = integer;
    }
    return schema_check_value(c, schema, member, &at);
}

static enum err
unknown_member(struct check *c, const struct node *n, const char *name)
{
    const json_t *allowed = n->keyword[KEYWORD_PROPERTIES];
    const char *kind = n->at->up ? "member" : "argument";
    const char *meant;
    char list[200];

    if (!c->fault) {
        return E_ARGUMENT;
    }
    meant = likely_name(allowed, name);
    if (meant) {
        schema_unfit(c, n->at, "unknown %s '%s'; did you mean '%s'?", kind, short_name(name).text,
                     short_name(meant).text);
    } else {
        schema_unfit(c, n->at, "unknown %s '%s'", kind, short_name(name).text);
    }
    if (json_object_size(allowed) == 0) {
        return fault_remedy(c->fault, "no %s is allowed here", kind);
    }
    list_text(allowed, list, sizeof list);
    return fault_remedy(c->fault, "allowed: %s", list);
}

enum err
schema_rule_additional(struct check *c, const struct node *n, const json_t *rule)
{
    const json_t *known = n->keyword[KEYWORD_PROPERTIES];
    enum err err = E_OK;
    const char *name;
    json_t *value;

    if (json_is_true(rule)) {
        return E_OK;
    }
    json_object_foreach(n->value, name, value) {
        if (!json_object_get(known, name)) {
            /* Replacing the value of a member that is there does not disturb the walk. */
            err = json_is_false(rule) ? unknown_member(c, n, name)
                                      : check_member(c, n, rule, name, value);
        }
        if (err) {
            break;
        }
    }
    return err;
}

enum err
schema_rule_required(struct check *c, const struct node *n, const json_t *rule)
{
    const json_t *name;
    size_t i;

    if (!json_is_object(n->value)) {
        return E_OK;
    }
    json_array_foreach(rule, i, name) {
        const char *text = json_string_value(name);
        if (text && !json_object_get(n->value, text)) {
            const json_t *schema = json_object_get(n->keyword[KEYWORD_PROPERTIES], text);
            const char *says = json_string_value(json_object_get(schema, "description"));
            char type[100];
            if (!c->fault) {
                return E_ARGUMENT;
            }
            type_text(json_object_get(schema, "type"), type, sizeof type);
            schema_unfit(c, n->at, "the required %s '%s' is missing; it is %s",
                         n->at->up ? "member" : "argument", short_name(text).text, type);
            return says ? fault_remedy(c->fault, "%s: %s", text, says) : E_ARGUMENT;
        }
    }
    return E_OK;
}

/* Of many arguments most are left out: to look for those that are there takes a call with 4 of 14
 * 3,000 instructions less.  False if one does not fit: which is told first goes by the schema. */
static bool
few_members_fit(struct check *c, const struct node *n, const json_t *properties)
{
    const json_t *schema;
    const char *name;
    json_t *member;

    json_object_foreach(n->value, name, member) {
        schema = json_object_get(properties, name);
        if (schema && check_member(c, n, schema, name, member)) {
            return false;
        }
    }
    return true;
}

enum err
schema_rule_properties(struct check *c, const struct node *n, const json_t *rule)
{
    json_t *properties = walkable(rule), *schema, *member;
    enum err err = E_OK;
    const char *name;

    if (!json_is_object(n->value) || (json_object_size(n->value) <= json_object_size(properties) &&
                                      few_members_fit(c, n, rule))) {
        return E_OK;
    }
    json_object_foreach(properties, name, schema) {
        member = json_object_get(n->value, name);
        err = member ? check_member(c, n, schema, name, member) : E_OK;
        if (err) {
            break;
        }
    }
    return err;
}
