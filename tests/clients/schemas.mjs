// schemas.mjs LOG: checks every message that the server sent, as tests/traffic.c wrote it down, with the official JSON
// schema of the revision it was sent under, as the type that its method names; a second time with schemas that are closed,
// so that nothing newer than the revision is in it.  Prints how many there were, by revision and type.
import Ajv from 'ajv';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { finish, test } from './lib.mjs';
import { extensions } from './extensions.mjs';
import assert from 'node:assert/strict';

const here = path.dirname(fileURLToPath(import.meta.url));
export const REVISIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'];
const MODERN = '2026-07-28', NEWEST_LEGACY = '2025-11-25';
const MODERN_CODES = [-32020, -32021, -32022], LEGACY_CODES = [-32002, -32042];
const META = 'io.modelcontextprotocol/';

/** Members that a schema allows although it does not name them: what they hold is somebody else's. */
const OPEN = new Set(['_meta', 'inputSchema', 'outputSchema', 'requestedSchema', 'arguments', 'data', 'experimental',
                      'extensions', 'metadata', 'structuredContent', 'content', 'input']);

/** Closes each object of a schema that names its members; 'name' is the member it stands under. */
function close(schema, name) {
    if (Array.isArray(schema)) {
        return schema.map((each) => close(each, name));
    }
    if (!schema || typeof schema !== 'object') {
        return schema;
    }
    const closed = {};
    for (const [key, value] of Object.entries(schema)) {
        closed[key] = key === 'allOf' ? value : key === 'properties' || key === 'definitions' || key === '$defs'
            ? Object.fromEntries(Object.entries(value).map(([member, each]) => [member, close(each, member)]))
            : close(value, name);
    }
    const open = OPEN.has(name) || /^(Result|EmptyResult|Error|.*MetaObject|JSONRPC.*|.*Error|JSONObject)$/.test(name ?? '') ||
          schema.allOf || name === 'params' || name === 'capabilities' && !schema.properties?.tools;
    if (schema.properties?.method?.const) {
        closed.properties = { jsonrpc: true, id: true, ...closed.properties }; // Older schemas leave the envelope out.
    }
    if (name === 'SubscriptionFilter') {
        closed.properties = { ...closed.properties, taskIds: { type: 'array', items: { type: 'string' } } }; // Of an extension.
    }
    if (schema.properties && Object.keys(schema.properties).length && !open) {
        closed.additionalProperties = false;
    }
    return closed;
}

