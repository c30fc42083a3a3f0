// sdk1.mjs -- the official TypeScript SDK, version 1: what most clients of today are built on.  Legacy era.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { LATEST_PROTOCOL_VERSION } from '@modelcontextprotocol/sdk/types.js';
import { checkKit } from './mcp.mjs';
import { finish } from './lib.mjs';

async function connect(transport) {
    const client = new Client({ name: 'sdk1-test', version: '1.0.0' });
    await client.connect(transport);
    return { client, transport };
}

await checkKit({
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
});
finish();
