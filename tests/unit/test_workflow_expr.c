/* test_workflow_expr.c -- the language of validators: it means what Python means, and nothing
 * hostile gets in, or out of its bounds. */
#include "state/base/thread.h"
#include "state/workflow_expr.h"
#include "tests/check.h"

#include <stdio.h>

static const char *const sample =
    "{\"n\":5,\"f\":2.5,\"s\":\"Hello World\",\"u\":\"h\\u00e9\\u00c9\",\"t\":true,\"z\":null,"
    "\"l\":[1,2,3],\"d\":{\"k\":\"v\",\"m\":[1]},\"w\":[\"b\",\"a\"],\"big\":9007199254740993}";

/* Compiles "lambda x: BODY" and evaluates it on 'json'. */
static enum err
evaluate_on(const char *body, const char *json, struct expr_budget *budget, bool *holds,
            struct fault *fault)
{
    char *source = xasprintf("lambda x: %s", body);
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    const json_t *args[1] = {value};
    struct expr *expr = NULL;
    enum err err = expr_compile(slice_of(source), &expr, fault);

    CHECK(value);
    if (err) {
        fail_msg("%s: %u:%u: %s", source, fault->line, fault->column, fault->text);
    }
    err = expr_test(expr, args, budget, holds, fault);
    CHECK(!err || !*holds);
    expr_free(expr);
    json_decref(value);
    free(source);
    return err;
}

static void
is(const char *body, bool expected)
{
    struct expr_budget budget = EXPR_BUDGET_INIT;
    struct fault fault = FAULT_INIT;
    bool holds = !expected;

    if (evaluate_on(body, sample, &budget, &holds, &fault)) {
        fail_msg("%s raised: %s", body, fault.text);
    }
    if (holds != expected) {
        fail_msg("%s is %d", body, holds);
    }
}

static void
raises(const char *body, const char *part)
{
    struct expr_budget budget = EXPR_BUDGET_INIT;
    struct fault fault = FAULT_INIT;
    bool holds = true;

    CHECK_INT(evaluate_on(body, sample, &budget, &holds, &fault), E_REFUSED);
    if (!strstr(fault.text, part)) {
        fail_msg("%s raised: %s", body, fault.text);
    }
}

static void
refuses(const char *source, enum err err, unsigned line, unsigned column, const char *part)
{
    struct expr *expr = NULL;
    struct fault fault = FAULT_INIT;

    CHECK_INT(expr_compile(slice_of(source), &expr, &fault), err);
    CHECK(!expr);
    if (fault.line != line || fault.column != column || !strstr(fault.text, part)) {
        fail_msg("%s: %u:%u: %s", source, fault.line, fault.column, fault.text);
    }
}

static void
truth_and_logic(void **state)
{
    static const char *const yes[] = {"1",           "0.1",      "'a'",      "[0]", "(None,)",
                                      "{'a': None}", "-1",       "range(1)", "str", "set([0])",
                                      "1 and 'a'",   "0 or 'b'", "not 0",    "x",   "1 if 2 else 0",
                                      "not not 1"};
    static const char *const no[] = {"0",          "0.0",     "''",      "[]",     "()",
                                     "{}",         "None",    "False",   "set()",  "range(0)",
                                     "1 and ''",   "0 or {}", "not 'a'", "x['z']", "0 if 1 else 1",
                                     "range(3, 1)"};

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        is(yes[i], true);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        is(no[i], false);
    }
    /* Neither side that is not needed is evaluated. */
    is("True or 1 / 0", true);
    is("False and 1 / 0", false);
    is("1 if True else 1 / 0", true);
    is("(0 or '') == ''", true);
    is("('a' and 7) == 7", true);
}

