// asking.mjs -- clients that can be asked: forms, models and roots, by the official clients of both eras, over both
// transports; answers, refusals, cancelling, and a person's approval of a gate.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as Stdio1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as Http1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Client as Client2, StreamableHTTPClientTransport as Http2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as Stdio2 } from '@modelcontextprotocol/client/stdio';
import { finish, HttpServer, Project, test, toolResult, TOOL_TIMEOUT_MS } from './lib.mjs';

const capabilities = { elicitation: { form: {} }, sampling: {}, roots: {} };
const gate = `human_approval_required: true
checkpoint:
  strict: true
evidence_schema:
  notes:
    type: string
    required: true
`;

/** A project with a pack of one phase, which a person must approve. */
function projectWithGate() {
    const project = new Project();
    const write = (name, text) => {
        const file = path.join(project.root, '.tandem/workflows/approved', name);
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, text);
    };
    write('metadata.json', JSON.stringify({ workflow_type: 'approved', version: '1.0', total_phases: 1, phases: [
        { phase_number: 0, phase_name: 'Release', purpose: 'p',
          tasks: [{ task_number: 1, name: 'do', file: 'task-1-do.md' }] }] }));
    write('phases/0/phase.md', '# Release\n\nDo it.\n');
    write('phases/0/task-1-do.md', '# Do\n\nDo this.\n');
    write('phases/0/gate-definition.yaml', gate);
    return project;
}

/** What a client does when it is asked; a test sets what it needs. */
class Person {
    form = async () => ({ action: 'cancel' });
    asked = [];

    elicit = (request, extra) => {
        this.asked.push(request.params);
        return this.form(request.params, extra);
    };
    sample = async (request) => ({ role: 'assistant', model: 'a-model',
                                   content: { type: 'text', text: `About: ${request.params.messages[0].content.text}` } });
    roots = async () => ({ roots: [{ uri: 'file:///home/me/project', name: 'project' }] });
}

function kit1() {
    const connect = async (transport, person) => {
        const client = new Client1({ name: 'asking1', version: '1.0.0' }, { capabilities });
        client.setRequestHandler(ElicitRequestSchema, person.elicit);
        client.setRequestHandler(CreateMessageRequestSchema, person.sample);
        client.setRequestHandler(ListRootsRequestSchema, person.roots);
        await client.connect(transport);
        return client;
    };
    return {
        name: 'sdk1', legacy: true, options: (options) => [undefined, options],
        stdio: (command, person) => connect(new Stdio1(command), person),
        http: (url, token, person) => connect(
            new Http1(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }), person),
    };
}

function kit2(name, legacy, mode) {
    const connect = async (transport, person) => {
        const client = new Client2({ name: 'asking2', version: '1.0.0' }, { capabilities, versionNegotiation: { mode } });
        client.setRequestHandler('elicitation/create', person.elicit);
        client.setRequestHandler('sampling/createMessage', person.sample);
        client.setRequestHandler('roots/list', person.roots);
        await client.connect(transport);
        return client;
    };
    return {
        name, legacy, options: (options) => [options],
        stdio: (command, person) => connect(new Stdio2(command), person),
        http: (url, token, person) => connect(
            new Http2(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }), person),
    };
}

const accept = (content) => async () => ({ action: 'accept', content });