/** The validators of one revision. */
class Revision {
    constructor(revision) {
        const schema = JSON.parse(fs.readFileSync(path.join(here, `../fixtures/mcp-schema/${revision}.json`), 'utf8'));
        this.revision = revision;
        this.key = '$defs' in schema ? '$defs' : 'definitions';
        this.defs = schema[this.key];
        const parts = new Set([...JSON.stringify(this.defs).matchAll(/"allOf":(\[[^\]]*\])/g)]
            .flatMap(([, refs]) => [...refs.matchAll(/\/([A-Za-z]+)"/g)].map(([, name]) => name)));
        this.ajv = [schema, { ...schema, [this.key]: Object.fromEntries(Object.entries(this.defs)
            .map(([name, each]) => [name, parts.has(name) ? each : close(each, name)])) }].map((each) => {
            const ajv = new (schema.$schema.includes('2020-12') ? Ajv2020 : Ajv)({ strict: false, allErrors: true });
            addFormats(ajv);
            ajv.addFormat('byte', true);
            ajv.addSchema({ ...each, $id: 'mcp' });
            return ajv;
        });
        this.ready = [new Map(), new Map()];
        this.methods = new Map();
        this.results = new Map();
        this.errors = new Map();
        for (const [name, each] of Object.entries(this.defs)) {
            const method = each.properties?.method?.const;
            if (method) {
                this.methods.set(method, name);
                const result = `${name.replace(/Request$/, '')}Result`;
                if (name.endsWith('Request') && result in this.defs) {
                    this.results.set(method, result);
                }
            }
            const code = each.properties?.code?.const ??
                  each.properties?.error?.allOf?.map((part) => part.properties?.code?.const).find(Number.isInteger);
            if (Number.isInteger(code) && each.properties?.error) {
                this.errors.set(code, name);
            }
        }
        this.extensions = revision === MODERN ? extensions(this.key) : { results: {}, notifications: {} };
    }

    /** What is wrong with 'value' as a 'type', as texts. */
    check(type, value) {
        return [0, 1].flatMap((i) => {
            if (!this.ready[i].has(type)) {
                this.ready[i].set(type, this.ajv[i].compile(typeof type === 'string'
                    ? { $ref: `mcp#/${this.key}/${type}` } : type));
            }
            const validate = this.ready[i].get(type);
            return validate(value) ? [] : validate.errors.slice(0, 4).map((error) =>
                `${typeof type === 'string' ? type : type.title}${i ? ' (closed)' : ''}${error.instancePath} ` +
                `${error.message} ${JSON.stringify(error.params)}`);
        });
    }

    has(...types) {
        return types.find((type) => type in this.defs);
    }

    /** What the server may send of its own accord. */
    mayServerSend(type, union) {
        return !(union in this.defs) || (this.defs[union].anyOf ?? []).some((each) => each.$ref.endsWith(`/${type}`));
    }

    /** Checks one message that is no batch; 'method' is that of the request it answers.  Returns [type, errors]. */
    message(message, method) {
        if (typeof message.method === 'string') {
            const extension = this.extensions.notifications[message.method];
            const type = this.methods.get(message.method);
            const kind = 'id' in message ? 'Request' : 'Notification';
            if (extension) {
                return [extension.title, [...this.check(`JSONRPC${kind}`, message), ...this.check(extension, message.params)]];
            }
            return [type ?? message.method, !type ? ['no such method'] : [...this.check(type, message),
                ...this.check(`JSONRPC${kind}`, message),
                ...this.mayServerSend(type, `Server${kind}`) ? [] : ['the server may not send this']]];
        }
        if (message.error !== undefined) {
            const type = this.errors.get(message.error?.code);
            const envelope = this.has('JSONRPCErrorResponse', 'JSONRPCError');
            // Older schemas demand an id also where none could be read; they forbid null there, too.
            const whole = 'id' in message ? message : { ...message, id: 0 };
            const unknown = this.revision === MODERN ? LEGACY_CODES : MODERN_CODES;
            return [`error ${message.error?.code}`, [
                ...unknown.includes(message.error?.code) ? ['the revision does not have this code'] : [], ...this.check(envelope, whole), ...type ? this.check(type, whole) : []]];
        }
        const result = message.result;
        const envelope = this.check(this.has('JSONRPCResultResponse', 'JSONRPCResponse'), message);
        const own = this.extensions.results[result?.resultType === 'task' ? 'task' : method];
        if (own) {
            return [own.title, [...envelope, ...this.check('Result', result), ...this.check(own, result)]];
        }
        const type = result?.resultType === 'input_required' ? 'InputRequiredResult'
            : method === 'tasks/result' ? 'CallToolResult' // What the call would have given.
            : method === 'tools/call' && result?.task && this.has('CreateTaskResult') ? 'CreateTaskResult'
            : this.results.get(method) ?? (this.methods.has(method) ? 'EmptyResult' : undefined);
        return [type ?? `result of ${method}`, type ? [...envelope, ...this.check(type in this.defs ? type : 'Result', result),
            ...type !== 'EmptyResult' || this.revision === MODERN || Object.keys(result).length === 0 ? [] : ['not empty']]
            : ['a result of no known method']];
    }
}

const revisions = new Map(REVISIONS.map((revision) => [revision, new Revision(revision)]));

function parse(text) {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

function header(head, name) {
    return new RegExp(`^${name}: *(.*?) *\r?$`, 'im').exec(head ?? '')?.[1];
}

const sameId = (a, b) => typeof a === typeof b && a === b;

/** What one client and the server said: finds out for each message under which revision it was sent. */
class Connection {
    constructor() {
        this.sent = []; // {head, message}
        this.agreed = undefined; // By initialize, where the connection is the session.
        this.sessions = new Map(); // By id, over HTTP.
    }

    isModern({ head, message }) {
        const meta = message?.params?._meta;
        const version = header(head, 'MCP-Protocol-Version');
        return meta !== undefined && meta !== null &&
            (`${META}protocolVersion` in Object(meta) || `${META}clientCapabilities` in Object(meta)) ||
            message?.method === 'server/discover' ||
            version !== undefined && !REVISIONS.slice(0, 4).includes(version) && !this.sessions.has(header(head, 'Mcp-Session-Id'));
    }

    /** [revision, method] of what the server sent. */
    place(got, message) {
        const all = this.sent.flatMap(({ head, message: each }) => (Array.isArray(each) ? each : [each])
            .map((one) => ({ head, message: one })));
        const last = this.sent.at(-1);
        let request;
        if (message.method === undefined && 'id' in message) {
            request = all.findLast((each) => sameId(each.message?.id, message.id) && each.message?.method !== undefined);
        } else if (message.params?._meta?.[`${META}subscriptionId`] !== undefined) {
            return [MODERN, undefined];
        } else if (message.params?.progressToken !== undefined) {
            request = all.findLast((each) => sameId(each.message?.params?._meta?.progressToken, message.params.progressToken));
        }
        request ??= last;
        if (request && this.isModern(request)) {
            return [MODERN, request.message?.method];
        }
        const method = request?.message?.method;
        const agreed = method === 'initialize' && message.result?.protocolVersion ||
              (got.status ? this.sessions.get(header(request?.head, 'Mcp-Session-Id')) : this.agreed);
        return [revisions.has(agreed) ? agreed : NEWEST_LEGACY, method];
    }

    note(got, message) {
        if (typeof message?.result?.protocolVersion === 'string') {
            this.agreed ??= message.result.protocolVersion;
            if (got.session) {
                this.sessions.set(got.session, message.result.protocolVersion);
            }
        }
    }
}

/** Checks all lines of a log; 'note' gets (revision, method) of each notification from a client; 'tell' gets (revision, type, errors, text, connection, method it answers). */
export function checkTraffic(lines, tell, note) {
    const connections = new Map();
    for (const line of lines) {
        if (line.transport) {
            connections.set(line.connection, Object.assign(new Connection(), { name: line.name, transport: line.transport }));
            continue;
        }
        const connection = connections.get(line.connection);
        if ('sent' in line) {
            connection.sent.push({ head: line.head, message: parse(line.sent) });
            if (connection.sent.at(-1).message?.method?.startsWith?.('notifications/')) {
                note?.(connection.place({ status: connection.transport === 'http' }, {})[0],
                       connection.sent.at(-1).message.method);
            }
            continue;
        }
        const whole = parse(line.got);
        for (const message of Array.isArray(whole) ? whole : [whole]) {
            if (message === null || typeof message !== 'object') {
                tell('?', 'no message', ['it is no JSON object'], line.got, connection);
                continue;
            }
            const [revision, method] = connection.place(line, message);
            const [type, errors] = revisions.get(revision).message(message, method);
            if (Array.isArray(whole) && revision > '2025-03-26') {
                errors.push('a batch');
            }
            tell(revision, type, errors, line.got, connection, method);
            connection.note(line, message);
        }
    }
}

const read = (file) => fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
const lines = read(process.argv[2]);
const answered = new Map(REVISIONS.map((revision) => [revision, new Set()])); // Methods that gave a result.
const sent = new Map(REVISIONS.map((revision) => [revision, new Set()])); // Methods of notifications from clients.
const counts = new Map(REVISIONS.map((revision) => [revision, new Map()]));
const transports = new Map();

await test('schemas: every message the server sent is valid in its revision', () => {
    const wrong = [];
    checkTraffic(lines, (revision, type, errors, text, connection, method) => {
        if (!type.startsWith('error')) {
            answered.get(revision).add(method);
        }
        const types = counts.get(revision) ?? new Map();
        types.set(type, (types.get(type) ?? 0) + 1);
        transports.set(connection.transport, (transports.get(connection.transport) ?? 0) + 1);
        if (errors.length) {
            wrong.push(`${connection.transport}, "${connection.name}", ${revision}: ${errors.join('; ')}\n    ${text.slice(0, 1000)}`);
        }
    }, (revision, method) => sent.get(revision).add(method));
    for (const [revision, types] of counts) {
        const list = [...types].sort(([a], [b]) => a < b ? -1 : 1);
        console.log(`# ${revision}: ${list.reduce((sum, [, n]) => sum + n, 0)} messages: ` +
                    list.map(([type, n]) => `${type} ${n}`).join(', '));
    }
    console.log(`# ${[...transports].map(([transport, n]) => `${transport} ${n}`).join(', ')}`);
    assert.equal(wrong.length, 0, wrong.slice(0, 20).join('\n'));
});

await test('schemas: no revision and no transport is without messages', () => {
    for (const revision of REVISIONS) {
        assert.ok(counts.get(revision).size > 0, revision);
    }
    for (const transport of ['stdio', 'http', 'ws']) {
        assert.ok(transports.get(transport) > 0, transport);
    }
});

/** The rows of handlers/methods.h, each with the revisions that have it. */
function methods() {
    const text = fs.readFileSync(path.join(here, '../../handlers/methods.h'), 'utf8');
    const rows = [...text.matchAll(/ROW\("([^"]+)",([^()]*)\)/g)].map(([, name, rest]) => ({ name, rest }));
    assert.ok(rows.length >= 15, 'METHODS has rows');
    return rows.map(({ name, rest }) => ({
        name,
        notification: /NOTIFICATION/.test(rest),
        revisions: REVISIONS.filter((revision) => {
            const { methods: known, extensions: { results } } = revisions.get(revision);
            return (revision === MODERN ? /MODERN|BOTH/ : /LEGACY|BOTH/).test(rest) && (known.has(name) || name in results);
        }),
    }));
}

await test('schemas: each method is answered in each revision that has it', () => {
    const missing = [];
    for (const { name, notification, revisions: having } of methods()) {
        if (!having.length) {
            missing.push(`no schema knows ${name}`);
        }
        missing.push(...having.filter((revision) => !(notification ? sent : answered).get(revision).has(name))
            .map((revision) => `${name} in ${revision}`));
    }
    assert.deepEqual(missing, []);
});

/** The codes of errors, with the revisions that have them. */
const CODES = [
    [-32700, REVISIONS], [-32600, REVISIONS], [-32601, REVISIONS], [-32602, REVISIONS], [-32603, REVISIONS],
    [-32002, REVISIONS.slice(0, 4)], [-32042, ['2025-11-25']], [-32020, [MODERN]], [-32021, [MODERN]], [-32022, [MODERN]],
];

await test('schemas: each error is given in each revision that has it', () => {
    assert.deepEqual(CODES.flatMap(([code, having]) => having
        .filter((revision) => !counts.get(revision).has(`error ${code}`)).map((revision) => `${code} in ${revision}`)), []);
});

/** What the server tells or asks of its own accord, with the revisions that have it. */
const NOTIFICATIONS = [
    ['ProgressNotification', REVISIONS], ['LoggingMessageNotification', REVISIONS], ['ToolListChangedNotification', REVISIONS],
    ['PromptListChangedNotification', REVISIONS], ['SubscriptionsAcknowledgedNotification', [MODERN]],
    ['CancelledNotification', REVISIONS.slice(0, 4)], ['TaskStatusNotification', ['2025-11-25']],
    ['ElicitationCompleteNotification', ['2025-11-25']], ['ElicitRequest', ['2025-06-18', '2025-11-25']],
    ['CreateMessageRequest', REVISIONS.slice(0, 4)], ['ListRootsRequest', REVISIONS.slice(0, 4)],
    ['InputRequiredResult', [MODERN]], ['TaskNotification', [MODERN]], ['CreateTaskResult', ['2025-11-25', MODERN]],
];

await test('schemas: each notification and request of the server is sent in each revision that has it', () => {
    assert.deepEqual(NOTIFICATIONS.flatMap(([type, having]) => having
        .filter((revision) => !counts.get(revision).has(type)).map((revision) => `${type} in ${revision}`)), []);
});

/** Changes that the check must find: the first message of a type, made worse. */
const PLANTED = [
    ['2026-07-28', 'ListToolsResult', (message) => { delete message.result.ttlMs; }],
    ['2026-07-28', 'ListToolsResult', (message) => { delete message.result.resultType; }],
    ['2026-07-28', 'ListToolsResult', (message) => { message.result.tools[0].execution = { taskSupport: 'optional' }; }],
    ['2026-07-28', 'ReadResourceResult', (message) => { message.result.cacheScope = 'all'; }],
    ['2026-07-28', 'ListSkillsResult', (message) => { message.result.skills[0].resources[0].digest = 'sha256:ABC'; }],
    ['2026-07-28', 'error -32022', (message) => { message.error.data.supported = '2026-07-28'; }],
    ['2026-07-28', 'error -32602', (message) => { message.error.code = -32002; }],
    ['2025-11-25', 'InitializeResult', (message) => { delete message.result.serverInfo; }],
    ['2025-11-25', 'error -32601', (message) => { message.id = null; }],
    ['2025-11-25', 'ListResourcesResult', (message) => { message.result.ttlMs = 5000; }],
    ['2025-06-18', 'CallToolResult', (message) => { message.result.content = 'text'; }],
    ['2025-06-18', 'InitializeResult', (message) => { message.result.serverInfo.websiteUrl = 'https://example.com'; }],
    ['2025-03-26', 'ListToolsResult', (message) => { message.result.tools[0].title = 'Title'; }],
    ['2024-11-05', 'ListToolsResult', (message) => { message.result.tools[0].annotations = {}; }],
    ['2024-11-05', 'EmptyResult', (message) => { message.result.more = 1; }],
];

/** The lines with the first message of that type spoilt, and its text; null if there is none that can be. */
function plant(revision, type, spoil) {
    let text;
    checkTraffic(lines, (itsRevision, itsType, errors, got) => {
        if (!text && itsRevision === revision && itsType === type && !got.startsWith('[')) {
            const message = JSON.parse(got);
            try {
                spoil(message);
                text = [got, JSON.stringify(message)];
            } catch {
                // It has no such member.
            }
        }
    });
    return text && { spoilt: text[1], lines: lines.map((line) => line.got === text[0] ? { ...line, got: text[1] } : line) };
}

await test('schemas: planted mistakes are found', () => {
    for (const [revision, type, spoil] of PLANTED) {
        const planted = plant(revision, type, spoil);
        let found = false;
        assert.ok(planted, `there is no ${type} of ${revision}`);
        checkTraffic(planted.lines, (itsRevision, itsType, errors, got) => {
            found ||= got === planted.spoilt && errors.length > 0;
        });
        assert.ok(found, `${type} of ${revision}, ${spoil}`);
    }
});

finish();