static void
numbers_follow_python(void **state)
{
    static const char *const yes[] = {
        "7 // 2 == 3",
        "-7 // 2 == -4",
        "7 // -2 == -4",
        "-7 % 3 == 2",
        "7 % -3 == -2",
        "7 / 2 == 3.5",
        "6 / 2 == 3",
        "-7.5 // 2 == -4.0",
        "7.5 % -2 == -0.5",
        "1 == 1.0 == True",
        "1 + True == 2",
        "0.1 + 0.2 != 0.3",
        "isinstance(True, int)",
        "not isinstance(3.0, int)",
        "isinstance(6 / 2, float)",
        "isinstance(x['n'], (str, int))",
        "x['big'] == 9007199254740993",
        "x['big'] != 9007199254740992.0",
        "x['big'] > 9007199254740992.0",
        "9223372036854775807 < 9.3e18",
        "-9223372036854775807 - 1 > -9.3e18",
        "round(2.5) == 2",
        "round(3.5) == 4",
        "round(2.675, 2) == 2.67",
        "round(-2.5) == -2",
        "round(1250, -2) == 1200",
        "round(1350, -2) == 1400",
        "round(15, -1) == 20",
        "round(1234.5, -2) == 1200.0",
        "round(7, 3) == 7",
        "round(5, -19) == 0",
        "round(1.5, None) == 2",
        "round(2.5, 400) == 2.5",
        "round(2.5, -400) == 0",
        "abs(-3) == 3",
        "abs(-2.5) == 2.5",
        "abs(True) == 1",
        "int(3.9) == 3",
        "int(-3.9) == -3",
        "int(' 12 ') == 12",
        "int('-7') == -7",
        "int() == 0",
        "float() == 0.0",
        "float('1e3') == 1000",
        "float(' .5 ') == 0.5",
        "float('nan') != float('nan')",
        "not float('nan') < 1",
        "float('inf') > 1e308",
        "+x['n'] == 5",
        "-x['f'] == -2.5",
        "--1 == 1",
        "-True == -1",
        "sum([1, 2.5]) == 3.5",
        "sum([], 4) == 4",
        "sum([[1], [2]], []) == [1, 2]",
        "min(3, 1, 2) == 1",
        "max([1, 3, 2]) == 3",
        "max('b', 'a') == 'b'",
        "min([2, float('nan')]) == 2",
        "1 < 2 < 3",
        "not 1 < 3 < 2",
        "1 < 3 > 2",
        "1 <= 1 != 2 in [2]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        is(yes[i], true);
    }
    raises("1 / 0", "division by zero");
    raises("1.5 % 0", "division by zero");
    raises("9223372036854775807 + 1", "64 bits");
    raises("-9223372036854775807 - 2", "64 bits");
    raises("4611686018427387904 * 2", "64 bits");
    raises("(-9223372036854775807 - 1) // -1", "64 bits");
    raises("abs(-9223372036854775807 - 1)", "64 bits");
    raises("-(-9223372036854775807 - 1)", "64 bits");
    raises("int(1e300)", "64 bits");
    raises("int('x')", "no integer");
    raises("int('12a')", "no integer");
    raises("int('99999999999999999999')", "64 bits");
    raises("int([])", "int() of list");
    raises("float('0x10')", "no number");
    raises("float('')", "no number");
    raises("float([])", "float() of list");
    raises("round('a')", "round()");
    raises("round(9223372036854775807, -1)", "64 bits");
    raises("round(-9223372036854775807, -18) - 9223372036854775807", "64 bits");
    raises("abs('a')", "abs()");
    raises("-'a'", "no sign");
    raises("'a' + 1", "cannot be computed");
    raises("'a' - 'b'", "cannot be computed");
    raises("[1] // 2", "list // int");
    raises("1 < 'a'", "no order");
    raises("{} < {}", "no order");
    raises("min([])", "of nothing");
    raises("min(5)", "gone through");
    raises("sum(['a'], '')", "sum()");
    raises("sum(['a'])", "int + str");
}

