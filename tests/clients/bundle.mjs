// bundle.mjs BUNDLE ROOTFS VOLUME SECRET [OPTION...]: writes BUNDLE/config.json, by which an OCI runtime runs what
// deploy/container says: the image's part from the Containerfile, the rest from compose.yaml.  Options:
//     --kill       a system call that the seccomp profile does not list ends the process, where an engine has it fail
//     --free       without what compose.yaml says, as a bare "docker run" has it
//     --env=K=V    one more variable; --env=K= removes it
//     -- ARG...    instead of the command
import { DockerfileParser } from 'dockerfile-ast';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import yaml from 'yaml';

const deploy = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../deploy/container');

/** Instructions of the last stage, with what they say. */
function readImage() {
    const file = DockerfileParser.parse(fs.readFileSync(path.join(deploy, 'Containerfile'), 'utf8'));
    const all = file.getInstructions();
    const last = all.slice(all.findLastIndex((each) => each.getKeyword() === 'FROM'));
    const words = (keyword) => last.find((each) => each.getKeyword() === keyword).getArguments().map(String);
    const json = (keyword) => JSON.parse(words(keyword).join(' '));
    const env = last.filter((each) => each.getKeyword() === 'ENV').flatMap((each) => each.getArguments().map(String));
    return { user: words('USER')[0], folder: words('WORKDIR')[0], env, entry: json('ENTRYPOINT'), command: json('CMD') };
}

/** "16m" in bytes. */
function bytes(text) {
    const [, number, unit] = /^(\d+)([kmg]?)b?$/i.exec(String(text));
    return Number(number) * 1024 ** ' kmg'.indexOf(unit.toLowerCase() || ' ');
}

const CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP', 'SETPCAP',
                      'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE'].map((name) => `CAP_${name}`);

/** What an engine makes of a service. */
function configure({ rootfs, volume, secret, kill, free, env, command }) {
    const image = readImage();
    const compose = yaml.parse(fs.readFileSync(path.join(deploy, 'compose.yaml'), 'utf8'));
    const service = free ? { environment: {}, tmpfs: [], security_opt: [], cap_drop: [] } : compose.services.tandem;
    const [uid, gid] = (service.user ?? image.user).split(':').map(Number);
    const variables = new Map(image.env.map((each) => each.split(/=(.*)/s)));
    for (const [name, value] of [...Object.entries(service.environment), ...env.map((each) => each.split(/=(.*)/s))]) {
        variables.set(name, value);
    }
    const caps = service.cap_drop.includes('ALL') ? [] : CAPABILITIES;
    const option = (name) => service.security_opt.find((each) => each.startsWith(`${name}:`))?.slice(name.length + 1);
    const seccomp = option('seccomp') && JSON.parse(fs.readFileSync(path.join(deploy, option('seccomp')), 'utf8'));
    if (seccomp && kill) {
        seccomp.defaultAction = 'SCMP_ACT_KILL_PROCESS';
        delete seccomp.defaultErrnoRet;
    }
    const mounts = [
        { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
        { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=64k'] },
        { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=64m'] },
        { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    ];
    for (const each of service.tmpfs) {
        const [destination, options] = each.split(':');
        mounts.push({ destination, type: 'tmpfs', source: 'tmpfs', options: options.split(',') });
    }
    const bind = (source, destination, ...options) =>
        mounts.push({ destination, type: 'bind', source: path.resolve(source), options: ['bind', ...options] });
    bind(volume, '/data', 'rw', 'nosuid', 'nodev');
    for (const name of service.secrets ?? []) {
        bind(secret, `/run/secrets/${name}`, 'ro');
    }
    const limits = Object.entries(service.ulimits ?? {}).map(([name, value]) => ({
        type: `RLIMIT_${name.toUpperCase()}`, soft: value.soft ?? value, hard: value.hard ?? value,
    }));
    return {
        ociVersion: '1.0.2',
        hostname: 'tandem',
        root: { path: path.resolve(rootfs), readonly: service.read_only ?? false },
        process: {
            terminal: false, user: { uid, gid }, cwd: image.folder,
            args: [...image.entry, ...(command ?? service.command ?? image.command)],
            env: [...variables].filter(([, value]) => value !== '').map(([name, value]) => `${name}=${value}`),
            capabilities: { bounding: caps, effective: [], permitted: [], inheritable: [], ambient: [] },
            noNewPrivileges: option('no-new-privileges') === 'true', rlimits: limits,
        },
        mounts,
        linux: {
            namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
            cgroupsPath: `/tandem-test-${process.pid}`,
            resources: {
                devices: [{ allow: false, access: 'rwm' }],
                ...(service.mem_limit && { memory: { limit: bytes(service.mem_limit) } }),
                ...(service.pids_limit && { pids: { limit: service.pids_limit } }),
            },
            ...(seccomp && { seccomp }),
            maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug', '/proc/scsi', '/sys/firmware'],
            readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
        },
    };
}

const [bundle, rootfs, volume, secret, ...rest] = process.argv.slice(2);
const end = rest.indexOf('--');
const options = end < 0 ? rest : rest.slice(0, end);
const config = configure({
    rootfs, volume, secret, kill: options.includes('--kill'), free: options.includes('--free'),
    env: options.filter((each) => each.startsWith('--env=')).map((each) => each.slice(6)),
    command: end < 0 ? undefined : rest.slice(end + 1),
});
fs.mkdirSync(bundle, { recursive: true });
fs.writeFileSync(path.join(bundle, 'config.json'), JSON.stringify(config, null, 1));
