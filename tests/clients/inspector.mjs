// inspector.mjs -- the official Inspector's command line lists, reads and calls everything, over stdio and HTTP, in both eras;
// it judges the tools' schemas (--strict), and reads every file of every skill and compares its digest (--verify).
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { binary, finish, HttpServer, Project, someArguments, test } from './lib.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const program = path.join(here, 'node_modules/@modelcontextprotocol/inspector/clients/cli/build/index.js');

/** Runs the Inspector once; resolves to what it printed, parsed, or rejects with what it said. */
function inspect(project, era, target, ...options) {
    return new Promise((resolve, reject) => {
        execFile(process.execPath, [program, '--protocol-era', era, '--format', 'json', '--quiet', ...options, ...target], {
            env: { PATH: process.env.PATH, HOME: project.root }, timeout: 120000, maxBuffer: 64 << 20,
        }, (error, stdout, stderr) => {
            if (error) {
                reject(new Error(`${options.join(' ')}: status ${error.code}: ${stderr || stdout}`));
            } else {
                resolve(stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line)));
            }
        });
    });
}

/** Runs jobs two at a time. */
async function all(jobs) {
    const queue = [...jobs];
    await Promise.all([0, 1].map(async () => {
        while (queue.length) {
            await queue.shift()();
        }
    }));
}

/** What the result of a listing holds: the Inspector prints it bare, or in an envelope. */
function member(printed, name) {
    const found = [printed[0], printed[0].result, printed[0].data].find((each) => Array.isArray(each?.[name]));
    assert.ok(found, `there are no ${name} in ${JSON.stringify(printed).slice(0, 300)}`);
    return found[name];
}

async function check(project, era, where, target) {
    const ask = (...options) => inspect(project, era, target, ...options);
    const label = `inspector ${era} ${where}`;
    let tools = [], resources = [], prompts = [];

    await test(`${label}: lists tools, and finds no fault in their schemas`, async () => {
        tools = member(await ask('--method', 'tools/list', '--strict'), 'tools').map(({ name }) => name);
        assert.ok(tools.includes('pos_workflow'), tools.join());
    });
    await test(`${label}: calls each tool`, async () => {
        assert.ok(tools.length >= 4, tools.join());
        await all(tools.map((name) => async () => {
            const [answer] = await ask('--method', 'tools/call', '--tool-name', name,
                                       '--tool-args-json', JSON.stringify(someArguments[name] ?? {}));
            const result = answer.result ?? answer;
            assert.ok(Array.isArray(result.content) && !result.isError, JSON.stringify(answer));
        }));
    });
    await test(`${label}: lists and reads resources`, async () => {
        resources = member(await ask('--method', 'resources/list'), 'resources').map(({ uri }) => uri);
        assert.ok(resources.length >= 5, resources.join());
        assert.ok(member(await ask('--method', 'resources/templates/list'), 'resourceTemplates').length >= 4);
        await all(resources.map((uri) => async () => {
            assert.equal(member(await ask('--method', 'resources/read', '--uri', uri), 'contents')[0].uri, uri);
        }));
    });
    await test(`${label}: lists and gets prompts`, async () => {
        prompts = member(await ask('--method', 'prompts/list'), 'prompts').map(({ name }) => name);
        assert.equal(prompts.length, 1, prompts.join());
        for (const name of prompts) {
            const messages = member(await ask('--method', 'prompts/get', '--prompt-name', name,
                                              '--prompt-args', 'target_file=a.c'), 'messages');
            assert.equal(messages[0].role, 'user');
        }
    });
    if (era === 'legacy') {
        await test(`${label}: sets the log level`, () => ask('--method', 'logging/setLevel', '--log-level', 'debug'));
        return;
    }
    await test(`${label}: verifies every file of every skill`, async () => {
        const reports = await ask('--method', 'skills/list', '--verify', '--require-digests');
        assert.ok(JSON.stringify(reports).includes('skill://packs/bug-fix-v1/SKILL.md'));
        assert.ok(JSON.stringify(reports).includes('"verified"'));
        await ask('--method', 'skills/get', '--uri', 'skill://packs/bug-fix-v1/SKILL.md', '--verify', '--require-digests');
    });
    await test(`${label}: descends into a skill`, async () => {
        const children = member(await ask('--method', 'resources/directory/read', '--uri', 'skill://packs/bug-fix-v1'),
                                'resources');
        assert.ok(children.some(({ mimeType }) => mimeType === 'inode/directory'));
    });
}

const project = new Project({ example: true });
const stdio = ['--', binary, 'serve', '--root', project.root]; // Two at once: the second joins the first.
await check(project, 'legacy', 'stdio', stdio);
await check(project, 'modern', 'stdio', stdio);
const server = await HttpServer.start(project);
const http = ['--transport', 'http', '--server-url', server.info.url, '--header', `Authorization: Bearer ${server.info.token}`];
await check(project, 'legacy', 'http', http);
await check(project, 'modern', 'http', http);
await server.stop();
project.remove();
finish();