async function checkClient(label, kit, client, person, target) {
    const call = (name, args = {}, options = {}) =>
        client.callTool({ name, arguments: args }, ...kit.options({ timeout: TOOL_TIMEOUT_MS, ...options }));
    const text = async (...args) => (await call(...args)).content[0].text;

    await test(`${label}: a form is filled in`, async () => {
        person.form = accept({ username: 'ann', email: 'ann@example.org' });
        assert.match(await text('test_elicitation', { message: 'Who are you?' }), /action=accept.*ann@example\.org/);
        assert.equal(person.asked.at(-1).message, 'Who are you?');
    });
    await test(`${label}: a form is declined, or closed`, async () => {
        for (const action of ['decline', 'cancel']) {
            person.form = async () => ({ action });
            assert.match(await text('test_elicitation', { message: '?' }), new RegExp(`action=${action}`));
        }
    });
    await test(`${label}: the client's model is asked`, async () => {
        assert.match(await text('test_sampling', { prompt: 'the sea' }), /About: the sea/);
    });
    await test(`${label}: three questions at once, two rounds, and a prompt that asks`, async () => {
        person.form = accept({ name: 'Ann', color: 'blue', context: 'a test' });
        assert.match(await text('test_input_required_result_multiple_inputs'), /Ann.*file:\/\/\/home\/me\/project/);
        person.form = async ({ requestedSchema }) =>
            ({ action: 'accept', content: 'name' in requestedSchema.properties ? { name: 'Ann' } : { color: 'blue' } });
        assert.equal(await text('test_input_required_result_multi_round'), 'Ann likes blue.');
        person.form = accept({ context: 'a test' });
        const { messages } = await client.getPrompt({ name: 'test_input_required_result_prompt' });
        assert.match(messages[0].content.text, /a test/);
    });
    await test(`${label}: seven calls that wait at once each get their own answer`, async () => {
        const ids = Array.from({ length: 7 }, (_, i) => `user-${i}`);
        person.form = async ({ message }) => ({ action: 'accept', content: { username: message, email: 'e' } });
        const answers = await Promise.all(ids.map((message) => text('test_elicitation', { message })));
        answers.forEach((answer, i) => assert.ok(answer.includes(`"username":"${ids[i]}"`), answer));
    });
    if (kit.legacy) {
        await test(`${label}: cancelling the call takes the question back`, async () => {
            const stop = new AbortController();
            const withdrawn = new Promise((resolve) => {
                person.form = (params, extra) => new Promise((answer) => {
                    (extra.signal ?? extra.mcpReq.signal).addEventListener('abort', () => {
                        resolve();
                        answer({ action: 'cancel' });
                    });
                    stop.abort('enough');
                });
            });
            await assert.rejects(call('test_elicitation', { message: '?' }, { signal: stop.signal }));
            await withdrawn;
            person.form = accept({ username: 'u', email: 'e' });
            assert.match(await text('test_elicitation', { message: '?' }), /accept/);
        });
    }
    await test(`${label}: a person approves a gate, whatever the agent claims`, async () => {
        const workflow = async (args) => toolResult(await call('pos_workflow', args));
        const { session_id } = await workflow({ action: 'start', workflow_type: 'approved', target_file: target });
        const complete = { action: 'complete_phase', session_id, phase: 0,
                           evidence: { notes: 'released', human_approved: true } };
        person.form = accept({ approve: false, name: 'Ann', comment: 'not on a Friday' });
        const refused = await workflow(complete);
        assert.equal(refused.error_type, 'ValidationError');
        assert.match(refused.error, /did not approve.*Ann.*not on a Friday/);
        assert.match(person.asked.at(-1).message, /Release.*approved.*needs your approval[^]*notes.*released/);
        person.form = async () => ({ action: 'decline' });
        assert.match((await workflow(complete)).error, /did not approve/);
        person.form = accept({ approve: true, name: 'Ann' });
        const passed = await workflow(complete);
        assert.equal(passed.checkpoint_passed, true);
        assert.equal(passed.workflow_complete, true);
        const { artifacts } = await workflow({ action: 'get_session', session_id });
        assert.equal(artifacts['0'].evidence._approval.by, 'Ann');
        assert.equal(artifacts['0'].evidence._approval.approved, true);
    });
}

