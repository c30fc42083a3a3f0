// ship.mjs FOLDER: looks at what is published. FOLDER has what deploy/bundle.sh made, twice ("one", "two"), and two bills of
// materials, one of them with a date. The bundle is checked by its format's own tool, unpacked and started as its manifest
// says; the bill by CycloneDX's schema, and against what the loader says of the binary.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { finish, Project, test } from './lib.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const repository = path.resolve(here, '../..');
const work = path.resolve(process.argv[2]);
const version = /TANDEM_VERSION "(.*)"/.exec(fs.readFileSync(path.join(repository, 'state/version.h'), 'utf8'))[1];
const bundle = path.join(work, 'one', `tandem-${version}.mcpb`);
const unpacked = path.join(work, 'unpacked');
const readJson = (...names) => JSON.parse(fs.readFileSync(path.join(...names), 'utf8'));
const sha256 = (file) => createHash('sha256').update(fs.readFileSync(file)).digest('hex');
const run = (program, ...args) => execFileSync(program, args, { encoding: 'utf8' });
const mcpb = (...args) => run(process.execPath, path.join(here, 'node_modules/@anthropic-ai/mcpb/dist/cli/cli.js'), ...args);

await test('the same input gives the same bundle', () => {
    assert.equal(sha256(bundle), sha256(path.join(work, 'two', path.basename(bundle))));
});

await test('the bundle\'s manifest is valid', () => {
    mcpb('unpack', bundle, unpacked);
    mcpb('validate', path.join(unpacked, 'manifest.json'));
    assert.equal(readJson(unpacked, 'manifest.json').version, version);
});

await test('what is unpacked starts as the manifest says, with its own libraries', async () => {
    const project = new Project();
    const manifest = readJson(unpacked, 'manifest.json');
    const filled = (text) => text.replaceAll('${__dirname}', unpacked).replaceAll('${user_config.project}', project.root);
    const { command, args, env } = manifest.server.mcp_config;
    const client = new Client({ name: 'ship', version: '1' });
    const transport = new StdioClientTransport({
        command: filled(command), args: args.map(filled), cwd: '/',
        env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, filled(value)])),
    });
    try {
        await client.connect(transport);
        assert.deepEqual(client.getServerVersion().version, version);
        const { tools } = await client.listTools();
        assert.deepEqual(manifest.tools.map(({ name }) => name), tools.map(({ name }) => name));
        assert.deepEqual(manifest.tools.map(({ description }) => description), tools.map(({ description }) => description));
        const { content } = await client.callTool({ name: 'search_standards', arguments: { query: 'shared state' } });
        assert.equal(content[0].type, 'text');
        const maps = fs.readFileSync(`/proc/${transport.pid}/maps`, 'utf8');
        const files = new Set([...maps.matchAll(/ (\/\S+\.so[.0-9a-z]*)$/gm)].map(([, file]) => file));
        const owned = [...files].filter((file) => file.startsWith(unpacked)).map((file) => path.basename(file));
        assert.ok(owned.includes('libuv.so.1') && owned.includes('libsqlite3.so.0'), owned.join(' '));
        const others = [...files].filter((file) => !file.startsWith(unpacked)).map((file) => path.basename(file));
        assert.deepEqual(others.filter((name) => !/^(libc|libm|libdl|libpthread|ld-linux.*|libnss_.*)\./.test(name)), []);
    } finally {
        await client.close();
        project.remove();
    }
});

await test('each library of the bundle comes with its licence, and its bill names them', () => {
    const bill = readJson(unpacked, 'server/tandem.cdx.json');
    const owners = new Map(bill.components.flatMap(({ name, components = [] }) => components.map((file) => [file.name, name])));
    const files = fs.readdirSync(path.join(unpacked, 'server/lib'));
    assert.ok(files.length > 10);
    const own = new Set(bill.components.filter(({ type }) => type === 'file').map(({ name }) => path.basename(name)));
    for (const file of files.filter((name) => !own.has(name))) {
        assert.ok(fs.statSync(path.join(unpacked, 'server/licences', owners.get(file) ?? 'unknown')).size > 0, file);
    }
    for (const { type, name, hashes } of bill.components.filter(({ type }) => type === 'file')) {
        assert.equal(hashes[0].content, sha256(path.join(unpacked, name)), `${type} ${name}`);
    }
});

// What the registry asks of a server.json, its schema's rules and those of a package of this kind.
await test('the registry is told what it asks for', () => {
    const server = readJson(work, 'one/server.json');
    assert.deepEqual(Object.keys(server).sort(), ['$schema', 'description', 'name', 'packages', 'title', 'version']);
    assert.match(server.name, /^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/);
    assert.ok(server.name.length <= 200);
    assert.ok(server.description.length >= 1 && server.description.length <= 100, `${server.description.length} characters`);
    assert.ok(server.title.length >= 1 && server.title.length <= 100);
    assert.equal(server.version, version);
    const [file] = server.packages;
    assert.equal(server.packages.length, 1);
    assert.deepEqual(Object.keys(file).sort(), ['fileSha256', 'identifier', 'registryType', 'transport']);
    assert.equal(file.registryType, 'mcpb');
    assert.equal(file.fileSha256, sha256(bundle));
    assert.deepEqual(file.transport, { type: 'stdio' });
    const address = new URL(file.identifier);
    assert.ok(address.protocol === 'https:' && /^(github|gitlab)\.com$/.test(address.hostname), file.identifier);
    assert.ok(address.pathname.endsWith(`/v${version}/${path.basename(bundle)}`), file.identifier);
});

