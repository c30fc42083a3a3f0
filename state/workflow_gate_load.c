/* workflow_gate_load.c -- gates of tier 1: from a gate file, or from the gate of a YAML definition.
 *
 * Everything that is wrong is noted with its place, and one error makes the gate unusable: a gate
 * that is half understood would pass what it should refuse.  See workflow_gate.h. */
#include "state/workflow_gate_private.h"

#include "state/base/rune.h"

#include <ctype.h>

/* What the spot that is being read may hold besides its members' own checks. */
#define ERROR_AT(L, NODE, ...) gate_error(L, ynode_line(NODE), ynode_column(NODE), __VA_ARGS__)
#define WARNING_AT(L, NODE, ...) gate_warning(L, ynode_line(NODE), ynode_column(NODE), __VA_ARGS__)

/* Warns of each key of 'map' that is not among 'known': most are slips of the pen. */
static void
warn_unknown(struct gate_loader *l, const struct ynode *map, const char *const *known,
             const char *where)
{
    for (size_t i = 0; i < ynode_count(map); i++) {
        const struct ynode *key = ynode_key(map, i);
        bool found = false;
        for (size_t k = 0; known[k] && !found; k++) {
            found = slice_is(ynode_text(key), known[k]);
        }
        if (!found) {
            WARNING_AT(l, key, "%s: unknown key '%.60s'", where, ynode_text(key).data);
        }
    }
}

/* The truth value under 'key' of 'map', or 'otherwise' if there is none. */
static bool
read_bool(struct gate_loader *l, const struct ynode *map, const char *key, bool otherwise)
{
    const struct ynode *node = ynode_get(map, key);

    if (!node) {
        return otherwise;
    }
    if (ynode_kind(node) != YNODE_BOOL) {
        ERROR_AT(l, node, "%s must be true or false, not %s", key, ynode_kind_name(node));
    }
    return ynode_bool(node);
}

/* Compiles the text of 'node'; null, and an error at the place within it, if it is no expression.
 */
static struct expr *
compile(struct gate_loader *l, const struct ynode *node, const char *what)
{
    struct expr *expr = NULL;
    struct fault why = FAULT_INIT;
    unsigned line = ynode_line(node), column = ynode_column(node);

    if (ynode_kind(node) != YNODE_STRING) {
        ERROR_AT(l, node, "%s must be a text, not %s", what, ynode_kind_name(node));
        return NULL;
    }
    if (expr_compile(ynode_text(node), &expr, &why) == E_OVERLOAD) {
        gate_machine_error(l, &why);
    } else if (!expr) {
        if (ynode_one_line(node) && why.line == 1) {
            column += why.column - 1 + (ynode_quoted(node) ? 1 : 0);
        } else if (!ynode_one_line(node) && why.line) {
            line += why.line;
            column = 0;
        }
        gate_error(l, line, column, "%s: %s", what, why.text);
    }
    return expr;
}

static void
load_validator(struct gate_loader *l, const struct ynode *key, const struct ynode *value)
{
    struct gate *gate = l->gate;
    char *what = xasprintf("validator '%.60s'", ynode_text(key).data);
    gate->validators =
        xrealloc(gate->validators, (gate->validator_count + 1) * sizeof *gate->validators);
    gate->validators[gate->validator_count++] =
        (struct gate_validator){xstrdup(ynode_text(key).data), compile(l, value, what)};
    free(what);
}

static void
load_validators(struct gate_loader *l, const struct ynode *map)
{
    if (ynode_kind(map) != YNODE_MAP && ynode_kind(map) != YNODE_NULL) {
        ERROR_AT(l, map, "validators must be a map, not %s", ynode_kind_name(map));
        return;
    }
    if (ynode_count(map) > GATE_VALIDATORS_MAX) {
        ERROR_AT(l, map, "more than %u validators", GATE_VALIDATORS_MAX);
        return;
    }
    for (size_t i = 0; i < ynode_count(map); i++) {
        load_validator(l, ynode_key(map, i), ynode_at(map, i));
    }
}

