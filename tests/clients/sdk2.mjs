// sdk2.mjs -- the official TypeScript client, version 2: the modern era pinned, the legacy one, and the one that
// it finds by itself.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { checkKit } from './mcp.mjs';
import { finish } from './lib.mjs';

function kit(name, era, version, mode) {
    const connect = async (transport) => {
        const client = new Client({ name: 'sdk2-test', version: '1.0.0' }, { versionNegotiation: { mode } });
        await client.connect(transport);
        return { client, transport };
    };
    return {
        name,
        era,
        version,
        stdio: (command) => connect(new StdioClientTransport(command)),
        http: (url, token) => connect(new StreamableHTTPClientTransport(new URL(url), {
            requestInit: { headers: { authorization: `Bearer ${token}` } },
        })),
        negotiated: ({ client }) => client.getNegotiatedProtocolVersion(),
        callOptions: (options) => [options],
        errorCode: (error) => error.code,
        status: (error) => error.status,
    };
}

await checkKit(kit('sdk2 pinned', 'modern', '2026-07-28', { pin: '2026-07-28' }));
await checkKit(kit('sdk2 auto', 'modern', '2026-07-28', 'auto'));
await checkKit(kit('sdk2 legacy', 'legacy', '2025-11-25', 'legacy'));
finish();
