// issuer.mjs -- an authorization server for tests, made with an independent library (jose): keys, tokens, metadata,
// and a token endpoint for clients with a secret.  It counts, and can be down, slow or far too talkative.
import http from 'node:http';
import net from 'node:net';
import { once } from 'node:events';
import * as jose from 'jose';

export const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'];

/** A TCP port that was free a moment ago. */
export async function freePort() {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    server.close();
    await once(server, 'close');
    return port;
}

export class Issuer {
    static async start(resource) {
        const issuer = new Issuer();
        issuer.resource = resource;
        issuer.keys = new Map();
        issuer.fetches = 0;
        issuer.grants = [];     // Scopes of the tokens that clients were given.
        issuer.mode = 'up';
        issuer.waiting = [];
        for (const alg of ALGORITHMS) {
            await issuer.addKey(alg, alg);
        }
        issuer.server = http.createServer((request, response) => issuer.serve(request, response));
        issuer.server.listen(0, '127.0.0.1');
        await once(issuer.server, 'listening');
        issuer.url = `http://127.0.0.1:${issuer.server.address().port}`;
        issuer.jwks = `${issuer.url}/jwks.json`;
        return issuer;
    }

    async addKey(kid, alg) {
        const pair = await jose.generateKeyPair(alg, { extractable: true });
        const jwk = { ...await jose.exportJWK(pair.publicKey), kid, use: 'sig' };
        this.keys.set(kid, { alg, pair, jwk });
        return this.keys.get(kid);
    }

    keySet() {
        return { keys: [...this.keys.values()].map(({ jwk }) => jwk) };
    }

    /** A token that is good unless 'claims', 'header' or 'key' say otherwise. */
    async token({ kid = 'ES256', claims = {}, header = {}, key, sub = 'alice', life = 300 } = {}) {
        const { alg, pair } = this.keys.get(kid);
        const now = Math.floor(Date.now() / 1000);
        return new jose.SignJWT({ iss: this.url, aud: this.resource, sub, iat: now, exp: now + life, client_id: 'test',
                                  scope: 'tandem:read tandem:write', ...claims })
            .setProtectedHeader({ alg, kid, ...header }).sign(key ?? pair.privateKey);
    }

    serve(request, response) {
        const json = (value, status = 200) => {
            response.writeHead(status, { 'content-type': 'application/json' });
            response.end(JSON.stringify(value));
        };
        const { pathname } = new URL(request.url, this.url);
        if (pathname === '/jwks.json') {
            this.fetches++;
            if (this.mode === 'down') {
                request.socket.destroy();
            } else if (this.mode === 'slow') {
                this.waiting.push(() => json(this.keySet()));
            } else if (this.mode === 'huge') {
                json({ ...this.keySet(), more: 'x'.repeat(1 << 20) });
            } else {
                json(this.keySet());
            }
        } else if (pathname === '/.well-known/oauth-authorization-server') {
            json({ issuer: this.url, authorization_endpoint: `${this.url}/authorize`, jwks_uri: this.jwks,
                   token_endpoint: `${this.url}/token`, response_types_supported: ['code'],
                   grant_types_supported: ['client_credentials'], code_challenge_methods_supported: ['S256'],
                   token_endpoint_auth_methods_supported: ['client_secret_basic'] });
        } else if (pathname === '/token') {
            this.giveToken(request).then((token) => json(token), (error) => json({ error: String(error) }, 400));
        } else {
            json({}, 404);
        }
    }

    async giveToken(request) {
        let body = '';
        for await (const chunk of request) {
            body += chunk;
        }
        const form = new URLSearchParams(body);
        if (form.get('resource') !== this.resource) {
            throw new Error(`no such resource: ${form.get('resource')}`);
        }
        const scope = form.get('scope') ?? '';
        this.grants.push(scope);
        return { access_token: await this.token({ sub: 'machine', claims: { scope } }), token_type: 'Bearer',
                 expires_in: 300, scope };
    }

    /** Lets all slow answers go. */
    release() {
        this.waiting.splice(0).forEach((go) => go());
    }

    async stop() {
        this.server.closeAllConnections();
        this.server.close();
        await once(this.server, 'close');
    }
}
