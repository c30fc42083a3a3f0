// console.mjs -- the console as a person meets it: Debian's Chromium, real clicks, a connection that is lost,
// a phone and a wide screen. Pictures of each part go to build/console.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { bugFixEvidence, finish, HttpServer, Project, test } from './lib.mjs';

const CHROMIUM = '/usr/bin/chromium';
const PARTS = ['sessions', 'events', 'tools', 'caches', 'quotas', 'failures', 'index', 'connect'];
const pictures = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../build/console');

if (!fs.existsSync(CHROMIUM)) {
    console.log('not ok console: Chromium is not installed; run: deploy/install-deps.sh --test');
    process.exit(1);
}
fs.mkdirSync(pictures, { recursive: true });

const project = new Project();
const options = ['--groups', 'full', '--quota-services', 'mail=4/day', '--events-history', '20'];
let server = await HttpServer.start(project, ...options);
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const complaints = [];

async function call(tool, args = {}) {
    const answer = await server.fetch(`/api/tools/${tool}`, {
        method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(args),
    });
    return answer.json();
}

/** A page of its own; 'before' may prepare it. */
async function open(view = {}, { token = server.info.token, before } = {}) {
    const context = await browser.newContext({ viewport: { width: 1600, height: 1000 }, ...view });
    const page = await context.newPage();
    page.setDefaultTimeout(20000);
    page.on('console', (m) => { if (m.type() === 'error') complaints.push(m.text()); });
    page.on('pageerror', (error) => complaints.push(error.message));
    await before?.(page);
    await page.goto(`${server.origin}/${token ? `#token=${token}` : ''}`);
    return page;
}

const live = (page) => page.locator('#link[data-state=live]').waitFor();
const row = (page, text) => page.locator('#rows li:not([hidden])', { hasText: text });

await test('console: every part says something, before anything has happened', async () => {
    const page = await open();
    await live(page);
    assert.equal(new URL(page.url()).hash, '', 'the token does not stay in the address');
    for (const part of PARTS) {
        const body = page.locator(`#${part} .body`);
        await body.filter({ hasNotText: 'asking the server' }).waitFor(); // It was told something.
        const text = await body.innerText();
        assert.ok(text.trim().length > 10, `${part}: ${text}`);
    }
    await page.context().close();
});

await test('console: a session and its phases appear and move on without a reload', async () => {
    const page = await open();
    await live(page);
    const { session_id } = await call('pos_workflow', {
        action: 'start', workflow_type: 'bug_fix_v1', target_file: 'src/calendar.c' });
    const card = page.locator('.session', { hasText: 'src/calendar.c' });
    await card.waitFor();
    assert.equal(await card.locator('.phases li').count(), 3);
    assert.match(await card.locator('.phases li').first().innerText(), /open/);
    await call('pos_workflow', { action: 'complete_phase', session_id, phase: 0, evidence: { test_output: 'x' } });
    await card.locator('.bad', { hasText: 'failing_test' }).waitFor();
    await call('pos_workflow', { action: 'complete_phase', session_id, phase: 0, evidence: bugFixEvidence[0] });
    await card.locator('.phases .passed').waitFor();
    await page.context().close();
});

await test('console: events come live, can be filtered, and held back', async () => {
    const page = await open();
    await live(page);
    await call('publish_event', { topic: 'build.finished', data: { by: '<b>nobody</b>' } });
    await row(page, 'build.finished').first().waitFor();
    assert.match(await row(page, 'build.finished').first().innerText(), /<b>nobody<\/b>/, 'text is text');
    await page.fill('#filter', 'other.*');
    assert.equal(await row(page, 'build.finished').count(), 0);
    await call('publish_event', { topic: 'other.thing' });
    await row(page, 'other.thing').waitFor();
    await page.fill('#filter', '');
    await row(page, 'build.finished').first().waitFor();
    await page.click('#pause');
    await call('publish_event', { topic: 'held.back' });
    await page.locator('#held', { hasText: 'held' }).waitFor();
    assert.equal(await row(page, 'held.back').count(), 0);
    await page.click('#pause');
    await row(page, 'held.back').waitFor();
    await page.context().close();
});

await test('console: quotas, failures and calls show what agents did', async () => {
    const page = await open();
    await live(page);
    await call('acquire_quota', { service: 'mail' });
    await call('acquire_quota', { service: 'mail' });
    await page.locator('#quotas', { hasText: '2 of 4' }).waitFor();
    await call('record_tool_outcome', { tool_name: 'make', output: 'TypeError: no', exit_code: 1,
                                        context: { command: 'make test' } });
    await page.locator('#failures li', { hasText: 'make' }).waitFor();
    await call('record_tool_outcome', { tool_name: 'make', output: '41 passed', exit_code: 0,
                                        context: { command: 'make test' } });
    await page.locator('#failures li', { hasText: 'fixed' }).waitFor();
    await page.locator('#tools tr', { hasText: 'acquire_quota' }).waitFor();
    await page.context().close();
});

await test('console: a connection that is lost comes back, with what was missed or a gap', async () => {
    let sockets = [], gate = Promise.resolve();
    const page = await open({}, { before: (p) => p.routeWebSocket(/\/ws$/, async (socket) => {
        await gate;
        socket.connectToServer();
        sockets.push(socket);
    }) });
    const lose = async () => {
        let go;
        gate = new Promise((resolve) => { go = resolve; });
        await sockets.pop().close({ code: 4000 });
        await page.locator('#link[data-state=connecting]').waitFor();
        return go;
    };
    await live(page);
    let go = await lose();
    await call('publish_event', { topic: 'missed.one' });
    go();
    await live(page);
    await row(page, 'missed.one').waitFor();
    assert.equal(await row(page, 'missed.one').count(), 1);
    assert.equal(await page.locator('#rows .gap').count(), 0);
    go = await lose();
    for (let i = 0; i < 40; i++) { // More than are kept.
        await call('publish_event', { topic: 'flood.one', data: { i } });
    }
    go();
    await live(page);
    await page.locator('#rows .gap').waitFor();
    await row(page, '{"i":39}').waitFor();
    await page.locator('#events').screenshot({ path: path.join(pictures, 'events-gap.png') });
    await page.context().close();
});

await test('console: a wrong token is asked for again', async () => {
    const page = await open({}, { token: 'x'.repeat(43) });
    await page.locator('#ask').waitFor();
    await page.fill('#token', server.info.token);
    await page.keyboard.press('Enter');
    await live(page);
    await page.locator('#caches table').waitFor();
    await page.context().close();
    complaints.splice(0); // The refusals were wanted.
});

await test('console: a server that starts anew is told', async () => {
    const page = await open();
    await live(page);
    const port = new URL(server.origin).port;
    await server.stop();
    await page.locator('#link[data-state=connecting]').waitFor();
    server = await HttpServer.start(project, ...options, '--listen', `127.0.0.1:${port}`);
    await live(page);
    await page.locator('#rows .gap', { hasText: 'anew' }).waitFor();
    await page.context().close();
    complaints.splice(0); // Nobody answered for a while.
});

const views = [['phone', { viewport: { width: 360, height: 740 } }],
               ['wide', { viewport: { width: 1600, height: 1000 } }],
               ['dark', { viewport: { width: 1600, height: 1000 }, colorScheme: 'dark' }]];
for (const [name, view] of views) {
    await test(`console: ${name}: nothing is wider than the screen, and keys reach it all`, async () => {
        const page = await open(view);
        await live(page);
        await page.locator('#tools table').waitFor();
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${over} px too wide`);
        const reached = new Set();
        for (let i = 0; i < 40; i++) {
            await page.keyboard.press('Tab');
            reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.tagName));
        }
        for (const id of ['theme', 'filter', 'pause', 'SUMMARY']) {
            assert.ok(reached.has(id), `${id} by Tab`);
        }
        const before = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        for (const part of PARTS) {
            await page.locator(`#${part}`).screenshot({ path: path.join(pictures, `${part}-${name}.png`) });
        }
        await page.screenshot({ path: path.join(pictures, `all-${name}.png`), fullPage: true });
        await page.click('#theme');
        assert.notEqual(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), before);
        await page.context().close();
    });
}

await test('console: it loads nothing from elsewhere, and nobody may frame it', async () => {
    const answer = await fetch(`${server.origin}/`);
    const policy = answer.headers.get('content-security-policy');
    assert.equal(answer.status, 200);
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    assert.doesNotMatch(await answer.text(), /https?:\/\//);
    assert.equal((await fetch(`${server.origin}/console/../token`)).status, 404);
    assert.equal((await fetch(`${server.origin}/console/none.js`)).status, 404);
    assert.deepEqual(complaints, [], 'the browser has nothing to complain of');
});

await browser.close();
await server.stop();
project.remove();
finish();
