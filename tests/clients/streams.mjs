// streams.mjs -- the official TypeScript SDK, version 1, where connections break: it comes back by itself, and must find
// what it missed.  A proxy of ours stands between, so that its connections can be cut.
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { finish, HttpServer, Project, test } from './lib.mjs';

const project = new Project({ example: true });
const sockets = new Set();
let target = 0;
const proxy = net.createServer((from) => {
    const to = net.connect(target, '127.0.0.1');
    for (const [one, other] of [[from, to], [to, from]]) {
        sockets.add(one);
        one.pipe(other);
        one.on('error', () => {});
        one.on('close', () => { sockets.delete(one); other.destroy(); });
    }
}).listen(0, '127.0.0.1');
await once(proxy, 'listening');
const url = `http://127.0.0.1:${proxy.address().port}/mcp`;
const server = await HttpServer.start(project, '--groups', 'core,conformance', '--allow-host', new URL(url).host);
target = new URL(server.info.url).port;

function cut() {
    for (const socket of sockets) {
        socket.destroy();
    }
}

async function connect() {
    const client = new Client({ name: 'streams-test', version: '1.0.0' }, { capabilities: { elicitation: {} } });
    const requests = [];
    await client.connect(new StreamableHTTPClientTransport(new URL(url), {
        fetch: (where, options) => {
            requests.push(`${options.method} ${options.headers.get('last-event-id') ?? ''}`.trim());
            return fetch(where, options).catch(() => fetch(where, options)); // A kept connection was among the cut ones.
        },
        requestInit: { headers: { authorization: `Bearer ${server.info.token}` } },
    }));
    return { client, requests };
}

await test('streams: a call that ends its connection is answered on the next', async () => {
    const { client, requests } = await connect();
    const answer = await client.callTool({ name: 'test_reconnection', arguments: {} });
    assert.match(answer.content[0].text, /the answer waited for the next one/);
    assert.equal(requests.filter((one) => /^GET \S+-1-1$/.test(one)).length, 1, requests.join('\n'));
    await client.close();
});

await test('streams: a call whose connection is cut while it asks is answered on the next', async () => {
    const { client, requests } = await connect();
    let asked = 0;
    client.setRequestHandler(ElicitRequestSchema, async () => {
        asked++;
        cut();
        return { action: 'accept', content: { username: 'ann', email: 'ann@example.com' } };
    });
    const answer = await client.callTool({ name: 'test_elicitation', arguments: { message: 'who?' } });
    assert.match(answer.content[0].text, /ann/);
    assert.equal(asked, 1, 'a question comes once');
    assert.ok(requests.some((one) => /^GET \S+-1-\w+$/.test(one)), requests.join('\n'));
    await client.close();
});

await test('streams: a call that is cancelled is over, and nothing is amiss', async () => {
    const { client } = await connect();
    const amiss = [], stop = new AbortController();
    const running = async () => {
        const { structuredContent } = await client.callTool({ name: 'get_server_info', arguments: {} });
        return structuredContent.requests_in_flight.http - 1;
    };
    client.onerror = (error) => amiss.push(error.message);
    const call = client.callTool({ name: 'slow_compute', arguments: { seconds: 600 } }, undefined, { signal: stop.signal });
    while (await running() === 0);
    stop.abort('enough');
    await assert.rejects(call);
    while (await running() > 0);
    await client.ping();
    assert.deepEqual(amiss, []);
    await client.close();
});

await test('streams: news comes by GET, also after its connection was cut', async () => {
    const { client } = await connect();
    const other = await connect();
    let heard = () => {};
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => heard());
    for (let round = 0; round < 3; round++) {
        const news = new Promise((resolve) => { heard = resolve; });
        if (round > 0) {
            cut();
        }
        await other.client.callTool({ name: 'test_trigger_tool_change', arguments: {} });
        await news;
    }
    await client.close();
    await other.client.close();
});

cut();
proxy.close();
await server.stop();
finish();