for (const kit of [kit1(), kit2('sdk2 legacy', true, 'legacy'), kit2('sdk2 modern', false, { pin: '2026-07-28' })]) {
    const project = projectWithGate();
    const person = new Person(), remote = new Person();
    const stdio = await kit.stdio(project.command('--groups', 'core,conformance'), person);
    await stdio.listTools();
    const { url, token, pid } = project.discover();
    const http = await kit.http(url, token, remote);
    try {
        await checkClient(`${kit.name} stdio`, kit, stdio, person, 'a.c');
        await checkClient(`${kit.name} http`, kit, http, remote, 'b.c');
        await test(`${kit.name}: both at once are asked by themselves`, async () => {
            person.form = accept({ username: 'local', email: 'e' });
            remote.form = accept({ username: 'remote', email: 'e' });
            const ask = (client) => client.callTool({ name: 'test_elicitation', arguments: { message: '?' } },
                                                    ...kit.options({ timeout: TOOL_TIMEOUT_MS }));
            const answers = await Promise.all([0, 1, 2, 3, 4, 5].map((i) => ask(i % 2 ? http : stdio)));
            answers.forEach((answer, i) => assert.ok(answer.content[0].text.includes(i % 2 ? 'remote' : 'local')));
        });
    } finally {
        await http.close();
        await stdio.close();
    }
    await test(`${kit.name}: the server ends well`, async () => project.checkEnded(pid));
    project.remove();
}
/* ---- What no client would do by itself: sessions by hand, over HTTP ---- */

/** A legacy session, spoken by hand. */
class RawSession {
    constructor(server) {
        this.server = server;
        this.headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream',
                         'mcp-protocol-version': '2025-11-25' };
    }

    static async open(server) {
        const session = new RawSession(server);
        const answer = await session.post({ jsonrpc: '2.0', id: 0, method: 'initialize', params: {
            protocolVersion: '2025-11-25', capabilities: { elicitation: {} },
            clientInfo: { name: 'raw', version: '1' } } });
        session.headers['mcp-session-id'] = answer.headers.get('mcp-session-id');
        await session.tell({ jsonrpc: '2.0', method: 'notifications/initialized' });
        return session;
    }

    post(message, options = {}) {
        return this.server.fetch('/mcp', { method: 'POST', headers: this.headers, body: JSON.stringify(message), ...options });
    }

    /** Sends what is not answered. */
    async tell(message) {
        const answer = await this.post(message);
        assert.equal(answer.status, 202);
        assert.equal(await answer.text(), '');
    }

    async ask(id, options) {
        return new Events(await this.post({ jsonrpc: '2.0', id, method: 'tools/call', params: {
            name: 'test_elicitation', arguments: { message: 'Who?' } } }, options));
    }

    reply(id, name) {
        return this.tell({ jsonrpc: '2.0', id, result: { action: 'accept', content: { username: name, email: 'e' } } });
    }
}

/** The messages of an event stream, one after the other; null at its end. */
class Events {
    constructor(answer) {
        assert.equal(answer.headers.get('content-type'), 'text/event-stream');
        this.reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        this.text = '';
    }

    async next() {
        for (;;) {
            const end = this.text.indexOf('\n\n');
            if (end >= 0) {
                const lines = this.text.slice(0, end).split('\n');
                this.text = this.text.slice(end + 2);
                this.id = lines.find((line) => line.startsWith('id: '))?.slice(4) ?? this.id;
                const data = lines.find((line) => line.startsWith('data:'))?.slice(5).trim();
                if (data) {
                    return JSON.parse(data);
                }
                continue;
            }
            const { done, value } = await this.reader.read();
            if (done) {
                return null;
            }
            this.text += value;
        }
    }
}

