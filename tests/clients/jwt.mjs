// jwt.mjs -- tandem as an OAuth resource server: tokens made by an independent library, good, forged and old; keys
// that change, or cannot be had; and the official clients, which find the authorization server by themselves.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as jose from 'jose';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { ClientCredentialsProvider as Credentials1 } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as Client2, ClientCredentialsProvider as Credentials2,
         StreamableHTTPClientTransport as Transport2 } from '@modelcontextprotocol/client';
import { binary, finish, HttpServer, Project, test } from './lib.mjs';
import { ALGORITHMS, freePort, Issuer } from './issuer.mjs';

const shown = [];   // Every token that was shown: none of them may be in a log.

/** A project, a port that is known beforehand, an authorization server, and tandem before it. */
async function world(options = [], { keys } = {}) {
    const project = new Project();
    const port = await freePort();
    const resource = `http://127.0.0.1:${port}/mcp`;
    const issuer = await Issuer.start(resource);
    const file = path.join(project.root, 'keys.json');
    fs.writeFileSync(file, JSON.stringify(issuer.keySet()));
    const server = await HttpServer.start(project, '--listen', `127.0.0.1:${port}`, '--auth', 'jwt',
                                          '--jwt-issuer', issuer.url, '--jwt-resource', resource,
                                          '--jwt-keys', keys === 'file' ? 'keys.json' : issuer.jwks, ...options);
    assert.equal(server.info.url, resource);
    return {
        project, issuer, server, resource, file,
        ask(where, token, options = {}) {
            shown.push(token);
            return server.fetch(where, { ...options, headers: { authorization: token ? `Bearer ${token}` : null,
                                                                ...options.headers } });
        },
        async status(token) {
            const response = await this.ask('/api/tools', token);
            await response.text();
            return response.status;
        },
        async challenge(token, status = 401) {
            const response = await this.ask('/api/tools', token);
            await response.text();
            assert.equal(response.status, status);
            return response.headers.get('www-authenticate');
        },
        async end() {
            await server.stop();
            await issuer.stop();
            for (const signature of shown.map((token) => token?.split('.')[2]).filter(Boolean)) {
                assert.ok(!server.stderr.includes(signature), 'no token is in the log');
            }
            project.remove();
        },
    };
}

/** Runs 'body' in a world of its own, which ends whatever happens. */
async function within(options, body, how) {
    const t = await world(options, how);
    try {
        await body(t);
    } finally {
        await t.end();
    }
}

const MODERN = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28',
                 'io.modelcontextprotocol/clientCapabilities': {} };

/** A modern POST; 'name' for tools/call. */
function modern(w, token, method, params = {}) {
    return w.ask('/mcp', token, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream',
                   'mcp-protocol-version': '2026-07-28', 'mcp-method': method,
                   ...(params.name ? { 'mcp-name': params.name } : {}) },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: MODERN } }),
    });
}

function legacy(w, token, method, params = {}, headers = {}) {
    return w.ask('/mcp', token, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
}

const w = await world();
const { issuer } = w;

await test('jwt: good tokens of every algorithm', async () => {
    for (const kid of ALGORITHMS) {
        assert.equal(await w.status(await issuer.token({ kid })), 200, kid);
    }
    assert.equal(issuer.fetches, 1, 'the keys were fetched once');
});

await test('jwt: forged, foreign and old tokens', async () => {
    const stranger = await jose.generateKeyPair('ES256');
    const now = Math.floor(Date.now() / 1000);
    const publicKey = new TextEncoder().encode(await jose.exportSPKI(issuer.keys.get('RS256').pair.publicKey));
    const good = await issuer.token();
    const claims = jose.decodeJwt(good);
    const cases = {
        'another key': await issuer.token({ key: stranger.privateKey }),
        'alg none': new jose.UnsecuredJWT(claims).encode(),
        'HS256 with the public key': await new jose.SignJWT(claims)
            .setProtectedHeader({ alg: 'HS256', kid: 'RS256' }).sign(publicKey),
        'another issuer': await issuer.token({ claims: { iss: 'https://evil.example' } }),
        'another audience': await issuer.token({ claims: { aud: 'https://other.example/mcp' } }),
        'no audience': await issuer.token({ claims: { aud: undefined } }),
        'expired': await issuer.token({ claims: { exp: now - 31 } }),
        'no expiry': await issuer.token({ claims: { exp: undefined } }),
        'not yet': await issuer.token({ claims: { nbf: now + 120 } }),
        'no subject': await issuer.token({ claims: { sub: undefined } }),
        'a type of its own': await issuer.token({ header: { typ: 'logout+jwt' } }),
        'cut': good.slice(0, -10),
        'another signature': `${good.split('.').slice(0, 2).join('.')}.${(await issuer.token({ sub: 'bob' })).split('.')[2]}`,
    };
    for (const [name, token] of Object.entries(cases)) {
        const challenge = await w.challenge(token);
        assert.match(challenge, /^Bearer error="invalid_token", error_description="[^"\\]+", resource_metadata="/, name);
    }
    assert.equal(await w.status(await issuer.token({ claims: { aud: ['x', w.resource] } })), 200);
    assert.equal(await w.status(await issuer.token({ claims: { exp: now - 20 } })), 200, 'clocks may differ');
});