/* True if 'text' is an expression written in place, and no name. */
static bool
is_lambda(struct slice text)
{
    while (text.len && isspace((unsigned char)text.data[0])) {
        text.data++;
        text.len--;
    }
    return text.len > 6 && memcmp(text.data, "lambda", 6) == 0 &&
           (isspace((unsigned char)text.data[6]) || text.data[6] == ':');
}

/* The parameters after the first must be given, and no others. */
static void
check_params(struct gate_loader *l, const struct gate_field *f, const struct ynode *node)
{
    size_t wanted = expr_param_count(f->expr) - 1;

    for (unsigned i = 1; i <= wanted; i++) {
        if (!json_object_get(f->params, expr_param_name(f->expr, i))) {
            ERROR_AT(l, node, "field '%s': its validator needs the parameter '%.60s'", f->name,
                     expr_param_name(f->expr, i));
            return;
        }
    }
    if (json_object_size(f->params) != wanted) {
        ERROR_AT(l, node, "field '%s': its validator takes %zu parameters, not %zu", f->name,
                 wanted, json_object_size(f->params));
    }
}

/* One of the gate's own validators, a named one, or nothing: which a strict gate does not take. */
static void
find_validator(struct gate_loader *l, struct gate_field *f, const struct ynode *node)
{
    struct fault why = FAULT_INIT;
    enum err err;

    for (size_t i = 0; i < l->gate->validator_count; i++) {
        if (strcmp(l->gate->validators[i].name, f->validator) == 0) {
            f->expr = l->gate->validators[i].expr;
            if (f->expr) { /* Else its own error is noted. */
                check_params(l, f, node);
            }
            return;
        }
    }
    err = validator_bind(f->validator, f->params, &f->named, &why);
    if (err == E_NOT_FOUND && !l->gate->strict) {
        WARNING_AT(l, node, "field '%s': %s; the field will not be checked", f->name, why.text);
    } else if (err) {
        ERROR_AT(l, node, "field '%s': %s", f->name, why.text);
    }
}

static void
load_field_validator(struct gate_loader *l, struct gate_field *f, const struct ynode *spec)
{
    const struct ynode *params = ynode_get(spec, "validator_params");
    const struct ynode *node = ynode_get(spec, "validator");
    char *what;

    if (ynode_kind(params) == YNODE_MAP) {
        f->params = ynode_to_json(params);
    } else if (ynode_kind(params) != YNODE_NULL) {
        ERROR_AT(l, params, "field '%s': validator_params must be a map, not %s", f->name,
                 ynode_kind_name(params));
        return;
    }
    if (ynode_kind(node) == YNODE_NULL) {
        if (json_object_size(f->params)) {
            WARNING_AT(l, params, "field '%s': parameters without a validator", f->name);
        }
        return;
    }
    if (ynode_kind(node) != YNODE_STRING || strlen(ynode_text(node).data) != ynode_text(node).len) {
        ERROR_AT(l, node, "field '%s': validator must be a text, not %s", f->name,
                 ynode_kind_name(node));
        return;
    }
    f->validator = xstrdup(ynode_text(node).data);
    if (!is_lambda(ynode_text(node))) {
        find_validator(l, f, node);
        return;
    }
    what = xasprintf("field '%s': validator", f->name);
    f->expr = f->inlined = compile(l, node, what);
    free(what);
    if (f->expr) {
        check_params(l, f, node);
    }
}