static void
texts_follow_python(void **state)
{
    static const char *const yes[] = {
        "'ab' + 'c' == 'abc'",
        "'ab' * 3 == 'ababab'",
        "3 * 'a' == 'aaa'",
        "'a' * -1 == ''",
        "len(x['u']) == 3",
        "x['u'][1] == '\\xe9'",
        "x['u'][-1] == '\\u00c9'",
        "x['s'][0:5] == 'Hello'",
        "x['s'][-5:] == 'World'",
        "x['s'][::-1] == 'dlroW olleH'",
        "x['s'][1:8:3] == 'eoo'",
        "x['u'][1:] == '\\xe9\\xc9'",
        "x['s'][5:2] == ''",
        "x['s'][:None] == x['s']",
        "x['s'][100:] == ''",
        "'ell' in x['s']",
        "'xyz' not in x['s']",
        "'' in ''",
        "x['s'].lower() == 'hello world'",
        "x['u'].upper() == 'H\\xc9\\xc9'",
        "x['u'].lower() == 'h\\xe9\\xe9'",
        "'  a b '.strip() == 'a b'",
        "'xxaxx'.strip('x') == 'a'",
        "'ab'.strip(None) == 'ab'",
        "'\\xe9a\\xe9'.strip('\\xe9') == 'a'",
        "x['s'].startswith('He')",
        "x['s'].endswith(('x', 'ld'))",
        "not 'a'.startswith('ab')",
        "'a'.startswith('')",
        "'a b  c'.split() == ['a', 'b', 'c']",
        "'a,b,,c'.split(',') == ['a', 'b', '', 'c']",
        "'a b c'.split(None, 1) == ['a', 'b c']",
        "'a,b,c'.split(',', 1) == ['a', 'b,c']",
        "''.split() == []",
        "''.split(',') == ['']",
        "'abab'.count('ab') == 2",
        "'abc'.count('') == 4",
        "'aaa'.count('aa') == 1",
        "'a1'.isalnum()",
        "not 'a 1'.isalnum()",
        "not ''.isalnum()",
        "'12'.isdigit()",
        "not '1.2'.isdigit()",
        "'\\xe9'.isalnum()",
        "str(1) == '1'",
        "str(2.0) == '2.0'",
        "str(1e16) == '1e+16'",
        "str(0.1) == '0.1'",
        "str(1e-7) == '1e-07'",
        "str(123456789012345.0) == '123456789012345.0'",
        "str(None) == 'None'",
        "str(True) == 'True'",
        "str('a') == 'a'",
        "str() == ''",
        "str([1, 'a', None]) == \"[1, 'a', None]\"",
        "str((1,)) == '(1,)'",
        "str(()) == '()'",
        "str({'a': (1, 2)}) == \"{'a': (1, 2)}\"",
        "str(set()) == 'set()'",
        "str([\"it's\"]) == '[\"it\\'s\"]'",
        "str(['\\n\\x01\\\\']) == \"['\\\\n\\\\x01\\\\\\\\']\"",
        "str(['\\'\"']) == '[\\'\\\\\\'\"\\']'",
        "str({1: set([2])}) == '{1: {2}}'",
        "str(float('nan')) == 'nan'",
        "str(-float('inf')) == '-inf'",
        "'\\x41\\101\\t' == 'AA\t'",
        "r'\\d' == '\\\\d'",
        "'\\q' == '\\\\q'",
        "'a' < 'b' < 'ba'",
        "bool('x') is True",
    };

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        is(yes[i], true);
    }
    raises("'a'[1]", "out of range");
    raises("'a'['b']", "must be an integer");
    raises("'a'.get('b')", "str has no .get()");
    raises("(5).lower()", "int has no .lower()");
    raises("[].strip()", "list has no");
    raises("'a'.strip(5)", "strip");
    raises("'a'.split('')", "split");
    raises("'a'.split('b', 'c')", "split");
    raises("'a'.startswith(5)", "tuple of texts");
    raises("'a'.count(5)", "count");
    raises("5 in 'a5'", "can only hold");
    raises("'a'[::0]", "step");
    raises("'a'['b':]", "slice takes integers");
    raises("x['n'][1:]", "cannot be sliced");
    raises("x['n'][0]", "cannot be indexed");
    raises("len(5)", "no length");
    raises("str(str)", "no text");
}

