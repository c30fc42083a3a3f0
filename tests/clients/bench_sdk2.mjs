// The same server as bench_sdk1.mjs on the second version of the official TypeScript SDK, which speaks both eras: what
// it offers for serving them, over HTTP and on stdio.
// bench_sdk2.mjs [PORT]: over HTTP, else on stdio.
import { serve } from '@hono/node-server';
import { Server, createMcpHandler } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { tools, echo } from './bench_echo.mjs';

function makeServer() {
    const server = new Server({ name: 'bench', version: '1' }, { capabilities: { tools: {} } });
    server.setRequestHandler('tools/list', () => ({ tools }));
    server.setRequestHandler('tools/call', echo);
    return server;
}

const port = process.argv[2];
if (port) {
    const http = serve({ fetch: createMcpHandler(makeServer).fetch, port: Number(port), hostname: '127.0.0.1' });
    http.keepAliveTimeout = 3600_000; // Between its turns the connections rest.
} else {
    serveStdio(makeServer);
}
