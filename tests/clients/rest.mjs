// rest.mjs -- what a script does without any MCP client: plain HTTP and JSON.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { bugFixEvidence, finish, HttpServer, Project, test } from './lib.mjs';

const project = new Project();
const server = await HttpServer.start(project);
const port = Number(new URL(server.info.url).port);

async function call(tool, args) {
    const response = await server.fetch(`/api/tools/${tool}`, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(args),
    });
    assert.match(response.headers.get('content-type'), /^application\/json/);
    return { status: response.status, body: await response.json() };
}

/** One request with headers that fetch() does not let through. */
function raw({ method = 'GET', path = '/health', headers = {}, body }) {
    return new Promise((resolve, reject) => {
        const request = http.request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
            let text = '';
            response.on('data', (chunk) => { text += chunk; });
            response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
        });
        request.on('error', reject);
        request.end(body);
    });
}

await test('rest: /health and /ready answer without a token', async () => {
    for (const where of ['/health', '/ready']) {
        const response = await server.fetch(where, { headers: { authorization: null } });
        assert.equal(response.status, 200, where);
        await response.text();
    }
});
await test('rest: everything else asks for the token', async () => {
    for (const authorization of [null, 'Bearer', 'Bearer ', `Bearer ${'A'.repeat(43)}`, `Basic ${server.info.token}`,
                                 `Bearer ${server.info.token}x`, `Bearer ${server.info.token.slice(0, -1)}`]) {
        for (const [method, where] of [['GET', '/api/tools'], ['POST', '/api/tools/current_date'], ['POST', '/mcp'],
                                       ['DELETE', '/mcp']]) {
            const response = await server.fetch(where, {
                method, headers: { authorization, 'content-type': 'application/json' },
                body: method === 'POST' ? '{}' : undefined,
            });
            assert.equal(response.status, 401, `${method} ${where} ${authorization}`);
            assert.match(response.headers.get('www-authenticate') ?? '', /^Bearer/);
            await response.text();
        }
    }
    const inQuery = await server.fetch(`/api/tools?token=${server.info.token}`, { headers: { authorization: null } });
    assert.equal(inQuery.status, 400);
    await inQuery.text();
});
await test('rest: the word before the token is taken in any case', async () => {
    const response = await server.fetch('/api/tools', { headers: { authorization: `bearer ${server.info.token}` } });
    assert.equal(response.status, 200);
    await response.text();
});
await test('rest: lists the tools as MCP does', async () => {
    const rest = await (await server.fetch('/api/tools')).json();
    const mcp = await (await server.fetch('/mcp', {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream',
                   'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 'list', method: 'tools/list', params: { _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientCapabilities': {} } } }),
    })).json();
    assert.equal(mcp.id, 'list');
    assert.deepEqual(rest.tools, mcp.result.tools);
    assert.ok(rest.tools.some((tool) => tool.name === 'pos_workflow'));
});
await test('rest: calls a tool without arguments', async () => {
    const { status, body } = await call('current_date', {});
    assert.equal(status, 200);
    assert.match(body.iso_date, /^\d{4}-\d\d-\d\d$/);
    const empty = await server.fetch('/api/tools/current_date', { method: 'POST',
                                                                 headers: { 'content-type': 'application/json' } });
    assert.equal(empty.status, 200);
    await empty.text();
});
await test('rest: a pack from start to end', async () => {
    const { body: { session_id, resumed } } = await call('pos_workflow', {
        action: 'start', workflow_type: 'bug_fix_v1', target_file: 'src/rest.c' });
    assert.equal(resumed, false);
    for (const [phase, evidence] of bugFixEvidence.entries()) {
        const shown = await call('pos_workflow', { action: 'get_phase', session_id });
        assert.equal(shown.body.current_phase, phase);
        const claim = await call('pos_workflow', { action: 'complete_phase', session_id, phase, evidence: {} });
        assert.equal(claim.status, 422);
        assert.equal(claim.body.error_type, 'ValidationError');
        const done = await call('pos_workflow', { action: 'complete_phase', session_id, phase, evidence });
        assert.equal(done.status, 200, JSON.stringify(done.body));
        assert.equal(done.body.checkpoint_passed, true);
    }
    const again = await call('pos_workflow', { action: 'complete_phase', session_id, phase: 2,
                                               evidence: bugFixEvidence[2] });
    assert.equal(again.status, 409);
});
await test('rest: errors say what, and with which status', async () => {
    const table = [
        ['pos_workflow', { action: 'start', workflow_type: 'nothing', target_file: 'x' }, 404],
        ['pos_workflow', { action: 'start', workflow_type: '../x', target_file: 'x' }, 400],
        ['pos_workflow', { action: 'get_phase', session_id: '00000000-0000-4000-8000-000000000000' }, 404],
        ['pos_workflow', { action: 'get_phase', session_id: 'x' }, 400],
        ['pos_workflow', { action: 3 }, 400],
        ['pos_workflow', {}, 400],
        ['no_such_tool', {}, 404],
    ];
    for (const [tool, args, status] of table) {
        const answer = await call(tool, args);
        assert.equal(answer.status, status, JSON.stringify([tool, args, answer.body]));
        assert.equal(typeof (answer.body.message ?? answer.body.error), 'string');
        assert.ok(!JSON.stringify(answer.body).includes(project.root), 'no absolute path');
    }
});
await test('rest: what is not JSON, not declared as it, or not there', async () => {
    const post = (headers, body, where = '/api/tools/current_date') =>
        server.fetch(where, { method: 'POST', headers, body }).then(async (response) => {
            await response.text();
            return response.status;
        });
    assert.equal(await post({ 'content-type': 'application/json' }, '{"a":'), 400);
    assert.equal(await post({ 'content-type': 'application/json' }, '[]'), 400);
    assert.equal(await post({ 'content-type': 'text/plain' }, '{}'), 415);
    assert.equal(await post({ 'content-type': 'application/json' }, '{}', '/nowhere'), 404);
    assert.equal(await post({ 'content-type': 'application/json' }, `"${'x'.repeat(2 << 20)}"`), 413);
    const wrong = await server.fetch('/api/tools', { method: 'PUT' });
    assert.equal(wrong.status, 405);
    assert.match(wrong.headers.get('allow'), /GET/);
    await wrong.text();
});
await test('rest: a foreign Host or Origin is kept out', async () => {
    const headers = { authorization: `Bearer ${server.info.token}` };
    const hosts = { [`localhost:${port}`]: 200, [`127.0.0.1:${port}`]: 200, 'evil.example.com': 403,
                    [`evil.example.com:${port}`]: 403 };
    for (const [host, status] of Object.entries(hosts)) {
        assert.equal((await raw({ path: '/api/tools', headers: { ...headers, host } })).status, status, host);
    }
    for (const [origin, status] of [[server.origin, 200], ['https://evil.example.com', 403], ['null', 403]]) {
        const { status: got, headers: told } = await raw({ path: '/api/tools', headers: { ...headers, origin } });
        assert.equal(got, status, origin);
        assert.notEqual(told['access-control-allow-origin'], '*');
    }
});
await test('rest: many requests on one connection, in one piece, are answered in order', async () => {
    const count = 20;
    const request = `GET /api/tools HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${server.info.token}`;
    const socket = net.connect(port, '127.0.0.1');
    let text = '';
    const ended = new Promise((resolve, reject) => {
        socket.on('data', (chunk) => { text += chunk; });
        socket.on('end', resolve);
        socket.on('error', reject);
    });
    socket.write(`${request}\r\n\r\n`.repeat(count - 1) + `${request}\r\nConnection: close\r\n\r\n`);
    await ended;
    assert.equal(text.match(/HTTP\/1\.1 200 /g).length, count);
});
await test('rest: the server ends with stdin', () => server.stop());
project.remove();
finish();