static void
containers_follow_python(void **state)
{
    static const char *const yes[] = {
        "x['l'] == [1, 2, 3]",
        "x['l'] != (1, 2, 3)",
        "[1, [2]] == [1.0, [2]]",
        "x['l'][-1] == 3",
        "x['l'][1:] == [2, 3]",
        "x['l'][::-1] == [3, 2, 1]",
        "(1, 2)[:1] == (1,)",
        "[1] + [2] == [1, 2]",
        "(1,) + (2,) == (1, 2)",
        "[0] * 2 == [0, 0]",
        "[] * 5 == []",
        "2 in x['l']",
        "5 not in x['l']",
        "'k' in x['d']",
        "x['d']['k'] == 'v'",
        "x['d'].get('q') is None",
        "x['d'].get('q', 7) == 7",
        "x['d'].get('k', 7) == 'v'",
        "list(x['d'].keys()) == ['k', 'm']",
        "list(x['d'].values())[1] == [1]",
        "x['d'].items()[0] == ('k', 'v')",
        "{'a': 1, 'b': 2} == {'b': 2, 'a': 1.0}",
        "{'a': 1} != {'a': 2}",
        "{'a': 1} != {'b': 1}",
        "{1: 'a', 1.0: 'b'} == {True: 'b'}",
        "{(1, 'a'): 2}[(1, 'a')] == 2",
        "{None: 1}[None] == 1",
        "{1.5: 1}[1.5] == 1",
        "{str: 1}[str] == 1",
        "len({'a': 1, 'b': 2,}) == 2",
        "len(set([1, 1.0, True, 2])) == 2",
        "set([1, 2]) == set([2, 1])",
        "set([1]).issubset([1, 2])",
        "not set([3]).issubset({'a': 1})",
        "set([1]) <= set([1, 2])",
        "set([1]) < set([1, 2])",
        "set([1, 2]) >= set([1])",
        "set([1, 2]) > set([1])",
        "not set([1]) < set([1])",
        "set([1, 2]) - set([2]) == set([1])",
        "sorted(x['w']) == ['a', 'b']",
        "sorted([3, 1, 2, 1]) == [1, 1, 2, 3]",
        "sorted([(1, 'b'), (1, 'a')])[0] == (1, 'a')",
        "sorted('ba') == ['a', 'b']",
        "[1, 2] < [1, 3]",
        "[1] < [1, 0]",
        "(2,) > (1, 9)",
        "list('ab') == ['a', 'b']",
        "list() == []",
        "dict() == {}",
        "dict(x['d']) == x['d']",
        "dict([('a', 1)]) == {'a': 1}",
        "dict(['ab']) == {'a': 'b'}",
        "list(enumerate('ab')) == [(0, 'a'), (1, 'b')]",
        "list(enumerate('a', 5)) == [(5, 'a')]",
        "list(zip([1, 2, 3], 'ab')) == [(1, 'a'), (2, 'b')]",
        "list(range(3)) == [0, 1, 2]",
        "list(range(1, 6, 2)) == [1, 3, 5]",
        "list(range(3, 0, -1)) == [3, 2, 1]",
        "range(5)[-1] == 4",
        "range(3) == range(0, 3, 1)",
        "range(0) == range(5, 2)",
        "4 in range(0, 10, 2)",
        "3 in range(5, 0, -2)",
        "not 4 in range(5, 0, -2)",
        "not 9 in range(5)",
        "5 not in range(0, 10, 2)",
        "2.0 in range(3)",
        "len(range(10, 0, -3)) == 4",
        "all(isinstance(i, int) for i in x['l'])",
        "any(i > 2 for i in x['l'])",
        "not any([])",
        "all([])",
        "not all([1, 0])",
        "any([0, 1])",
        "[i * 2 for i in x['l'] if i > 1] == [4, 6]",
        "sum(i for i in x['l']) == 6",
        "[k + v for k, v in [('a', 'b')]] == ['ab']",
        "[a for (a, b) in {'xy': 1}] == ['x']",
        "[(i, j)[0] for i, j in zip('ab', 'cd')] == ['a', 'b']",
        "[x for x in [1]] == [1]",
        "[[j for j in i] for i in ['ab']] == [['a', 'b']]",
        /* As in Python, what is gone through does not know the variable. */
        "[x for x in x['l']] == [1, 2, 3]",
        "(i for i in [1]) == [1]",
        "any(i == 1 or 1 / 0 for i in [1, 2])",
        "x['l'] is not None",
        "x['t'] is True",
        "x['z'] is None",
        "1 is not None",
        "not [1] is [1]",
        "x is x",
        "x['l'] is x['l']",
        "not 1 is True",
        "not {} is {}",
        "x['l'].count(2) == 1",
        "(1, 1).count(1) == 2",
        "isinstance(x, dict)",
        "isinstance(x['s'], str)",
        "isinstance(set(), set)",
        "isinstance(x['l'], (dict, (list,)))",
        "not isinstance(None, (int, str))",
        "(1 if x['n'] else 2) == 1",
        "(str == str) and str != int",
    };

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        is(yes[i], true);
    }
    raises("x['missing']", "no key 'missing'");
    raises("{}[1]", "no such key");
    raises("x['l'][3]", "out of range");
    raises("set([[1]])", "cannot be in a set");
    raises("{[]: 1}", "cannot be in a set");
    raises("x['d'][[]]", "cannot be in a set");
    raises("list(5)", "gone through");
    raises("5 in 5", "gone through");
    raises("dict([1])", "gone through");
    raises("dict(['abc'])", "pairs");
    raises("sorted([1, 'a'])", "no order");
    raises("isinstance(1, 5)", "takes a type");
    raises("range('a')", "integers");
    raises("range(0, 5, 0)", "must not be 0");
    raises("range(9223372036854775807)", "too large");
    raises("enumerate('a', 'b')", "counts from");
    raises("enumerate('ab', 9223372036854775807)", "64 bits");
    raises("[a for a, b in [(1, 2, 3)]]", "2 values");
    raises("[a for a, b in [(1,)]]", "2 values");
    raises("[a for a, b in [5]]", "gone through");
    raises("(5).get(1)", "int has no .get()");
    raises("x['l'].items()", "list has no .items()");
    raises("'a'.issubset([])", "no .issubset()");
    raises("set([1]).issubset(5)", "gone through");
}