static void
load_field(struct gate_loader *l, const struct ynode *key, const struct ynode *spec, bool required)
{
    static const char *const known[] = {"type",        "required", "validator", "validator_params",
                                        "description", NULL};
    struct slice name = ynode_text(key);
    const struct ynode *type = ynode_get(spec, "type");
    const struct ynode *description = ynode_get(spec, "description");
    struct gate_field *f;

    if (!name.len || name.len > GATE_NAME_MAX || slice_is(name, GATE_OVERRIDE)) {
        ERROR_AT(l, key, "a field cannot be called '%.*s'", (int)rune_cut(name, 60), name.data);
        return;
    }
    if (ynode_kind(spec) != YNODE_MAP) {
        ERROR_AT(l, ynode_kind(spec) == YNODE_NULL ? key : spec, "field '%s' must be a map, not %s",
                 name.data, ynode_kind_name(spec));
        return;
    }
    f = gate_add_field(l->gate, name.data);
    warn_unknown(l, spec, known, name.data);
    f->required = read_bool(l, spec, "required", required);
    if (type && (ynode_kind(type) != YNODE_STRING ||
                 !evidence_type_named(ynode_text(type).data, &f->type))) {
        ERROR_AT(
            l, type,
            "field '%s': unknown type '%.40s'; there are boolean, integer, number, string, list "
            "and object",
            f->name, ynode_text(type).data);
    }
    if (ynode_kind(description) == YNODE_LIST || ynode_kind(description) == YNODE_MAP) {
        ERROR_AT(l, description, "field '%s': description must be a text", f->name);
    }
    load_field_validator(l, f, spec);
}

static void
load_fields(struct gate_loader *l, const struct ynode *map, const char *what, bool required)
{
    if (ynode_kind(map) != YNODE_MAP) {
        ERROR_AT(l, map, "%s must be a map, not %s", what, ynode_kind_name(map));
        return;
    }
    if (ynode_count(map) > GATE_FIELDS_MAX) {
        ERROR_AT(l, map, "more than %u fields", GATE_FIELDS_MAX);
        return;
    }
    for (size_t i = 0; i < ynode_count(map); i++) {
        load_field(l, ynode_key(map, i), ynode_at(map, i), required);
    }
}

static void
load_rule(struct gate_loader *l, const struct ynode *node)
{
    static const char *const known[] = {"rule", "error_message", "description", NULL};
    const struct ynode *message = ynode_get(node, "error_message");
    struct gate *gate = l->gate;
    struct expr *expr;

    if (ynode_kind(node) != YNODE_MAP || !ynode_get(node, "rule")) {
        ERROR_AT(l, node, "a cross-field rule must be a map with 'rule' and 'error_message'");
        return;
    }
    warn_unknown(l, node, known, "cross_field_validation");
    if (message && ynode_kind(message) != YNODE_STRING) {
        ERROR_AT(l, message, "error_message must be a text, not %s", ynode_kind_name(message));
        return;
    }
    expr = compile(l, ynode_get(node, "rule"), "cross-field rule");
    if (expr && expr_param_count(expr) != 1) {
        ERROR_AT(l, ynode_get(node, "rule"),
                 "a cross-field rule takes one parameter, the evidence");
    }
    gate->rules = xrealloc(gate->rules, (gate->rule_count + 1) * sizeof *gate->rules);
    gate->rules[gate->rule_count++] = (struct gate_rule){
        expr,
        message ? xstrndup(ynode_text(message).data, rune_cut(ynode_text(message), 400)) : NULL};
}

static void
load_rules(struct gate_loader *l, const struct ynode *list)
{
    if (ynode_kind(list) != YNODE_LIST && ynode_kind(list) != YNODE_NULL) {
        ERROR_AT(l, list, "cross_field_validation must be a list, not %s", ynode_kind_name(list));
        return;
    }
    if (ynode_count(list) > GATE_RULES_MAX) {
        ERROR_AT(l, list, "more than %u cross-field rules", GATE_RULES_MAX);
        return;
    }
    for (size_t i = 0; i < ynode_count(list); i++) {
        load_rule(l, ynode_at(list, i));
    }
}

