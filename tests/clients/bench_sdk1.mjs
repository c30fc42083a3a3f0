// The smallest server that the official TypeScript SDK allows in its first version, for "make bench": one tool, echo.
// bench_sdk1.mjs PORT: over HTTP, stateless, JSON answers, a server and a transport for each request, as the SDK has it.
// bench_sdk1.mjs: on stdio.
import { createServer } from 'node:http';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { tools, echo } from './bench_echo.mjs';

function makeServer() {
    const server = new Server({ name: 'bench', version: '1' }, { capabilities: { tools: {} } });
    server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }));
    server.setRequestHandler(CallToolRequestSchema, echo);
    return server;
}

const port = process.argv[2];
if (port) {
    const http = createServer(async (request, response) => {
        const server = makeServer();
        const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
        response.on('close', () => server.close());
        await server.connect(transport);
        await transport.handleRequest(request, response);
    });
    http.keepAliveTimeout = 3600_000; // Between its turns the connections rest.
    http.listen(Number(port), '127.0.0.1');
} else {
    await makeServer().connect(new StdioServerTransport());
}
