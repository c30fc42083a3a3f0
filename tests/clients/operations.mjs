// operations.mjs -- what the page for operators promises: alerts and dashboard ask for what the server really exposes, the
// commands for back-up and restore keep all that was acknowledged, and files of a newer version are refused and kept.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import YAML from 'yaml';
import { binary, finish, HttpServer, Project, test } from './lib.mjs';
import { familiesOf, mistakesOf, selectorsOf } from './promql.mjs';

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const read = (name) => fs.readFileSync(path.join(repository, name), 'utf8');
const page = read('deploy/operations.md');
const alerts = YAML.parse(read('deploy/alerts.yaml')).groups.flatMap(({ rules }) => rules);
const board = JSON.parse(read('deploy/grafana.json'));
const panels = board.panels.filter(({ type }) => type !== 'row');

async function call(server, tool, args = {}) {
    const response = await server.fetch(`/api/tools/${tool}`, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(args),
    });
    return { status: response.status, body: await response.json() };
}

/** The commands that stand in the page between two marks. */
function commands(mark) {
    const part = new RegExp(`<!-- ${mark}: begin -->\\n\`\`\`sh\\n([^]*?)\`\`\`\\n<!-- ${mark}: end -->`).exec(page);
    assert.ok(part, `the page has commands for ${mark}`);
    return part[1];
}
const shell = (mark, env) => promisify(execFile)('/bin/sh', ['-euc', commands(mark)], {
    env: { ...process.env, PATH: `${path.dirname(binary)}:${process.env.PATH}`, ...env },
});

const project = new Project();
const server = await HttpServer.start(project);
await call(server, 'current_date');
await call(server, 'no_such_tool');
await call(server, 'acquire_quota', { service: 'nobody' });
const families = familiesOf(await (await server.fetch('/metrics')).text());

await test('operations: the reader of expressions tells good from bad', () => {
    const told = (text) => mistakesOf(text, families).join('; ');
    assert.equal(told('rate(tandem_bus_events_total[5m]) > 1 and on (instance) tandem_build_info'), '');
    assert.match(told('tandem_nothing'), /there is no tandem_nothing/);
    assert.match(told('tandem_bus_events_total > 1'), /only its rise/);
    assert.match(told('rate(tandem_connections[5m])'), /has no rate/);
    assert.match(told('rate(tandem_bus_events_total)'), /no range/);
    assert.match(told('tandem_connections[5m]'), /a range/);
    assert.match(told('sum by (tool) (tandem_connections)'), /no label tool/);
    assert.match(told('tandem_connections{cache="x"}'), /no label cache/);
    for (const text of ['sum(', 'rate(x[5m]) >', 'x y', 'nothing_like(x)', 'x{a="b"', 'x{a:"b"}', 'x > > 1', '']) {
        assert.throws(() => selectorsOf(text), Error, text);
    }
});

await test('operations: each alert asks for what the server exposes', () => {
    assert.ok(alerts.length >= 10);
    for (const { alert, expr, labels, annotations, for: wait = '0s', ...rest } of alerts) {
        assert.match(alert, /^Tandem[A-Z][A-Za-z]+$/);
        assert.deepEqual(mistakesOf(expr, families), [], alert);
        assert.ok(['warning', 'critical'].includes(labels.severity), alert);
        assert.ok(annotations.summary, alert);
        assert.match(wait, /^\d+[smh]$/, alert);
        assert.deepEqual(Object.keys(rest), [], alert);
    }
});

await test('operations: the kinds of errors that alerts name are the server\'s', () => {
    const codes = new Set([...read('state/base/err.h').matchAll(/^ +ROW\(.*?"([a-z_]+)"/gm)].map(([, code]) => code));
    const named = alerts.flatMap(({ expr }) => selectorsOf(expr)).flatMap(({ matchers }) => matchers)
        .filter(({ label }) => label === 'error_type').flatMap(({ value }) => value.split('|'));
    assert.ok(named.length > 0);
    assert.deepEqual(named.filter((code) => !codes.has(code)), []);
});

await test('operations: the page tells of each alert, and of no other', () => {
    const told = [...page.matchAll(/^\| `(Tandem\w+)` \|/gm)].map(([, name]) => name);
    assert.deepEqual(told, alerts.map(({ alert }) => alert));
});

await test('operations: each query of the dashboard asks for what the server exposes', () => {
    assert.ok(panels.length >= 10);
    for (const { title, targets } of panels) {
        assert.ok(targets.length > 0, title);
        for (const { expr, legendFormat } of targets) {
            const plain = expr.replaceAll('$__rate_interval', '5m');
            assert.deepEqual(mistakesOf(plain, families), [], title);
            const kept = new Set(selectorsOf(plain).flatMap(({ labels, within }) => (within.length ? labels : ['instance'])));
            for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
                assert.ok(kept.has(label) || kept.has('instance'), `${title}: {{${label}}}`);
            }
        }
    }
});

await test('operations: the panels of the dashboard have places and names of their own', () => {
    const taken = new Set();
    assert.equal(new Set(board.panels.map(({ id }) => id)).size, board.panels.length);
    assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length);
    for (const { title, gridPos: { x, y, w, h } } of board.panels) {
        assert.ok(x >= 0 && x + w <= 24, title);
        for (let i = 0; i < w * h; i++) {
            const cell = `${x + i % w},${y + Math.floor(i / w)}`;
            assert.ok(!taken.has(cell), `${title} lies upon another at ${cell}`);
            taken.add(cell);
        }
    }
    const variables = new Set(board.templating.list.map(({ name }) => name));
    for (const [, name] of JSON.stringify(panels).matchAll(/\$\{?([a-z]+)\}?/g)) {
        assert.ok(variables.has(name), name);
    }
});