/* Whether this gate refuses, and whether it lets itself be overridden. */
static void
load_checkpoint(struct gate_loader *l, const struct ynode *root)
{
    static const char *const known[] = {"strict", "allow_override", "description", "name", NULL};
    const struct ynode *checkpoint = ynode_get(root, "checkpoint");

    if (ynode_kind(checkpoint) != YNODE_MAP) {
        ERROR_AT(l, checkpoint ? checkpoint : root,
                 checkpoint ? "checkpoint must be a map" : "checkpoint is missing");
        return;
    }
    warn_unknown(l, checkpoint, known, "checkpoint");
    l->gate->strict = read_bool(l, checkpoint, "strict", false);
    l->gate->allow_override = read_bool(l, checkpoint, "allow_override", true);
}

static void
load_root(struct gate_loader *l, const struct ynode *root)
{
    static const char *const known[] = {"checkpoint",
                                        "evidence_schema",
                                        "validators",
                                        "cross_field_validation",
                                        "human_approval_required",
                                        NULL};
    const struct ynode *schema = ynode_get(root, "evidence_schema");

    if (ynode_kind(root) != YNODE_MAP) {
        ERROR_AT(l, root, "a gate must be a map, not %s", ynode_kind_name(root));
        return;
    }
    warn_unknown(l, root, known, "gate");
    load_checkpoint(l, root);
    load_validators(l, ynode_get(root, "validators"));
    if (!schema) {
        ERROR_AT(l, root, "evidence_schema is missing");
    } else {
        load_fields(l, schema, "evidence_schema", false);
        if (ynode_kind(schema) == YNODE_MAP && !ynode_count(schema)) {
            WARNING_AT(l, schema, "evidence_schema is empty: anything passes");
        }
    }
    load_rules(l, ynode_get(root, "cross_field_validation"));
    l->gate->needs_approval = read_bool(l, root, "human_approval_required", false);
}

enum err
gate_parse(struct slice text, const char *file, struct gate **gate, struct problems *problems,
           struct fault *fault)
{
    struct gate_loader l = {.file = file, .problems = problems, .fault = fault};
    struct ytree *tree = NULL;
    struct fault why = FAULT_INIT;
    enum err err = ytree_parse(text, NULL, &tree, &why);

    *gate = NULL;
    if (err == E_OVERLOAD) {
        gate_machine_error(&l, &why);
        return err;
    }
    if (err) {
        gate_error(&l, why.line, why.column, "%s", why.text);
        if (fault) {
            fault->code = err;
        }
        return err;
    }
    l.gate = gate_new(GATE_YAML, file);
    load_root(&l, ytree_root(tree));
    ytree_free(tree);
    return gate_finish(&l, gate);
}

enum err
gate_from_definition(const struct ynode *node, const char *file, struct gate **gate,
                     struct problems *problems, struct fault *fault)
{
    static const char *const known[] = {"evidence_required",
                                        "human_approval_required",
                                        "strict",
                                        "allow_override",
                                        "description",
                                        NULL};
    struct gate_loader l = {.file = file, .problems = problems, .fault = fault};
    const struct ynode *fields = ynode_get(node, "evidence_required");

    l.gate = gate_new(GATE_DEFINITION, file);
    if (ynode_kind(node) != YNODE_MAP) {
        ERROR_AT(&l, node, "validation_gate must be a map, not %s", ynode_kind_name(node));
        return gate_finish(&l, gate);
    }
    warn_unknown(&l, node, known, "validation_gate");
    l.gate->strict = read_bool(&l, node, "strict", true);
    l.gate->allow_override = read_bool(&l, node, "allow_override", true);
    l.gate->needs_approval = read_bool(&l, node, "human_approval_required", false);
    if (ynode_kind(fields) != YNODE_NULL) {
        load_fields(&l, fields, "evidence_required", true);
    } else if (!l.gate->needs_approval) {
        WARNING_AT(&l, node, "validation_gate asks for nothing: anything passes");
    }
    return gate_finish(&l, gate);
}
