// tasks1.mjs -- tasks as the official TypeScript SDK, version 1, follows them (2025-11-25), over stdio and HTTP; and a
// real one of 2026-07-28, whose official client knows no tasks yet, by hand.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CallToolResultSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { finish, HttpServer, Project, test } from './lib.mjs';

const GROUPS = ['--groups', 'core,conformance'];
const TASK = { task: { ttl: 60000 } };

async function connect(transport) {
    const client = new Client({ name: 'tasks1-test', version: '1.0.0' }, { capabilities: { elicitation: {} } });
    client.asked = [];
    client.setRequestHandler(ElicitRequestSchema, async (request) => {
        client.asked.push(request.params);
        return { action: 'accept', content: request.params.message.includes('approval') ? { approve: true, name: 'Ann' }
                                                                                         : { confirm: true } };
    });
    await client.connect(transport);
    await client.listTools(); // It remembers which tools can be tasks.
    return client;
}

/** The messages of one call, by their types. */
async function follow(client, name, args) {
    const seen = [];
    const stream = client.experimental.tasks.callToolStream({ name, arguments: args }, CallToolResultSchema, TASK);
    for await (const message of stream) {
        seen.push(message);
    }
    return seen;
}

/** Adds a pack of one phase, which a person must approve. */
function addGate(project) {
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
    write('phases/0/gate-definition.yaml', 'human_approval_required: true\ncheckpoint: {strict: true}\n' +
          'evidence_schema:\n  notes: {type: string, required: true}\n');
}

async function begin(client, name, args) {
    const stream = client.experimental.tasks.callToolStream({ name, arguments: args }, CallToolResultSchema, TASK);
    const { value } = await stream.next();
    assert.equal(value.type, 'taskCreated');
    return value.task;
}

async function checkTasks(where, client) {
    const tasks = client.experimental.tasks;

    await test(`tasks1 ${where}: a call is followed to its result`, async () => {
        assert.ok(client.getServerCapabilities().tasks.requests.tools.call);
        const seen = await follow(client, 'slow_compute', { seconds: 1, label: 'x' });
        assert.equal(seen[0].type, 'taskCreated');
        assert.equal(seen[0].task.ttl, 60000);
        const last = seen.at(-1);
        assert.equal(last.type, 'result');
        assert.equal(last.result.content[0].text, 'x: computed for 1 s');
        assert.equal(last.result._meta['io.modelcontextprotocol/related-task'].taskId, seen[0].task.taskId);
        const { taskId } = seen[0].task;
        assert.equal((await tasks.getTask(taskId)).status, 'completed');
        const again = await tasks.getTaskResult(taskId, CallToolResultSchema);
        assert.deepEqual(again.content, last.result.content);
    });
    await test(`tasks1 ${where}: a real tool as a task, its result checked with its schema`, async () => {
        const seen = await follow(client, 'pos_workflow', { action: 'list_workflows' });
        assert.equal(seen.at(-1).type, 'result', JSON.stringify(seen.at(-1)));
        assert.equal(seen.at(-1).result.structuredContent.status, 'success');
    });
    await test(`tasks1 ${where}: what is awaited ends when it is cancelled`, async () => {
        const task = await begin(client, 'slow_compute', { seconds: 600, label: 'x' });
        const result = tasks.getTaskResult(task.taskId, CallToolResultSchema);
        const refused = assert.rejects(result, /cancelled/);
        assert.equal((await tasks.getTask(task.taskId)).status, 'working');
        assert.ok((await tasks.listTasks()).tasks.some(({ taskId }) => taskId === task.taskId));
        await tasks.cancelTask(task.taskId);
        await refused;
        assert.equal((await tasks.getTask(task.taskId)).status, 'cancelled');
        await assert.rejects(tasks.cancelTask(task.taskId), { code: -32602 });
    });
    await test(`tasks1 ${where}: a task that fails`, async () => {
        const task = await begin(client, 'failing_job', {});
        const result = await tasks.getTaskResult(task.taskId, CallToolResultSchema);
        assert.equal(result.isError, true);
        assert.equal((await tasks.getTask(task.taskId)).status, 'failed');
        await assert.rejects(client.callTool({ name: 'current_date', arguments: {} }, CallToolResultSchema, TASK),
                             { code: -32601 });
    });
    await test(`tasks1 ${where}: a task asks while its result is awaited`, async () => {
        const seen = await follow(client, 'confirm_delete', { filename: 'a.txt' });
        assert.equal(seen.at(-1).type, 'result', JSON.stringify(seen.at(-1)));
        assert.equal(seen.at(-1).result.content[0].text, 'a.txt would be deleted.');
        assert.equal(client.asked.length, 1);
        assert.equal(client.asked[0]._meta['io.modelcontextprotocol/related-task'].taskId, seen[0].task.taskId);
    });
    await test(`tasks1 ${where}: a person approves a gate while the call is a task`, async () => {
        const { structuredContent: { session_id } } = await client.callTool({ name: 'pos_workflow', arguments: {
            action: 'start', workflow_type: 'approved', target_file: `${where}.c` } });
        const seen = await follow(client, 'pos_workflow', { action: 'complete_phase', session_id, phase: 0,
                                                            evidence: { notes: 'released' } });
        assert.ok(seen.some(({ type, task }) => type === 'taskStatus' && task.status === 'input_required'));
        assert.equal(seen.at(-1).type, 'result', JSON.stringify(seen.at(-1)));
        assert.equal(seen.at(-1).result.structuredContent.workflow_complete, true);
        assert.match(client.asked.at(-1).message, /needs your approval/);
    });
}