static void
patterns_and_yaml(void **state)
{
    (void)state;
    is("re.match(r'\\w+ W', x['s'])", true);
    is("re.match('World', x['s']) is None", true);
    is("re.search('World$', x['s']) is not None", true);
    is("re.fullmatch('Hello', x['s'])", false);
    is("bool(re.search('l' + '+', x['s']))", true);
    is("yaml.safe_load('a: [1, yes, 2.5, true, ~]')['a'] == [1, 'yes', 2.5, True, None]", true);
    is("yaml.safe_load('')", false);
    is("isinstance(yaml.safe_load(x['s']), str)", true);
    raises("re.match('(' + '', 'a')", "does not end");
    raises("re.match(5, 'a')", "pattern and a text");
    raises("re.match('a', 5)", "pattern and a text");
    raises("yaml.safe_load('a: b: c')", "line 1");
    raises("yaml.safe_load(5)", "takes a text");
    refuses("lambda x: re.match('(a', x)", E_REFUSED, 1, 20, "does not end");
    refuses("lambda x: re.match('(?=a)', x)", E_REFUSED, 1, 20, "not taken");
}

static void
the_rest_is_refused_with_its_place(void **state)
{
    static const char *const hostile[] = {
        "lambda x: __import__('os').system('id')",
        "lambda x: x.__class__.__bases__[0].__subclasses__()",
        "lambda x: x.__class__",
        "lambda x: ().__class__",
        "lambda x: 'a'.format(x)",
        "lambda x: f'{x}'",
        "lambda x: b'a'",
        "lambda x: open('/etc/passwd').read()",
        "lambda x: eval('1')",
        "lambda x: exec('1')",
        "lambda x: compile('1', '', 'eval')",
        "lambda x: getattr(x, 'a')",
        "lambda x: globals()",
        "lambda x: vars()",
        "lambda x: input()",
        "lambda x: type(x)",
        "lambda x: os.getcwd()",
        "lambda x: re.compile('a')",
        "lambda x: re.sub('a', 'b', x)",
        "lambda x: re",
        "lambda x: yaml.load(x)",
        "lambda x: len",
        "lambda x: [len][0](x)",
        "lambda x: (lambda y: y)(x)",
        "lambda x: x()",
        "lambda x: x.a",
        "lambda x: x.join(x)",
        "lambda x: 9 ** 9 ** 9",
        "lambda x: 1 << 99",
        "lambda x: x | x",
        "lambda x: x & x",
        "lambda x: ~x",
        "lambda x: (y := 1)",
        "lambda x: {1, 2}",
        "lambda x: {i: 1 for i in x}",
        "lambda x: {i for i in x}",
        "lambda x: [i for i in x for j in x]",
        "lambda x: [i for i in x if i if i]",
        "lambda x: [*x]",
        "lambda x: [a for a, in x]",
        "lambda x: sorted(x, key=len)",
        "lambda x: max(x, default=0)",
        "lambda x, y=1: y",
        "lambda *x: x",
        "lambda: 1",
        "lambda x, x: x",
        "lambda __x: __x",
        "lambda x: [1 for __y in x]",
        "lambda len: len(len)",
        "lambda x: y",
        "lambda x: [i for j in x]",
        "lambda x: i + [i for i in x][0]",
        "lambda x: x.get",
        "lambda x: x.get()",
        "lambda x: len()",
        "lambda x: len(x, x)",
        "lambda x: x.lower(1)",
        "lambda x: x if x",
        "lambda x: x not x",
        "lambda x: x is",
        "lambda x: (x",
        "lambda x: [x",
        "lambda x: {x",
        "lambda x: {x: 1",
        "lambda x: x[",
        "lambda x: x[1:2:3:4]",
        "lambda x: x[]",
        "lambda x: x)",
        "lambda x: x x",
        "lambda x: 'a' 'b'",
        "lambda x: 'a",
        "lambda x: '''a'''",
        "lambda x: 'a\nb'",
        "lambda x: '\\x4'",
        "lambda x: '\\ud800'",
        "lambda x: '\\N{DASH}'",
        "lambda x: 0x10",
        "lambda x: 012",
        "lambda x: 1_000",
        "lambda x: 1e",
        "lambda x: 1e999",
        "lambda x: 1.2.3",
        "lambda x: 99999999999999999999",
        "lambda x: x # note",
        "lambda x: x; 1",
        "lambda x: x, 1",
        "lambda x: await x",
        "lambda x: yield",
        "lambda x: import",
        "lambda x: \\",
        "lambda x: \x60x\x60",
        "lambda x: \xC3\xA9",
        "lambda x:",
        "lambda x",
        "lambda x y: 1",
        "lambda 5: 1",
        "lambda if: 1",
        "x > 1",
        "import os",
        "def f(x): return x",
        "",
    };

    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct expr *expr = NULL;
        struct fault fault = FAULT_INIT;
        if (expr_compile(slice_of(hostile[i]), &expr, &fault) != E_REFUSED) {
            fail_msg("taken: %s", hostile[i]);
        }
        CHECK(!expr && fault.line && fault.column && fault.text[0]);
    }
    refuses("lambda x: open(x)", E_REFUSED, 1, 11, "no function");
    refuses("lambda x: x.foo", E_REFUSED, 1, 12, "attributes");
    refuses("lambda x: x.foo()", E_REFUSED, 1, 13, "no method");
    refuses("lambda x:\n  (x and\n   yy)", E_REFUSED, 3, 4, "'yy' is not known");
    refuses("lambda x: len(x, 1)", E_REFUSED, 1, 14, "takes 1 to 1 arguments, not 2");
    refuses("lambda x: 2 ** 3", E_REFUSED, 1, 13, "'**'");
    refuses("lambda x: '\xC3\xA9' ~", E_REFUSED, 1, 15, "not part");
    refuses("\xFF", E_REFUSED, 0, 0, "UTF-8");
}