await test('jwt: a client is told where to go', async () => {
    const metadata = `${w.server.origin}/.well-known/oauth-protected-resource/mcp`;
    assert.equal(await w.challenge(null), `Bearer resource_metadata="${metadata}", scope="tandem:read tandem:write"`);
    for (const url of [metadata, `${w.server.origin}/.well-known/oauth-protected-resource`]) {
        const response = await fetch(url, { headers: { origin: 'https://app.example' } });
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('access-control-allow-origin'), '*');
        assert.deepEqual(await response.json(), {
            resource: w.resource, authorization_servers: [issuer.url],
            scopes_supported: ['tandem:read', 'tandem:write'], bearer_methods_supported: ['header'],
        });
    }
    const old = await fetch(`${w.server.origin}/.well-known/oauth-authorization-server`, { redirect: 'manual' });
    assert.equal(old.status, 302);
    assert.equal(old.headers.get('location'), `${issuer.url}/.well-known/oauth-authorization-server`);
});

await test('jwt: scopes say what may be called', async () => {
    const read = await issuer.token({ claims: { scope: 'openid tandem:read' } });
    const write = await issuer.token({ claims: { scope: undefined, scp: ['tandem:write'] } });
    const none = await issuer.token({ claims: { scope: 'openid' } });
    const call = (token, name, args = {}) => modern(w, token, 'tools/call', { name, arguments: args });
    const list = { action: 'list_workflows' };
    for (const [token, name, args, status] of [
        [read, 'current_date', {}, 200], [write, 'current_date', {}, 200], [none, 'current_date', {}, 403],
        [read, 'pos_workflow', list, 403], [write, 'pos_workflow', list, 200], [none, 'pos_workflow', list, 403]]) {
        const response = await call(token, name, args);
        assert.equal(response.status, status, name);
        if (status === 403) {
            const scope = name === 'pos_workflow' ? 'tandem:write' : 'tandem:read';
            assert.match(response.headers.get('www-authenticate'),
                         new RegExp(`^Bearer error="insufficient_scope", scope="${scope}", resource_metadata="`));
            assert.equal((await response.json()).id, 1);
        } else {
            assert.ok((await response.json()).result);
        }
    }
    assert.equal((await modern(w, none, 'server/discover')).status, 200);
    assert.equal((await modern(w, none, 'tools/list')).status, 403);
    const unknown = await modern(w, none, 'tools/call', { name: 'nothing' });
    assert.equal((await unknown.json()).error.code, -32602, 'what is not there needs no scope');
});