async function checkRaw() {
    const project = new Project();
    const server = await HttpServer.start(project, '--groups', 'core,conformance', '--drain', '60s');

    await test('raw http: only the session that was asked can answer', async () => {
        const [a, b] = [await RawSession.open(server), await RawSession.open(server)];
        const [asked, other] = [await a.ask(1), await b.ask(1)];
        const { id, method } = await asked.next();
        assert.equal(method, 'elicitation/create');
        assert.equal((await other.next()).id, id, 'each session has ids of its own');
        await b.reply(id, 'bob');
        assert.match((await other.next()).result.content[0].text, /bob/);
        await b.reply(id, 'mallory');
        await a.reply(id, 'ann');
        assert.match((await asked.next()).result.content[0].text, /ann/);
        assert.equal(await asked.next(), null);
    });
    await test('raw http: the end of the session ends what waits', async () => {
        const session = await RawSession.open(server);
        const asked = await session.ask(1);
        const { id } = await asked.next();
        const ended = await server.fetch('/mcp', { method: 'DELETE', headers: session.headers });
        assert.equal(ended.status, 204);
        for (let message; (message = await asked.next());) {
            assert.equal(message.method, 'notifications/cancelled');
            assert.equal(message.params.requestId, id);
        }
        const late = await session.post({ jsonrpc: '2.0', id, result: { action: 'cancel' } });
        assert.equal(late.status, 404);
        await late.text();
    });
    await test('raw http: a client that lost its connection answers, and comes back for the result', async () => {
        const session = await RawSession.open(server);
        const cut = new AbortController();
        const asked = await session.ask(1, { signal: cut.signal });
        const { id } = await asked.next();
        cut.abort();
        await session.reply(id, 'ann');
        const again = new Events(await server.fetch('/mcp', { headers: {
            ...session.headers, accept: 'text/event-stream', 'last-event-id': asked.id } }));
        assert.match((await again.next()).result.content[0].text, /ann/);
    });
    await test('raw http: who takes no events is told so', async () => {
        const session = await RawSession.open(server);
        session.headers.accept = 'application/json';
        const answer = await session.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: {
            name: 'test_elicitation', arguments: { message: 'Who?' } } });
        const { result } = await answer.json();
        assert.equal(result.isError, true);
        assert.match(result.content[0].text, /text\/event-stream/);
    });
    await test('raw http: replicas that share a key serve the rounds of one call', async () => {
        const key = path.join(project.root, 'key');
        fs.writeFileSync(key, crypto.randomBytes(32));
        const projects = [new Project(), new Project()];
        const options = ['--groups', 'core,conformance', '--state-key', key];
        const servers = await Promise.all(projects.map((one) => HttpServer.start(one, ...options)));
        const call = async (where, more) => {
            const params = { name: 'test_input_required_result_multi_round', ...more, _meta: {
                'io.modelcontextprotocol/protocolVersion': '2026-07-28',
                'io.modelcontextprotocol/clientCapabilities': { elicitation: {} } } };
            const answer = await where.fetch('/mcp', { method: 'POST', headers: {
                'content-type': 'application/json', 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call',
                'mcp-name': params.name }, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }) });
            return answer.json();
        };
        const accepted = (content) => ({ action: 'accept', content });
        const { result: one } = await call(servers[0], {});
        const step1 = { requestState: one.requestState, inputResponses: { step1: accepted({ name: 'Ann' }) } };
        const { result: two } = await call(servers[1], step1);
        const { result: three } = await call(servers[0], { requestState: two.requestState,
                                                           inputResponses: { step2: accepted({ color: 'red' }) } });
        assert.equal(three.content[0].text, 'Ann likes red.');
        assert.equal((await call(server, step1)).error.code, -32602, 'a server with another key');
        for (const one of servers) {
            await one.stop();
        }
        projects.forEach((one) => one.remove());
    });
    await test('raw http: the end of the server does not wait for a person', async () => {
        const session = await RawSession.open(server);
        const asked = await session.ask(1);
        const { id } = await asked.next();
        const began = Date.now();
        await server.stop();
        const note = await asked.next();
        assert.equal(note.method, 'notifications/cancelled');
        assert.equal(note.params.requestId, id);
        assert.match((await asked.next()).error.message, /the server is ending/);
        assert.ok(Date.now() - began < 30000, 'it does not use up its drain time');
    });
    project.remove();
}
await checkRaw();
finish();