/* Repeats 'part' between 'head' and 'tail', which must be refused for its size, or run into a
 * limit. */
static void
bounded(const char *head, const char *part, unsigned times, const char *tail)
{
    struct buf source = BUF_INIT;
    struct expr *expr = NULL;
    struct fault fault = FAULT_INIT;

    buf_adds(&source, head);
    for (unsigned i = 0; i < times; i++) {
        buf_adds(&source, part);
    }
    buf_adds(&source, tail);
    CHECK_INT(expr_compile(buf_slice(&source), &expr, &fault), E_TOO_LARGE);
    CHECK(!expr);
    buf_fini(&source);
}

static void
sources_are_bounded(void **state)
{
    (void)state;
    bounded("lambda x: ", "(", 3000, "");
    bounded("lambda x: ", "[", 3000, "");
    bounded("lambda x: ", "{1:", 1000, "");
    bounded("lambda x: ", "-", 3000, "1");
    bounded("lambda x: ", "not ", 900, "1");
    bounded("lambda x: ", "1 if 1 else ", 300, "1");
    bounded("lambda x: 1", "+1", 1500, "");
    bounded("lambda x: x", "[0]", 1000, "");
    bounded("lambda x: x", ".lower()", 500, "");
    bounded("lambda x: 1", "<1", 500, "");
    bounded("lambda x: [", "1,", 2030, "]");
    bounded("lambda x: {", "1:1,", 1005, "}");
    bounded("lambda x: ", " ", 5000, "1");
    bounded("lambda ", "a,", 0, "b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r: 1");
    bounded("lambda x: [1 for ", "", 0, "a,b,c,d,e,f,g,h,i in x]");
    bounded("lambda x: (", "[1 for a,b,c,d,e,f,g,h in x],", 10, ")");
}

