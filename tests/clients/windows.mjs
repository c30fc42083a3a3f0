// windows.mjs -- the official clients of both eras on a second window: they speak to a bridge, are asked through it,
// and go on when the server behind it is killed.
import assert from 'node:assert/strict';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as Stdio1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Client as Client2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as Stdio2 } from '@modelcontextprotocol/client/stdio';
import { finish, HttpServer, Project, test, toolResult, TOOL_TIMEOUT_MS } from './lib.mjs';

const GROUPS = ['--groups', 'core,conformance'];
const capabilities = { elicitation: { form: {} } };

const kits = [
    { name: 'sdk1', options: (options) => [undefined, options],
      open: async (command, elicit) => {
          const client = new Client1({ name: 'windows1', version: '1.0.0' }, { capabilities });
          client.setRequestHandler(ElicitRequestSchema, elicit);
          await client.connect(new Stdio1(command));
          return client;
      } },
    ...[['sdk2 legacy', 'legacy'], ['sdk2 modern', { pin: '2026-07-28' }]].map(([name, mode]) => ({
        name, options: (options) => [options],
        open: async (command, elicit) => {
            const client = new Client2({ name: 'windows2', version: '1.0.0' },
                                       { capabilities, versionNegotiation: { mode } });
            client.setRequestHandler('elicitation/create', elicit);
            await client.connect(new Stdio2(command));
            return client;
        } })),
];

for (const kit of kits) {
    const project = new Project();
    const first = await HttpServer.start(project, ...GROUPS);
    let form = async () => ({ action: 'cancel' });
    const client = await kit.open(project.command(...GROUPS), (request) => form(request.params));
    const call = (name, args = {}) =>
        client.callTool({ name, arguments: args }, ...kit.options({ timeout: TOOL_TIMEOUT_MS }));
    const servedBy = async () => toolResult(await call('get_server_info')).server.pid;
    const fillIn = async (name) => {
        form = async () => ({ action: 'accept', content: { username: name, email: 'a@example.org' } });
        const { content } = await call('test_elicitation', { message: 'Who are you?' });
        assert.match(content[0].text, new RegExp(`action=accept.*${name}`));
    };

    await test(`${kit.name}: a second window is served by the first`, async () => {
        assert.equal(await servedBy(), first.info.pid);
        assert.ok((await client.listTools()).tools.length > 3);
    });
    await test(`${kit.name}: it is asked through it`, async () => fillIn('ann'));
    await test(`${kit.name}: the server is killed while it asks, and the window goes on`, async () => {
        const { session_id } = toolResult(await call('pos_workflow', {
            action: 'start', workflow_type: 'bug_fix_v1', target_file: 'src/a.c' }));
        let rounds = 0;
        form = async () => {
            if (rounds++ === 0) {
                process.kill(first.info.pid, 'SIGKILL');
                await first.ended;
            }
            return { action: 'accept', content: { username: 'late', email: 'a@example.org' } };
        };
        // A modern client brings its answer to the next server, which cannot open what the last one has sealed.
        await call('test_elicitation', { message: 'Who are you?' }).catch((error) => {
            assert.match(error.message, /requestState/);
        });
        const pid = await servedBy();
        assert.notEqual(pid, first.info.pid);
        assert.equal(project.discover().pid, pid);
        await fillIn('bea');
        const { workflow_state } = toolResult(await call('pos_workflow', { action: 'get_state', session_id }));
        assert.equal(workflow_state.session_id, session_id);
    });
    await test(`${kit.name}: it ends with its client`, async () => {
        const { pid } = project.discover();
        await client.close();
        project.checkEnded(pid);
    });
    project.remove();
}
finish();
