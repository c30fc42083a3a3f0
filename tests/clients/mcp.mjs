// mcp.mjs -- what every official client must be able to do with tandem, whatever its version and era.
//
// A 'kit' says how one SDK connects:
//   name               for the names of the tests
//   era, version       what is to be negotiated
//   stdio(command)     -> {client, transport}, connected
//   http(url, token)   -> the same
//   network            "ws" if that is over WebSocket, where a connection is the session; else "http"
//   errorCode(error)   JSON-RPC code of a call that was refused
//   status(error)      HTTP status of a request that was refused
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { bugFixEvidence, Project, someArguments, test, toolResult, TOOL_TIMEOUT_MS } from './lib.mjs';

async function call(peer, name, args = {}) {
    return peer.client.callTool({ name, arguments: args }, ...peer.callOptions);
}

async function workflow(peer, args) {
    return toolResult(await call(peer, 'pos_workflow', args));
}

function tools(list) {
    return list.tools.map(({ name, title, description, inputSchema, outputSchema, annotations }) =>
        ({ name, title, description, inputSchema, outputSchema, annotations }));
}

async function refusal(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    return assert.fail('it was not refused');
}

/** Runs the pack from start to end, one peer after the other. */
async function runPack(peers, target) {
    let turn = 0;
    const next = () => peers[turn++ % peers.length];
    const started = await workflow(peers[0], { action: 'start', workflow_type: 'bug_fix_v1', target_file: target });
    assert.equal(started.status, 'success');
    assert.equal(started.action, 'start');
    assert.equal(started.resumed, false);
    assert.equal(started.current_phase, 0);
    assert.match(started.session_id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    const session_id = started.session_id;

    for (const peer of peers) {
        const again = await workflow(peer, { action: 'start', workflow_type: 'bug_fix_v1', target_file: target });
        assert.equal(again.session_id, session_id, 'one session for one target');
        assert.equal(again.resumed, true);
    }
    for (let phase = 0; phase < 3; phase++) {
        const shown = await workflow(next(), { action: 'get_phase', session_id });
        assert.equal(shown.current_phase, phase);
        assert.equal(typeof shown.phase_content, 'string');
        assert.equal(shown.tasks.length, 2);
        for (const { task_number } of shown.tasks) {
            const task = await workflow(next(), { action: 'get_task', session_id, phase, task_number });
            assert.equal(task.task_number, task_number);
            assert.ok(task.content.length > 20);
        }
        const claim = await call(next(), 'pos_workflow', { action: 'complete_phase', session_id, phase,
                                                           evidence: { done: true } });
        assert.equal(claim.isError, true, 'a claim does not pass');
        const refused = toolResult(claim);
        assert.equal(refused.status, 'error');
        assert.equal(refused.error_type, 'ValidationError');
        const done = await workflow(next(), { action: 'complete_phase', session_id, phase,
                                              evidence: bugFixEvidence[phase] });
        assert.equal(done.status, 'success');
        assert.equal(done.checkpoint_passed, true);
        assert.equal(done.phase_completed, phase);
        assert.equal(done.workflow_complete ?? false, phase === 2);
        const twice = toolResult(await call(next(), 'pos_workflow', { action: 'complete_phase', session_id, phase,
                                                                      evidence: bugFixEvidence[phase] }));
        assert.equal(twice.status, 'error', 'a phase is completed once');
        assert.equal(twice.error_type, 'StateError');
    }
    for (const peer of peers) {
        const { workflow_state: state } = await workflow(peer, { action: 'get_state', session_id });
        assert.deepEqual(state.completed_phases, [0, 1, 2]);
        assert.equal(state.is_complete, true);
    }
    const { deleted } = await workflow(next(), { action: 'delete_session', session_id, reason: 'tested' });
    assert.equal(deleted, true);
    const gone = toolResult(await call(next(), 'pos_workflow', { action: 'get_phase', session_id }));
    assert.equal(gone.error_type, 'NotFoundError');
}

/** A pack whose phases come from a task list of the project. */
async function runDynamicPack([a, b], target) {
    const { session_id, ...started } = await workflow(a, {
        action: 'start', workflow_type: 'spec_execution_v1', target_file: target,
        options: { spec_path: 'specs/refactor' } });
    assert.equal(started.resumed, false);
    const taskCounts = [3, 2, 2, 2, 5];
    for (let phase = 0; phase < taskCounts.length; phase++) {
        const shown = await workflow(a, { action: 'get_phase', session_id });
        assert.deepEqual(await workflow(b, { action: 'get_phase', session_id }), shown, 'the same for both');
        assert.equal(shown.current_phase, phase);
        assert.equal(shown.source, phase === 0 ? 'pack' : 'dynamic');
        assert.equal(shown.tasks.length, taskCounts[phase]);
        const tasks = await Promise.all(shown.tasks.map(({ task_number }, i) =>
            workflow(i % 2 ? a : b, { action: 'get_task', session_id, phase, task_number })));
        tasks.forEach((task, i) => {
            assert.equal(task.task_number, shown.tasks[i].task_number);
            assert.ok(task.content.includes(task.task_name), 'the template is filled in');
        });
        const done = await workflow(phase % 2 ? a : b, { action: 'complete_phase', session_id, phase, evidence: {} });
        assert.equal(done.checkpoint_passed, true, 'these gates are lenient');
        assert.equal(done.workflow_complete, phase === taskCounts.length - 1);
    }
}

/** The actions that a plain run does not need, each on the other transport than the one before. */
async function runActions([a, b], target) {
    const refused = async (peer, args, type) => {
        const answer = await call(peer, 'pos_workflow', args);
        assert.equal(answer.isError, true);
        const told = toolResult(answer);
        assert.equal(told.error_type, type, told.error);
        assert.ok(told.error.length > 10 && told.remediation.length > 10, 'it says what, and what next');
        return told;
    };
    const { workflows, count } = await workflow(b, { action: 'list_workflows' });
    assert.equal(count, 4);
    assert.equal(workflows.length, 4);
    assert.equal((await workflow(a, { action: 'list_workflows', category: 'maintenance' })).count, 1);
    const { session_id } = await workflow(a, { action: 'start', workflow_type: 'bug_fix_v1', target_file: target });
    await refused(b, { action: 'complete_phase', session_id, phase: 1, evidence: {} }, 'StateError');
    await refused(a, { action: 'get_phase', session_id, phase: 2 }, 'StateError');
    await refused(b, { action: 'get_task', session_id, phase: 0, task_number: 9 }, 'NotFoundError');
    await refused(a, { action: 'complete_phase', session_id, phase: 0, evidence: {} }, 'ValidationError');
    const errors = await workflow(b, { action: 'get_errors', session_id });
    assert.equal(errors.error_count, 1);
    assert.equal(errors.last_error.error_type, 'ValidationError');
    assert.equal((await workflow(a, { action: 'retry_phase', session_id, phase: 0 })).retrying, true);
    assert.equal((await workflow(b, { action: 'pause', session_id, checkpoint_note: 'lunch' })).paused, true);
    await refused(a, { action: 'complete_phase', session_id, phase: 0, evidence: bugFixEvidence[0] }, 'StateError');
    await refused(b, { action: 'pause', session_id }, 'StateError');
    const paused = await workflow(a, { action: 'list_sessions', status: 'paused' });
    assert.deepEqual(paused.sessions.map((session) => session.session_id), [session_id]);
    assert.equal((await workflow(b, { action: 'resume', session_id })).resumed, true);
    await workflow(a, { action: 'complete_phase', session_id, phase: 0, evidence: bugFixEvidence[0] });
    await workflow(b, { action: 'complete_phase', session_id, phase: 1, evidence: bugFixEvidence[1] });
    const back = await workflow(a, { action: 'rollback', session_id, to_phase: 0 });
    assert.equal(back.from_phase, 2);
    const session = await workflow(b, { action: 'get_session', session_id });
    assert.equal(session.current_phase, 0);
    assert.equal(session.target_file, target);
    await refused(b, { action: 'rollback', session_id, to_phase: 2 }, 'StateError');
    const unknown = await refused(a, { action: 'dance' }, 'ValueError');
    assert.ok(unknown.valid_actions.includes('start'));
    await workflow(b, { action: 'delete_session', session_id });
    await refused(a, { action: 'delete_session', session_id }, 'NotFoundError');
}

async function checkPeer(kit, peer, where) {
    const label = `${kit.name} ${where}`;
    await test(`${label}: negotiates ${kit.version}`, async () => {
        assert.equal(kit.negotiated(peer), kit.version);
        const { name, version } = peer.client.getServerVersion();
        assert.equal(name, 'tandem');
        assert.match(version, /^\d+\.\d+\.\d+/);
        assert.ok(peer.client.getServerCapabilities().tools);
    });
    await test(`${label}: lists tools with schemas`, async () => {
        const names = (await peer.client.listTools()).tools.map((tool) => tool.name);
        for (const name of ['pos_workflow', 'current_date', 'get_server_info']) {
            assert.ok(names.includes(name), name);
        }
    });
    await test(`${label}: calls each tool that is listed`, async () => {
        for (const { name } of (await peer.client.listTools()).tools) {
            const answer = await call(peer, name, someArguments[name]);
            assert.ok(!answer.isError, `${name}: ${answer.content[0]?.text}`);
        }
    });
    await test(`${label}: tells the date`, async () => {
        const date = toolResult(await call(peer, 'current_date'));
        assert.match(date.iso_date, /^\d{4}-\d\d-\d\d$/);
        assert.ok(Math.abs(date.unix_timestamp - Date.now() / 1000) < 60);
    });
    await test(`${label}: tells who it is`, async () => {
        const info = toolResult(await call(peer, 'get_server_info'));
        assert.equal(info.server.transport_mode, 'dual');
        assert.equal(info.server.pid, peer.info.pid);
        assert.equal(info.server.instance, peer.info.instance);
        assert.equal(info.capabilities.dual_transport, true);
    });
    await test(`${label}: a tool's error is a result with isError`, async () => {
        const answer = await call(peer, 'pos_workflow', { action: 'start', workflow_type: 'no_such_pack',
                                                          target_file: 'a.c' });
        assert.equal(answer.isError, true);
        assert.equal(answer.structuredContent, undefined);
        const told = toolResult(answer);
        assert.equal(told.error_type, 'NotFoundError');
        assert.equal(told.action, 'start');
    });
    await test(`${label}: bad arguments are a result with isError`, async () => {
        const answer = await call(peer, 'pos_workflow', { action: 17 });
        assert.equal(answer.isError, true);
    });
    await test(`${label}: an unknown tool is refused with -32602`, async () => {
        assert.equal(kit.errorCode(await refusal(call(peer, 'no_such_tool'))), -32602);
    });
    await test(`${label}: 30 calls at once each get their own answer`, async () => {
        const targets = Array.from({ length: 30 }, (_, i) => `missing-${i}`);
        const answers = await Promise.all(targets.map((target) =>
            call(peer, 'pos_workflow', { action: 'start', workflow_type: target, target_file: 'x' })));
        answers.forEach((answer, i) => assert.ok(answer.content[0].text.includes(targets[i]), targets[i]));
    });
    await test(`${label}: whatever is listed can be read, got and completed`, async () => {
        const { client } = peer;
        const pages = async (list, member) => {
            const all = [];
            let cursor;
            do {
                const page = await list.call(client, cursor ? { cursor } : undefined);
                all.push(...page[member]);
                cursor = page.nextCursor;
            } while (cursor);
            return all;
        };
        const resources = await pages(client.listResources, 'resources');
        assert.ok(resources.length >= 4 && resources.some(({ uri }) => uri.startsWith('skill://')));
        for (const { uri, mimeType } of resources) {
            const { contents } = await client.readResource({ uri });
            assert.equal(contents.length, 1, uri);
            assert.equal(contents[0].mimeType, mimeType, uri);
        }
        const templates = await pages(client.listResourceTemplates, 'resourceTemplates');
        assert.ok(templates.length >= 4);
        for (const { uriTemplate } of templates) {
            const name = /\{(.*)\}/.exec(uriTemplate)[1];
            const { completion } = await client.complete({ ref: { type: 'ref/resource', uri: uriTemplate },
                                                           argument: { name, value: '' } });
            for (const value of completion.values) {
                await client.readResource({ uri: uriTemplate.replace(`{${name}}`, encodeURIComponent(value)) });
            }
        }
        const prompts = await pages(client.listPrompts, 'prompts');
        assert.equal(prompts.length, 4);
        for (const { name } of prompts) {
            const { messages } = await client.getPrompt({ name, arguments: { target_file: 'a.c' } });
            assert.ok(messages[0].content.text.includes(name.slice('start-'.length)));
        }
    });
    if (kit.era === 'legacy') {
        await test(`${label}: answers ping with nothing`, async () => {
            assert.deepEqual(await peer.client.ping(), {});
        });
    }
}

/** All that is asked of one kit. */
export async function checkKit(kit) {
    const project = new Project();
    const peers = {};
    const network = kit.network ?? 'http';
    const connect = async (where, connecting) => {
        const { client, transport } = await connecting;
        // A modern client is connected before the server has said a word: an answer tells that it serves.
        await client.listTools();
        peers[where] = { client, transport, info: project.discover(),
                         callOptions: kit.callOptions({ timeout: TOOL_TIMEOUT_MS }) };
        client.onerror = (error) => { peers[where].problem ??= error; };
        return peers[where];
    };
    let pid = 0;
    try {
        await test(`${kit.name}: connects over stdio, then over ${network}`, async () => {
            await connect('stdio', kit.stdio(project.command()));
            const { url, token, pid: serverPid } = project.discover();
            pid = serverPid;
            await connect('http', kit.http(url, token));
        });
        if (!peers.stdio || !peers.http) {
            console.log(project.log());
            return;
        }
        await checkPeer(kit, peers.stdio, 'stdio');
        await checkPeer(kit, peers.http, network);
        await test(`${kit.name}: the tools are the same on both transports`, async () => {
            const [a, b] = [await peers.stdio.client.listTools(), await peers.http.client.listTools()];
            assert.deepEqual(tools(a), tools(b));
        });
        await test(`${kit.name}: a pack from start to end, alternating`, () =>
            runPack([peers.stdio, peers.http], 'src/calendar.c'));
        await test(`${kit.name}: a pack from start to end over stdio`, () =>
            runPack([peers.stdio], 'src/over_stdio.c'));
        await test(`${kit.name}: a pack from start to end over ${network}`, () =>
            runPack([peers.http], 'src/over_http.c'));
        await test(`${kit.name}: a dynamic pack from start to end, alternating`, () =>
            runDynamicPack([peers.stdio, peers.http], 'src/session.py'));
        await test(`${kit.name}: errors, retry, pause, resume, rollback and the lists, alternating`, () =>
            runActions([peers.stdio, peers.http], 'src/actions.c'));
        await test(`${kit.name}: eight clients start the same at once and share one session`, async () => {
            const { url, token } = peers.stdio.info;
            const crowd = await Promise.all(Array.from({ length: 8 }, () => kit.http(url, token)));
            const all = [peers.stdio, ...crowd.map((one) => ({ ...one, callOptions: peers.http.callOptions }))];
            const started = await Promise.all(all.map((peer) =>
                workflow(peer, { action: 'start', workflow_type: 'spec_creation_v1', target_file: 'shared.md' })));
            assert.equal(new Set(started.map((one) => one.session_id)).size, 1);
            assert.equal(started.filter((one) => !one.resumed).length, 1);
            await Promise.all(crowd.map((one) => one.client.close()));
        });
        if (kit.era === 'legacy' && network === 'http') {
            await checkSessions(kit, project, peers.stdio.info);
        }
        await test(`${kit.name}: no transport reported a fault`, async () => {
            for (const [where, peer] of Object.entries(peers)) {
                assert.equal(peer.problem, undefined, where);
            }
        });
        await test(`${kit.name}: the end of stdin ends the server, and nothing stays`, async () => {
            await peers.http.client.close();
            await peers.stdio.client.close();
            project.checkEnded(pid);
        });
    } finally {
        for (const peer of Object.values(peers)) {
            await peer.client.close().catch(() => {});
        }
        project.remove();
    }
}

async function checkSessions(kit, project, { url, token }) {
    const headers = { authorization: `Bearer ${token}` };
    await test(`${kit.name}: a session ends by DELETE, then its id gives 404, and a new client is served`, async () => {
        const { client, transport } = await kit.http(url, token);
        const id = transport.sessionId;
        assert.match(id, /^[\x21-\x7e]{16,}$/);
        await transport.terminateSession();
        const stale = await fetch(url, {
            method: 'POST',
            headers: { ...headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream',
                       'mcp-session-id': id, 'mcp-protocol-version': kit.version },
            body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
        });
        assert.equal(stale.status, 404);
        await stale.text();
        const again = await fetch(url, { method: 'DELETE', headers: { ...headers, 'mcp-session-id': id } });
        assert.equal(again.status, 404);
        await again.text();
        await client.close();
        const fresh = await kit.http(url, token);
        assert.notEqual(fresh.transport.sessionId, id);
        assert.ok((await fresh.client.listTools()).tools.length > 0);
        await fresh.transport.terminateSession();
        await fresh.client.close();
    });
    await test(`${kit.name}: a client whose session went away learns it by 404 and connects anew`, async () => {
        const peer = await kit.http(url, token);
        const gone = await fetch(url, { method: 'DELETE',
                                        headers: { ...headers, 'mcp-session-id': peer.transport.sessionId } });
        assert.equal(gone.status, 204);
        const error = await refusal(peer.client.listTools());
        assert.equal(kit.status(error), 404, String(error));
        await peer.client.close();
        const fresh = await kit.http(url, token);
        assert.ok((await fresh.client.listTools()).tools.length > 0);
        await fresh.client.close();
    });
    await test(`${kit.name}: without the token there is only 401`, async () => {
        const error = await refusal(kit.http(url, 'A'.repeat(43)));
        assert.ok(/401|[Uu]nauthorized/.test(`${kit.status(error)} ${error}`), String(error));
        assert.ok(fs.existsSync(project.discoveryFile()));
    });
}