static void
runs_into(const char *body, uint64_t steps, size_t memory, const char *part)
{
    struct expr_budget budget = {.steps = steps, .memory = memory};
    struct fault fault = FAULT_INIT;
    bool holds = true;

    CHECK_INT(evaluate_on(body, sample, &budget, &holds, &fault), E_LIMIT);
    if (!strstr(fault.text, part)) {
        fail_msg("%s: %s", body, fault.text);
    }
}

static void
evaluation_is_bounded(void **state)
{
    static const size_t mib = 1 << 20;
    struct expr_budget budget = EXPR_BUDGET_INIT;
    struct fault fault = FAULT_INIT;
    bool holds = false;

    (void)state;
    runs_into("'a' * 999999999999", 100000, mib, "memory");
    runs_into("'abc' * 4611686018427387904", 100000, mib, "memory");
    runs_into("[1] * 999999999999", 10000000, mib, "memory");
    runs_into("[1] * 999999999999", 10000, mib, "steps");
    runs_into("sum(range(999999999))", 100000, mib, "steps");
    runs_into("list(range(999999999))", 10000000, mib, "memory");
    runs_into("[j for j in [i for i in range(99999)]]", 10000000, mib, "memory");
    runs_into("all(all(j >= 0 for j in range(99999)) for i in range(99999))", 1000000, mib,
              "steps");
    runs_into("len(str(list(range(20000)))) > 0", 100000000, mib, "");
    runs_into("len(set(range(99999)))", 10000000, mib, "memory");
    runs_into("('a' * 100000).count('a')", 10000, mib, "steps");
    runs_into("('a' * 100000)[::2]", 100000, mib, "steps");
    runs_into("re.search('(a+)+$', 'a' * 99999 + 'b')", 200000, mib, "steps");
    runs_into("yaml.safe_load('a' * 99999)", 10000, mib, "steps");
    runs_into("sorted(range(99999)) == 1", 300000, 100 * mib, "steps");
    runs_into("('a' * 500000).upper() + ('b' * 500000) == 1", 10000000, mib, "memory");
    runs_into("('a,' * 99999).split(',')", 10000000, mib, "memory");
    runs_into("'x' + 'a' * 1048570", 10000000, mib, "memory");
    runs_into("{'a': 'b' * 999, 'c': ['d' * 1048000]}", 1000000, mib, "memory");
    /* Steps are taken off what is shared. */
    CHECK_INT(evaluate_on("x['n'] == 5", sample, &budget, &holds, &fault), E_OK);
    CHECK(holds && budget.steps < 5000000);
}