await test('jwt: a session is its own principal\'s', async () => {
    const alice = await issuer.token(), bob = await issuer.token({ sub: 'bob' });
    const opened = await legacy(w, alice, 'initialize', { protocolVersion: '2025-11-25', capabilities: {},
                                                          clientInfo: { name: 'a', version: '1' } });
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') };
    await opened.text();
    assert.equal((await legacy(w, alice, 'tools/list', {}, session)).status, 200);
    assert.equal((await legacy(w, await issuer.token({ claims: { jti: 'another' } }), 'tools/list', {}, session)).status,
                 200, 'another token of the same principal');
    assert.equal((await legacy(w, bob, 'tools/list', {}, session)).status, 404);
    assert.equal((await legacy(w, null, 'tools/list', {}, session)).status, 401);
    const get = { headers: { accept: 'text/event-stream', ...session } };
    assert.equal((await w.ask('/mcp', bob, get)).status, 404);
    assert.equal((await w.ask('/mcp', bob, { method: 'DELETE', headers: session })).status, 404);
    assert.equal((await w.ask('/mcp', null, { method: 'DELETE', headers: session })).status, 401);
    assert.equal((await w.ask('/mcp', alice, { method: 'DELETE', headers: session })).status, 204);
    assert.match(w.server.stderr, /somebody asked for what is another's/);
});

await test('jwt: 100 requests with a new key make one fetch', async () => {
    const before = issuer.fetches;
    await issuer.addKey('rotated', 'EdDSA');
    const tokens = await Promise.all(Array.from({ length: 100 }, (_, i) => issuer.token({ kid: 'rotated', sub: `s${i}` })));
    const statuses = await Promise.all(tokens.map((token) => w.status(token)));
    assert.deepEqual(new Set(statuses), new Set([200]));
    assert.equal(issuer.fetches, before + 1);
    // What is not there even so is refused at once, without another fetch.
    const header = { kid: 'nobody' };
    const bad = await Promise.all(Array.from({ length: 20 }, () => issuer.token({ header })));
    assert.deepEqual(new Set(await Promise.all(bad.map((token) => w.status(token)))), new Set([401]));
    assert.equal(issuer.fetches, before + 1);
});
await w.end();

for (const mode of ['down', 'slow', 'huge']) {
    await test(`jwt: the key server is ${mode}`, () => within(['--jwt-timeout', '5s'], async (t) => {
        const good = await t.issuer.token();
        assert.equal(await t.status(good), 200);
        t.issuer.mode = mode;
        await t.issuer.addKey('new', 'EdDSA');
        // Who brings a new key waits, and hears that nobody can say; nobody else waits.
        const waits = t.status(await t.issuer.token({ kid: 'new' }));
        assert.equal(await t.status(good), 200);
        assert.equal(await t.status(await t.issuer.token({ sub: 'bob' })), 200, 'the old keys stay');
        assert.equal(await waits, 503);
        t.issuer.release();
    }));
}

const NOWHERE = ['--jwt-timeout', '200ms', '--jwt-keys', 'http://127.0.0.1:1/jwks.json'];
await test('jwt: there were never any keys', () => within(NOWHERE, async (t) => {
    assert.equal(await t.status(await t.issuer.token()), 503);
    assert.equal(await t.status(null), 401);
}));

await test('jwt: keys from a file, which changes', () => within([], async (t) => {
    const old = await t.issuer.token();
    assert.equal(await t.status(old), 200);
    t.issuer.keys.clear();
    await t.issuer.addKey('next', 'ES384');
    fs.writeFileSync(`${t.file}.new`, JSON.stringify(t.issuer.keySet()));
    fs.renameSync(`${t.file}.new`, t.file);
    assert.equal(await t.status(await t.issuer.token({ kid: 'next' })), 200);
    assert.equal(await t.status(old), 401, 'the old key opens nothing any more');
    assert.equal(t.issuer.fetches, 0);
}, { keys: 'file' }));

const SHORT = ['--jwt-skew', '0s', '--groups', 'core,conformance'];
await test('jwt: a stream ends with its token', () => within(SHORT, async (t) => {
    const response = await modern(t, await t.issuer.token({ life: 6 }), 'subscriptions/listen',
                                  { notifications: { toolsListChanged: true } });
    assert.equal(response.status, 200);
    assert.match(await response.text(), /notifications\/subscriptions\/acknowledged/);
}));

/** Asks for a WebSocket with a token; what became of it: a socket, or the status and challenge of the refusal. */
function upgrade(t, token) {
    return new Promise((resolve, reject) => {
        const request = http.request({ host: '127.0.0.1', port: new URL(t.resource).port, path: '/mcp', headers: {
            connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13',
            'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-protocol': 'mcp',
            ...(token ? { authorization: `Bearer ${token}` } : {}) } });
        request.on('upgrade', (response, socket) => resolve({ status: 101, socket }));
        request.on('response', (response) => {
            response.resume();
            resolve({ status: response.statusCode, challenge: response.headers['www-authenticate'] });
        });
        request.on('error', reject);
        request.end();
    });
}

await test('jwt: a WebSocket needs a token, waits for its key, and ends with it', () => within(SHORT, async (t) => {
    const refused = await upgrade(t, null);
    assert.equal(refused.status, 401);
    assert.match(refused.challenge, /^Bearer resource_metadata="/);
    assert.equal((await upgrade(t, await t.issuer.token({ claims: { aud: 'other' } }))).status, 401);
    await t.issuer.addKey('new', 'ES256');
    const { status, socket } = await upgrade(t, await t.issuer.token({ kid: 'new', life: 6 }));
    assert.equal(status, 101);
    const [chunk] = await once(socket, 'data');
    assert.equal(chunk[0], 0x88, 'a close frame');
    assert.equal(chunk.readUInt16BE(2), 1008);
    socket.destroy();
}));

await test('jwt: what is missing is told before the start', async () => {
    const project = new Project();
    const run = (...options) => spawnSync(binary, ['serve', '--root', project.root, '--transport', 'http', '--listen',
                                                   '127.0.0.1:0', '--auth', 'jwt', ...options], { encoding: 'utf8' });
    const issuerAndResource = ['--jwt-issuer', 'https://as.example', '--jwt-resource', 'https://tandem.example/mcp'];
    for (const [options, said] of [
        [[], /jwt\.issuer/], [issuerAndResource.slice(0, 2), /jwt\.resource/], [issuerAndResource, /jwt\.keys/],
        [[...issuerAndResource, '--jwt-keys', 'http://as.example/keys'], /jwt\.keys/],
        [[...issuerAndResource, '--jwt-keys', 'nowhere.json'], /jwt\.keys: nowhere\.json/],
        [[...issuerAndResource.slice(0, 3), 'https://tandem.example/mcp/', '--jwt-keys', 'x'], /jwt\.resource/]]) {
        const { status, stderr } = run(...options);
        assert.notEqual(status, 0);
        assert.match(stderr, said);
    }
    project.remove();
});

const SECRET = { clientId: 'test', clientSecret: 'secret' };

async function callBoth(client) {
    assert.ok((await client.listTools()).tools.length > 1);
    assert.ok((await client.callTool({ name: 'current_date', arguments: {} })).content.length);
    const answer = await client.callTool({ name: 'pos_workflow', arguments: { action: 'list_workflows' } });
    assert.equal(answer.structuredContent.status, 'success');
    await client.close();
}

// Version 1 asks for the scopes that it was given, whatever a challenge names.
await test('jwt: sdk1 finds the authorization server', () => within([], async (t) => {
    const client = new Client1({ name: 'jwt-test', version: '1.0.0' });
    const authProvider = new Credentials1({ ...SECRET, scope: 'tandem:write', expectedIssuer: t.issuer.url });
    await client.connect(new Transport1(new URL(t.resource), { authProvider }));
    await callBoth(client);
    assert.deepEqual(t.issuer.grants, ['tandem:write']);
}));

for (const mode of ['legacy', 'auto', { pin: '2026-07-28' }]) {
    const name = `jwt: sdk2 ${mode.pin ?? mode} finds the authorization server, and asks for more when it needs it`;
    await test(name, () => within(['--jwt-scopes', 'tandem:read'], async (t) => {
        const client = new Client2({ name: 'jwt-test', version: '1.0.0' }, { versionNegotiation: { mode } });
        const authProvider = new Credentials2({ ...SECRET, expectedIssuer: t.issuer.url });
        await client.connect(new Transport2(new URL(t.resource), { authProvider }));
        await callBoth(client);
        assert.equal(t.issuer.grants.length, 2);
        assert.equal(t.issuer.grants[0], 'tandem:read', 'what the challenge named');
        assert.ok(t.issuer.grants[1].split(' ').includes('tandem:write'), 'a step up');
    }));
}
finish();