await test('operations: a copy that is made under load has all that was acknowledged before', async () => {
    const backup = path.join(os.tmpdir(), `tandem-backup-${process.pid}.tar.gz`);
    const started = [], ticket = { taken: 0 };
    let going = true, number = 0, failed = 0;
    const work = async () => {
        while (going) {
            const name = `src/file-${number++}.c`;
            const { status, body } = await call(server, 'pos_workflow', { action: 'start', workflow_type: 'bug_fix_v1', target_file: name });
            if (status === 200) {
                started.push({ id: body.session_id, name });
            } else {
                failed++; // There are as many as may be active: the load goes on by the quota.
            }
            ticket.taken += (await call(server, 'acquire_quota', { service: 'mail' })).status === 200;
        }
    };
    const workers = Array.from({ length: 4 }, work);
    while (started.length < 20) {
        await new Promise(setImmediate);
    }
    const before = { sessions: [...started], taken: ticket.taken };
    await shell('backup', { project: project.root, backup });
    going = false;
    await Promise.all(workers);
    assert.ok(started.length + failed > before.sessions.length, 'there was load while it was made');
    await server.stop();
    assert.equal(fs.statSync(backup).mode & 0o077, 0, 'the copy is for its owner alone');

    const other = new Project();
    await shell('restore', { project: other.root, backup });
    assert.ok(fs.existsSync(path.join(other.root, '.tandem.before-restore')), 'what was there is kept');
    const restored = await HttpServer.start(other);
    try {
        for (const { id, name } of before.sessions) {
            const { status, body } = await call(restored, 'pos_workflow', { action: 'get_state', session_id: id });
            assert.equal(status, 200, `${id}: ${JSON.stringify(body)}`);
            assert.ok(JSON.stringify(body).includes(name), id);
        }
        const { body } = await call(restored, 'get_quota_summary');
        const mail = body.services.find(({ service }) => service === 'mail');
        assert.ok(mail.used >= before.taken, `${mail.used} of ${before.taken} are counted`);
        const { body: found } = await call(restored, 'search_standards', { query: 'reproduce a bug' });
        assert.ok(found.results.length > 0, 'the index is made again');
    } finally {
        await restored.stop();
        other.remove();
        fs.rmSync(backup);
    }
});

await test('operations: a copy of a server that has ended is the same as what it left', async () => {
    const backup = path.join(os.tmpdir(), `tandem-stopped-${process.pid}.tar.gz`);
    const other = fs.mkdtempSync(path.join(os.tmpdir(), 'tandem-restored-'));
    await shell('backup', { project: project.root, backup });
    await shell('restore', { project: other, backup });
    const { status, stdout } = spawnSync('diff', ['-r', '--exclude=index', '--exclude=server.lock', path.join(project.root, '.tandem'),
                                                  path.join(other, '.tandem')], { encoding: 'utf8' });
    assert.equal(status, 0, stdout);
    fs.rmSync(other, { recursive: true });
    fs.rmSync(backup);
});

await test('operations: files of a newer version are refused with what is wrong, and kept', async () => {
    const data = path.join(project.root, '.tandem');
    const [state] = fs.readdirSync(path.join(data, 'state')).filter((name) => /^[0-9a-f-]{36}\.json$/.test(name));
    const session = path.join(data, 'state', state);
    const newer = JSON.stringify({ ...JSON.parse(fs.readFileSync(session, 'utf8')), format: 99 });
    const budget = '{"format":99,"sessions":[],"archive":[],"notes":[]}';
    fs.writeFileSync(session, newer);
    fs.mkdirSync(path.join(data, 'session'), { recursive: true });
    fs.writeFileSync(path.join(data, 'session/sessions.json'), budget);
    const later = await HttpServer.start(project);
    const { status, body } = await call(later, 'pos_workflow', { action: 'get_state', session_id: state.replace('.json', '') });
    assert.equal(status, 409);
    assert.match(JSON.stringify(body), /has format 99, and this server knows 1.*use the newer server/);
    await call(later, 'update_token_usage', { input_tokens: 1, output_tokens: 1 });
    await later.stop();
    assert.equal(fs.readFileSync(session, 'utf8'), newer, 'the session\'s file stays');
    assert.match(later.stderr, /of a newer version; they are put aside/);
    assert.equal(fs.readFileSync(path.join(data, 'session/sessions.json.newer'), 'utf8'), budget);

    // A key that this version does not know.
    const config = path.join(data, 'config.json');
    const settings = JSON.stringify({ ...JSON.parse(fs.readFileSync(config, 'utf8')), hyperdrive: true });
    fs.writeFileSync(config, settings);
    const refused = spawnSync(binary, ['serve', '--root', project.root], { encoding: 'utf8', input: '' });
    assert.equal(refused.status, 1, refused.stderr);
    assert.match(refused.stderr, /hyperdrive/);
    assert.equal(fs.readFileSync(config, 'utf8'), settings);
    project.remove();
});

finish();