static void
parameters_and_literals_can_be_asked(void **state)
{
    struct expr *expr = NULL;
    struct expr_budget budget = EXPR_BUDGET_INIT;
    json_t *value = json_integer(5), *least = json_integer(3);
    const json_t *args[] = {value, least, NULL};
    bool holds = false;

    (void)state;
    CHECK_INT(expr_compile(SLICE("lambda value, least, none: value >= least and none is None "
                                 "and 'abc' != \"d'e\""),
                           &expr, NULL),
              E_OK);
    CHECK_INT(expr_param_count(expr), 3);
    CHECK_STR(expr_param_name(expr, 1), "least");
    CHECK(expr_mentions(expr, "abc") && expr_mentions(expr, "d'e"));
    CHECK(!expr_mentions(expr, "value"));
    CHECK_INT(expr_test(expr, args, &budget, &holds, NULL), E_OK);
    CHECK(holds);
    expr_free(expr);
    expr_free(NULL);
    json_decref(value);
    json_decref(least);
}

/* Values nested deeper than any evidence may be: an error, not a stack run over. */
static void
deep_values_are_refused(void **state)
{
    struct expr *expr = NULL;
    struct expr_budget budget = EXPR_BUDGET_INIT;
    struct fault fault = FAULT_INIT;
    json_t *value = json_array();
    const json_t *args[1];
    bool holds = true;

    (void)state;
    for (int i = 0; i < 500; i++) {
        json_t *outer = json_array();
        json_array_append_new(outer, value);
        value = outer;
    }
    args[0] = value;
    CHECK_INT(expr_compile(SLICE("lambda x: x == x"), &expr, NULL), E_OK);
    CHECK_INT(expr_test(expr, args, &budget, &holds, &fault), E_REFUSED);
    CHECK(!holds && strstr(fault.text, "too deep"));
    expr_free(expr);
    json_decref(value);
}

/* The worst that the bounds allow, on the small stack of a worker. */
static void *
nest_on_small_stack(void *arg)
{
    static const char *const nests[][3] = {{"(", "1", ")"},
                                           {"[", "1", "]"},
                                           {"{1:", "1", "}"},
                                           {"str(", "1", ")"},
                                           {"[i for i in ", "[1]", "]"},
                                           {"x if x else ", "1", ""},
                                           {"", "x", "[:][:]"},
                                           {"", "x", "+ x"},
                                           {"", "'a'", ".lower()"}};
    unsigned *good = arg;

    for (size_t i = 0; i < sizeof nests / sizeof nests[0]; i++) {
        for (unsigned times = 20; times < 80; times++) {
            struct buf source = BUF_INIT;
            struct expr *expr = NULL;
            struct expr_budget budget = EXPR_BUDGET_INIT;
            bool holds;
            json_t *value = json_string("a");
            const json_t *args[1] = {value};
            buf_adds(&source, "lambda x: ");
            for (unsigned k = 0; k < times; k++) {
                buf_adds(&source, nests[i][0]);
            }
            buf_adds(&source, nests[i][1]);
            for (unsigned k = 0; k < times; k++) {
                buf_adds(&source, nests[i][2]);
            }
            if (!expr_compile(buf_slice(&source), &expr, NULL)) {
                *good += expr_test(expr, args, &budget, &holds, NULL) == E_OK;
            }
            expr_free(expr);
            buf_fini(&source);
            json_decref(value);
        }
    }
    return NULL;
}

static void
a_small_stack_is_enough(void **state)
{
    pthread_t thread;
    unsigned good = 0;

    (void)state;
    CHECK_INT(thread_start(&thread, "nest", nest_on_small_stack, &good), 0);
    pthread_join(thread, NULL);
    CHECK(good > 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truth_and_logic),
        cmocka_unit_test(numbers_follow_python),
        cmocka_unit_test(texts_follow_python),
        cmocka_unit_test(containers_follow_python),
        cmocka_unit_test(patterns_and_yaml),
        cmocka_unit_test(the_rest_is_refused_with_its_place),
        cmocka_unit_test(sources_are_bounded),
        cmocka_unit_test(evaluation_is_bounded),
        cmocka_unit_test(parameters_and_literals_can_be_asked),
        cmocka_unit_test(deep_values_are_refused),
        cmocka_unit_test(a_small_stack_is_enough),
    };
    return CHECK_RUN(tests);
}
