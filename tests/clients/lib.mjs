// lib.mjs -- what the client tests share: a project to serve, the server found by its discovery file,
// and tests that count as "ok NAME" or "not ok NAME".
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const binary = path.resolve(repository, process.env.TANDEM ?? 'build/tandem');
export const TOOL_TIMEOUT_MS = 60000;

let failed = 0;

/** Runs one test and tells how it went; goes on after one that failed. */
export async function test(name, body) {
    try {
        await body();
        console.log(`ok ${name}`);
    } catch (error) {
        failed++;
        console.log(`not ok ${name}`);
        console.log(error?.stack ?? String(error));
    }
}

/** To be awaited last: what the program ends with. */
export function finish() {
    process.exitCode = failed ? 1 : 0;
}

/** A new project folder: with the example pack, its standards, and real packs; or, if 'example', what the example has. */
export class Project {
    constructor({ example = false } = {}) {
        this.root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'tandem-clients-')));
        const packs = path.join(this.root, '.tandem', 'workflows');
        fs.mkdirSync(packs, { recursive: true });
        const copy = (from, to) => fs.cpSync(path.join(repository, from), to, { recursive: true });
        copy('deploy/example/.tandem/workflows/bug_fix_v1', path.join(packs, 'bug_fix_v1'));
        copy('deploy/example/.tandem/standards', path.join(this.root, '.tandem/standards'));
        for (const pack of example ? [] : ['spec_creation_v1', 'spec_execution_v1', 'standards_creation_v1']) {
            copy(`tests/fixtures/praxis/workflows/${pack}`, path.join(packs, pack));
        }
        // A task list for the dynamic pack: four phases of 2, 2, 2 and 5 tasks.
        copy('tests/fixtures/praxis/specs/2025-10-07-dynamic-workflow-session-refactor',
             path.join(this.root, 'specs/refactor'));
        // A service whose use is counted, for acquire_quota.
        fs.writeFileSync(path.join(this.root, '.tandem', 'config.json'), '{"quota": {"services": ["mail=1000000/day"]}}');
        this.exitFile = path.join(this.root, 'exit-status');
        this.logFile = path.join(this.root, 'server.log');
    }

    /** How a client starts the server: by a shell that writes down how it ended. */
    command(...options) {
        return {
            command: '/bin/sh',
            args: ['-c', '"$@" 2>>"$CLIENT_TEST_LOG"; echo $? >"$CLIENT_TEST_EXIT"', 'sh', binary, 'serve',
                   '--root', this.root, ...options],
            env: { PATH: process.env.PATH, HOME: this.root, CLIENT_TEST_EXIT: this.exitFile,
                   CLIENT_TEST_LOG: this.logFile, ...sanitizerOptions() },
        };
    }

    discoveryFile() {
        return path.join(this.root, '.tandem', 'server.json');
    }

    /** What server.json says: it is there as soon as stdio has answered. */
    discover() {
        return JSON.parse(fs.readFileSync(this.discoveryFile(), 'utf8'));
    }

    /** The exit status of the last server; null while it runs. */
    exitStatus() {
        return fs.existsSync(this.exitFile) ? Number(fs.readFileSync(this.exitFile, 'utf8')) : null;
    }

    log() {
        return fs.existsSync(this.logFile) ? fs.readFileSync(this.logFile, 'utf8') : '';
    }

    /** Checks that the server 'pid' ended well and left nothing behind. */
    checkEnded(pid) {
        assert.equal(this.exitStatus(), 0, `exit status; the server said:\n${this.log()}`);
        assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, 'the process is gone');
        assert.equal(fs.existsSync(this.discoveryFile()), false, 'server.json is gone');
        const left = fs.readdirSync(path.join(this.root, '.tandem'), { recursive: true })
            .filter((name) => name.endsWith('.tmp'));
        assert.deepEqual(left, [], 'no temporary files');
        fs.rmSync(this.exitFile);
    }

    remove() {
        fs.rmSync(this.root, { recursive: true, force: true });
    }
}

function sanitizerOptions() {
    return Object.fromEntries(['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS'].filter((name) => process.env[name])
        .map((name) => [name, process.env[name]]));
}

/** A server of its own, with stdin held open by us, for tests that speak HTTP only. */
export class HttpServer {
    static async start(project, ...options) {
        const server = new HttpServer();
        server.project = project;
        server.child = spawn(binary, ['serve', '--root', project.root, '--transport', 'dual', ...options],
                             { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, HOME: project.root } });
        server.stderr = '';
        server.child.stderr.on('data', (chunk) => { server.stderr += chunk; });
        server.ended = once(server.child, 'exit');
        // The first answer on stdio tells that the discovery file is there.
        server.child.stdin.write('{"jsonrpc":"2.0","id":0,"method":"ping"}\n');
        const first = await Promise.race([once(server.child.stdout, 'data'), server.ended]);
        if (server.child.exitCode !== null) {
            throw new Error(`the server ended at once (${first}): ${server.stderr}`);
        }
        server.info = project.discover();
        server.origin = new URL(server.info.url).origin;
        return server;
    }

    async stop() {
        this.child.stdin.end();
        const [code, signal] = await this.ended;
        assert.equal(signal, null, this.stderr);
        assert.equal(code, 0, this.stderr);
        assert.equal(fs.existsSync(this.project.discoveryFile()), false, 'server.json is gone');
    }

    /** fetch() with the token, unless 'headers' says otherwise. */
    fetch(where, { headers = {}, ...options } = {}) {
        const all = { authorization: `Bearer ${this.info.token}`, ...headers };
        for (const name of Object.keys(all)) {
            if (all[name] === null) {
                delete all[name];
            }
        }
        return fetch(this.origin + where, { headers: all, ...options });
    }
}

/** What a tool's answer says, checked for its shape. */
export function toolResult(answer) {
    assert.ok(Array.isArray(answer.content), 'content is an array');
    for (const block of answer.content) {
        assert.equal(block.type, 'text');
    }
    if (answer.isError) {
        return JSON.parse(answer.content[0].text);
    }
    assert.deepEqual(JSON.parse(answer.content[0].text), answer.structuredContent, 'text repeats the structure');
    return answer.structuredContent;
}

/** Arguments with which each tool that needs some answers something; a tool without a row is called without any. */
export const someArguments = {
    pos_workflow: { action: 'list_workflows' },
    search_standards: { query: 'how do I reproduce a bug' },
    publish_event: { topic: 'build.finished', data: { ok: true } },
    acquire_quota: { service: 'mail' },
    record_tool_outcome: { tool_name: 'make', output: '41 passed' },
    get_learnings: { target: 'qa' },
    update_token_usage: { input_tokens: 10, output_tokens: 5 },
};

/** Evidence that passes each gate of bug_fix_v1. */
export const bugFixEvidence = [
    { failing_test: 'test_leap_day', test_output: 'FAIL: test_leap_day expected 29, got 28',
      expected_behaviour: 'February of a leap year has 29 days' },
    { cause: 'The century rule was applied to years that can be divided by 400 as well',
      changed_files: ['calendar.c'], lines_changed: 3 },
    { tests_passed: 41, tests_failed: 0, test_output: '41 tests, all passed, success' },
];
