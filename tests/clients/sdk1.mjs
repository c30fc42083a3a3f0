// sdk1.mjs -- the official TypeScript SDK, version 1: what most clients of today are built on.  Legacy era.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import { LATEST_PROTOCOL_VERSION } from '@modelcontextprotocol/sdk/types.js';
import { checkKit } from './mcp.mjs';
import { finish } from './lib.mjs';

async function connect(transport) {
    const client = new Client({ name: 'sdk1-test', version: '1.0.0' });
    await client.connect(transport);
    return { client, transport };
}

const PlainWebSocket = globalThis.WebSocket;

/** The SDK's transport takes the global WebSocket and gives it no headers: so this one adds the token. */
function connectWebSocket(url, token) {
    globalThis.WebSocket = class extends PlainWebSocket {
        constructor(where, protocols) {
            super(where, { protocols, headers: { authorization: `Bearer ${token}` } });
        }
    };
    return connect(new WebSocketClientTransport(new URL(url.replace(/^http/, 'ws'))));
}

const kit = {
    name: 'sdk1',
    era: 'legacy',
    version: LATEST_PROTOCOL_VERSION,
    stdio: (command) => connect(new StdioClientTransport(command)),
    http: (url, token) => connect(new StreamableHTTPClientTransport(new URL(url), {
        requestInit: { headers: { authorization: `Bearer ${token}` } },
    })),
    // This client keeps what it agreed on to itself; over HTTP the transport has it.
    negotiated: ({ transport }) => transport.protocolVersion ?? LATEST_PROTOCOL_VERSION,
    callOptions: (options) => [undefined, options],
    errorCode: (error) => error.code,
    status: (error) => error.code,
};
await checkKit(kit);
await checkKit({ ...kit, name: 'sdk1 ws', network: 'ws', http: connectWebSocket });
finish();