let lastId = 0;

/** The result of a modern request of a client that declares tasks. */
async function modern(server, method, name, params) {
    const META = 'io.modelcontextprotocol/';
    const answer = await server.fetch('/mcp', {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream',
                   'mcp-protocol-version': '2026-07-28', 'mcp-method': method, 'mcp-name': name },
        body: JSON.stringify({ jsonrpc: '2.0', id: ++lastId, method, params: { ...params, _meta: {
            [`${META}protocolVersion`]: '2026-07-28',
            [`${META}clientCapabilities`]: { elicitation: {}, extensions: { [`${META}tasks`]: {} } } } } }),
    });
    const { result, error } = await answer.json();
    assert.ok(result, JSON.stringify(error));
    return result;
}

async function checkModern(server) {
    const workflow = (args) => modern(server, 'tools/call', 'pos_workflow', { name: 'pos_workflow', arguments: args });

    await test('tasks1 modern: what is short is answered, and a person\'s approval is a task', async () => {
        const started = await workflow({ action: 'start', workflow_type: 'approved', target_file: 'modern.c' });
        assert.equal(started.resultType, 'complete');
        const { session_id } = started.structuredContent;
        const created = await workflow({ action: 'complete_phase', session_id, phase: 0, evidence: { notes: 'n' } });
        assert.equal(created.resultType, 'task');
        const { taskId } = created;
        let task;
        do {
            task = await modern(server, 'tasks/get', taskId, { taskId });
        } while (task.status === 'working');
        assert.equal(task.status, 'input_required');
        assert.equal(task.inputRequests.approval.method, 'elicitation/create');
        await modern(server, 'tasks/update', taskId, { taskId, inputResponses: {
            approval: { action: 'accept', content: { approve: true, name: 'Ann' } } } });
        do {
            task = await modern(server, 'tasks/get', taskId, { taskId });
        } while (task.status === 'working');
        assert.equal(task.status, 'completed');
        assert.equal(task.result.structuredContent.workflow_complete, true);
        const info = await modern(server, 'tools/call', 'get_server_info', { name: 'get_server_info', arguments: {} });
        assert.ok(info.structuredContent.mcp_tasks.completed > 0);
    });
}

const project = new Project();
addGate(project);
{
    const client = await connect(new StdioClientTransport(project.command(...GROUPS)));
    const { pid } = project.discover();
    await checkTasks('stdio', client);
    await client.close();
    await test('tasks1 stdio: the server ends well', async () => {
        for (let i = 0; i < 200 && project.exitStatus() === null; i++) {
            await new Promise((resolve) => setTimeout(resolve, 50));
        }
        project.checkEnded(pid);
    });
}
{
    const server = await HttpServer.start(project, ...GROUPS);
    const client = await connect(new StreamableHTTPClientTransport(new URL(server.info.url), {
        requestInit: { headers: { authorization: `Bearer ${server.info.token}` } },
    }));
    await checkTasks('http', client);
    await client.close();
    await checkModern(server);
    await server.stop();
}
project.remove();
finish();