const schemas = path.join(here, 'node_modules/@cyclonedx/cyclonedx-library/res/schema');
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addFormat('iri-reference', true).addFormat('idn-email', true);
for (const name of ['spdx', 'jsf-0.82']) {
    const file = `${name}.SNAPSHOT.schema.json`;
    ajv.addSchema({ ...readJson(schemas, file), $id: undefined }, `http://cyclonedx.org/schema/${file}`);
}
const isBill = ajv.compile(readJson(schemas, 'bom-1.6.SNAPSHOT.schema.json'));

await test('the bills of materials are valid CycloneDX', () => {
    for (const file of ['bill.json', 'dated.json', 'unpacked/server/tandem.cdx.json']) {
        assert.ok(isBill(readJson(work, file)), `${file}: ${ajv.errorsText(isBill.errors)}`);
    }
    assert.equal(isBill({ ...readJson(work, 'bill.json'), bomFormat: 'SPDX' }), false, 'the schema tells bad from good');
});

/** What a bill says whenever it is made: manual pages show their date. */
function dateless(bill) {
    delete bill.metadata.timestamp;
    for (const file of bill.components.filter(({ name }) => name.startsWith('share/man/'))) {
        delete file.hashes;
    }
    return bill;
}

await test('a bill has a date only where one is given, and but for that is the same', () => {
    const bill = readJson(work, 'bill.json'), dated = readJson(work, 'dated.json');
    assert.equal(bill.metadata.timestamp, undefined);
    assert.equal(dated.metadata.timestamp, '2023-11-14T22:13:20Z');
    assert.deepEqual(dateless(dated), dateless(bill));
});

/** The libraries that the loader would load for a file, by name: those of ldd, and itself where it is a library. */
function loaded(file) {
    return [...run('ldd', file).matchAll(/^\t(?:\S+ => )?(\/\S+) \(/gm)].map(([, found]) => found);
}

await test('the bill has the libraries that the binary loads, no more and no less', () => {
    const bill = readJson(work, 'bill.json');
    const listed = bill.components.flatMap(({ components = [] }) => components);
    // What the Makefile says is loaded late, asked of the compiler; the plug-in; and libcurl, by the name that fetch.c has.
    const late = /^LATE := (.*)$/m.exec(fs.readFileSync(path.join(repository, 'Makefile'), 'utf8'))[1].split(' ')
        .map((name) => run('pkg-config', '--libs-only-l', name).trim().split(' ')[0].replace(/^-l/, ''))
        .map((name) => fs.realpathSync(run('gcc', `-print-file-name=lib${name}.so`).trim()))
        .map((file) => path.join(path.dirname(file), /SONAME.*\[(.*)\]/.exec(run('readelf', '-dW', file))[1]));
    const folder = path.dirname(late[0]);
    const curl = /"(libcurl\.so\.\d+)"/.exec(fs.readFileSync(path.join(repository, 'state/fetch.c'), 'utf8'))[1];
    late.push(path.join(folder, curl), path.join(folder, 'libwebsockets-evlib_uv.so'));
    const wanted = new Set([...late, ...[path.join(repository, 'build/release/tandem'), ...late].flatMap(loaded)]
        .map((file) => path.basename(file)));
    assert.ok(wanted.size > 15);
    assert.deepEqual(listed.map(({ name }) => name).sort(), [...wanted].sort());
    for (const { name, hashes } of listed) {
        const file = [folder, '/lib64', '/lib'].map((each) => path.join(each, name)).find((each) => fs.existsSync(each));
        assert.equal(hashes[0].content, sha256(file), name);
    }
});

await test('each package of the bill is one that is installed, by version, and knows its licence', () => {
    const packages = readJson(work, 'bill.json').components.filter(({ type }) => type === 'library');
    for (const { name, version: told, purl, licenses } of packages) {
        const [installed, architecture] = run('dpkg-query', '-W', '-f', '${Version} ${Architecture}\n', name).split('\n')[0].split(' ');
        assert.equal(told, installed, name);
        assert.equal(purl.split('?')[0], `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(told).replace(/~/g, '%7E')}`);
        assert.ok(purl.includes(`arch=${architecture}`), purl);
        assert.ok(licenses[0].license.id ?? licenses[0].license.name, name);
    }
    assert.ok(packages.some(({ name }) => name === 'uthash-dev'), 'headers that are compiled in');
});

await test('the files of the bill are those that are installed', () => {
    const bill = readJson(work, 'bill.json');
    const binary = bill.components.find(({ name }) => name === 'bin/tandem');
    assert.equal(binary.hashes[0].content, sha256(path.join(repository, 'build/release/tandem')));
    assert.equal(bill.metadata.component.version, version);
});

finish();
