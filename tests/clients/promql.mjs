// promql.mjs -- reads an expression of Prometheus's language, as far as alerts and dashboards here use it, and tells which
// metrics it names, with which labels, and how.
const FUNCTIONS = new Set(['absent', 'changes', 'histogram_quantile', 'increase', 'rate', 'min_over_time', 'max_over_time']);
const AGGREGATIONS = new Set(['sum', 'min', 'max', 'avg', 'count']);
const TOKEN = /\s*(?:([0-9]+(?:\.[0-9]+)?)|([a-zA-Z_:][a-zA-Z0-9_:]*)|"((?:[^"\\]|\\.)*)"|\[([0-9]+[smhd])\]|(=~|!~|!=|==|>=|<=|[-+*/%=<>(){},]))/y;
const BINARY = [['or'], ['and', 'unless'], ['==', '!=', '>', '<', '>=', '<='], ['+', '-'], ['*', '/', '%']];

function tokens(text) {
    const found = [];
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < text.trimEnd().length) {
        const at = TOKEN.lastIndex, match = TOKEN.exec(text);
        if (!match) {
            throw new Error(`at "${text.slice(at)}"`);
        }
        const [, number, name, string, range, sign] = match;
        found.push(number !== undefined ? { kind: 'number', text: number } : name !== undefined ? { kind: 'name', text: name }
            : string !== undefined ? { kind: 'string', text: string } : range !== undefined ? { kind: 'range', text: range }
            : { kind: 'sign', text: sign });
    }
    return found;
}

/** The selectors of an expression: [{metric, matchers: [{label, op, value}], range, within: [function...], labels: [...]}], where
 *  'labels' are those by which what holds the selector is grouped or matched. Throws if it is no expression. */
export function selectorsOf(text) {
    const list = tokens(text);
    const found = [];
    let at = 0;
    const is = (...texts) => at < list.length && list[at].kind !== 'string' && texts.includes(list[at].text);
    const take = (wanted, kind) => {
        const token = list[at];
        if (!token || (kind && token.kind !== kind) || (wanted && token.text !== wanted)) {
            throw new Error(`"${token?.text ?? 'the end'}" where ${wanted ?? kind} is to be, in ${text}`);
        }
        at++;
        return token.text;
    };
    const labels = () => {
        const names = [];
        take('(');
        while (!is(')')) {
            names.push(take(null, 'name'));
            if (!is(')')) {
                take(',');
            }
        }
        take(')');
        return names;
    };
    const selector = (metric, within, grouped) => {
        const one = { metric, matchers: [], range: null, within, labels: grouped };
        if (is('{')) {
            take('{');
            while (!is('}')) {
                const label = take(null, 'name');
                if (!is('=', '!=', '=~', '!~')) {
                    throw new Error(`"${list[at]?.text}" compares no label`);
                }
                one.matchers.push({ label, op: take(null, 'sign'), value: take(null, 'string') });
                if (!is('}')) {
                    take(',');
                }
            }
            take('}');
        }
        if (list[at]?.kind === 'range') {
            one.range = take(null, 'range');
        }
        found.push(one);
    };
    const call = (within, grouped) => {
        take('(');
        binary(0, within, grouped);
        while (is(',')) {
            take(',');
            binary(0, within, grouped);
        }
        take(')');
    };
    const primary = (within, grouped) => {
        if (is('(')) {
            return call(within, grouped);
        }
        if (list[at]?.kind === 'number') {
            return take(null, 'number');
        }
        const name = take(null, 'name');
        if (AGGREGATIONS.has(name)) {
            const by = is('by') ? (take('by'), labels()) : [];
            return call([...within, name], [...grouped, ...by]);
        }
        if (is('(')) {
            if (!FUNCTIONS.has(name)) {
                throw new Error(`${name}() is no function that is known here`);
            }
            return call([...within, name], grouped);
        }
        return selector(name, within, grouped);
    };
    function binary(level, within, grouped) {
        if (level === BINARY.length) {
            return primary(within, grouped);
        }
        const first = found.length;
        binary(level + 1, within, grouped);
        while (is(...BINARY[level])) {
            take();
            const on = is('on') ? (take('on'), labels()) : [];
            binary(level + 1, within, grouped);
            found.slice(first).forEach((each) => { each.labels = [...each.labels, ...on]; });
        }
    }
    binary(0, [], []);
    if (at !== list.length) {
        throw new Error(`"${list[at].text}" is left over in ${text}`);
    }
    return found;
}

/** The families of an exposition: name to {type, labels: Set}. */
export function familiesOf(exposition) {
    const families = new Map();
    for (const line of exposition.split('\n')) {
        const type = /^# TYPE (\S+) (\S+)$/.exec(line);
        const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? \S+$/.exec(line);
        if (type) {
            families.set(type[1], { type: type[2], labels: new Set() });
        } else if (sample && !line.startsWith('#')) {
            const family = families.get(sample[1]) ?? families.get(sample[1].replace(/_(bucket|sum|count)$/, ''));
            for (const [, label] of (sample[2] ?? '').matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"/g)) {
                family.labels.add(label);
            }
        }
    }
    return families;
}

/** What is wrong with an expression beside what the server exposes: a list of sentences. */
export function mistakesOf(expression, families) {
    const wrong = [];
    for (const { metric, matchers, range, within, labels } of selectorsOf(expression)) {
        const part = /_(bucket|sum|count)$/.exec(metric);
        const family = families.get(metric) ?? (part && families.get(metric.slice(0, part.index)));
        if (!family) {
            wrong.push(`there is no ${metric}`);
            continue;
        }
        const known = new Set([...family.labels, 'instance', 'job']); // Those two are the scraper's.
        for (const label of [...matchers.map((each) => each.label), ...labels].filter((each) => !known.has(each))) {
            wrong.push(`${metric} has no label ${label}`);
        }
        const rises = family.type === 'counter' || (family.type === 'histogram' && part !== null);
        const last = within.findLast((name) => !AGGREGATIONS.has(name));
        if (rises !== ['rate', 'increase'].includes(last)) {
            wrong.push(`${metric} is a ${family.type}, and ${rises ? 'only its rise tells anything' : 'has no rate'}`);
        }
        if ((range !== null) !== ['rate', 'increase', 'changes', 'min_over_time', 'max_over_time'].includes(last)) {
            wrong.push(`${metric}: ${range ? 'a range' : 'no range'} where ${last ?? 'nothing'} is asked for`);
        }
    }
    return wrong;
}
