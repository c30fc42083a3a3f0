/* console.js -- the page: asks for a token if it must, follows the relay, and draws each part when
 * something has happened that concerns it, or every two seconds while somebody looks. */
import { Live, Server } from "./live.js";
import { ago, bytes, code, el, empty, facts, meter, ms, spark, table } from "./draw.js";

const LOOK_MS = 2000;
const ROWS_MAX = 500;
const HISTORY = 60; // Points of a small chart.

const $ = (id) => document.getElementById(id);
const body = (part) => $(part).querySelector(".body");

let server, live, url;

/* ---- Token and theme ---- */

function takeToken() {
    const match = /(?:^#|&)token=([^&]+)/.exec(location.hash);

    if (match) { // It is not to stay in the address.
        sessionStorage.setItem("tandem-token", decodeURIComponent(match[1]));
        history.replaceState(null, "", location.pathname);
    }
    return sessionStorage.getItem("tandem-token");
}

function askForToken(why) {
    $("parts").hidden = true;
    $("ask").hidden = false;
    $("why").textContent = why || "";
    $("token").focus();
}

$("ask").onsubmit = (event) => {
    event.preventDefault();
    sessionStorage.setItem("tandem-token", $("token").value.trim());
    $("token").value = "";
    begin();
};

$("theme").onclick = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
        ? root.dataset.theme === "dark"
        : matchMedia("(prefers-color-scheme: dark)").matches;

    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("tandem-theme", root.dataset.theme);
};
document.documentElement.dataset.theme = localStorage.getItem("tandem-theme") || "";

/* ---- Parts ---- */

/* Puts 'children' into a part, unless they are what is there already: so that a selection, or an
 * opened detail, is not lost. */
function show(part, ...children) {
    const fresh = el("div", {}, ...children), place = body(part);

    if (place.dataset.is !== fresh.innerHTML) {
        place.dataset.is = fresh.innerHTML;
        place.replaceChildren(...fresh.childNodes);
    }
}

function showTrouble(part, error) {
    show(part, el("p", { class: "bad" }, `This cannot be told now: ${error.message}`));
}

/* -- Sessions -- */

const states = new Map(); // Of sessions, by id, with the time they are of.

async function stateOf(session) {
    const known = states.get(session.session_id);

    if (!known || known.updated !== session.updated_at) {
        const answer = await server.tool("pos_workflow",
                                         { action: "get_state", session_id: session.session_id });

        states.set(session.session_id,
                   { updated: session.updated_at, state: answer.workflow_state });
    }
    return states.get(session.session_id).state;
}

function phaseOf(state, n) {
    const result = (state.checkpoints || {})[n];
    const passed = state.completed_phases.includes(n);
    const current = !state.is_complete && state.current_phase === n;
    const word = passed ? "passed" : result === "failed" ? "failed" : current ? "open" : "to come";

    return el("li", {
        class: `${word === "passed" ? "passed" : word === "failed" ? "failed" : ""} ${current ? "current" : ""}`,
        title: `Phase ${n}: ${word}`,
        "aria-current": current ? "step" : null,
    }, `${passed ? "✓" : word === "failed" ? "✕" : current ? "▸" : ""} ${n}`,
       el("div", { class: "dim" }, word));
}

function sessionCard(session, state) {
    const tone = { active: "good", failed: "bad", error: "bad", paused: "warn" }[session.session_status] || "dim";
    const error = session.session_status === "failed" && state && state.resumption &&
        state.resumption.last_error;
    const phases = state ? Array.from({ length: state.total_phases }, (_, n) => phaseOf(state, n))
                         : [];

    return el("article", { class: "session" },
              el("h3", {}, session.workflow_type,
                 el("span", { class: `chip ${tone}` }, session.session_status)),
              el("p", { class: "what" }, `${session.target_file} · ${ago(session.updated_at)}`,
                 state && state.current_phase_title && !state.is_complete
                     ? ` · now: ${state.current_phase_title}` : ""),
              el("ol", { class: "phases", "aria-label": "Phases" }, ...phases),
              error ? el("p", { class: "bad" }, typeof error === "string" ? error
                                                                          : error.message || "") : null);
}

async function drawSessions() {
    const { sessions } = await server.tool("pos_workflow", { action: "list_sessions" });
    const newest = sessions.sort((a, b) => b.updated_at.localeCompare(a.updated_at)).slice(0, 12);
    const all = await Promise.all(newest.map((s) => stateOf(s).catch(() => null)));

    if (!newest.length) {
        show("sessions", empty("No workflow has been started. An agent starts one with the tool ",
                               code("pos_workflow"), ", you with ",
                               code("tandem call pos_workflow action=start workflow_type=… target_file=…")));
        return;
    }
    show("sessions", ...newest.map((s, i) => sessionCard(s, all[i])),
         sessions.length > newest.length
             ? empty(`and ${sessions.length - newest.length} more`) : null);
}

/* -- Events -- */

const events = { shown: 0, held: [], paused: false, filter: "" };

/* As the server's patterns if it looks like one, else a word to be found. */
function matches(event) {
    const wanted = events.filter;

    if (!wanted) {
        return true;
    }
    if (/^[a-z0-9_.*]+$/.test(wanted) && wanted.includes("*")) {
        const source = wanted.split(".").map((segment, i, all) =>
            segment === "**" ? ".*"
                : segment === "*" ? (i === all.length - 1 ? ".+" : "[^.]+") : segment)
            .join("\\.").replace("\\..*", "(\\..*)?");

        return new RegExp(`^${source}$`).test(event.topic);
    }
    return JSON.stringify(event).toLowerCase().includes(wanted.toLowerCase());
}

function addRow(row) {
    const rows = $("rows");

    rows.prepend(row);
    while (rows.children.length > ROWS_MAX) {
        rows.lastChild.remove();
    }
    $("events").querySelector(".empty").hidden = true;
}

function addEvent(event) {
    const data = event.data && Object.keys(event.data).length ? JSON.stringify(event.data) : "";
    const row = el("li", {},
                   el("span", { class: "dim num" }, String(event.seq)),
                   el("time", { class: "dim num", datetime: event.timestamp },
                      new Date(event.timestamp).toLocaleTimeString()),
                   el("span", { class: "topic" }, event.topic),
                   data ? code(data.length > 400 ? `${data.slice(0, 400)}…` : data) : null);

    row.event = event;
    row.hidden = !matches(event);
    addRow(row);
}

function addNotice(text) {
    addRow(el("li", { class: "gap" }, text));
}

function tell(event) {
    if (events.paused) {
        events.held.push(event);
        $("held").textContent = `${events.held.length} held`;
    } else {
        addEvent(event);
    }
    concern(event.topic);
}

$("filter").oninput = () => {
    events.filter = $("filter").value.trim();
    for (const row of $("rows").children) {
        row.hidden = row.event ? !matches(row.event) : false;
    }
};

$("pause").onclick = () => {
    events.paused = !events.paused;
    $("pause").setAttribute("aria-pressed", String(events.paused));
    $("pause").textContent = events.paused ? "Go on" : "Pause";
    if (!events.paused) {
        events.held.splice(0).forEach(addEvent);
        $("held").textContent = "";
    }
};

/* -- What is counted -- */

const histories = new Map();

/* The last values under a name, with this one. */
function history_of(name, value) {
    const values = histories.get(name) || [];

    values.push(value);
    values.splice(0, values.length - HISTORY);
    histories.set(name, values);
    return [...values];
}

/* How much a growing number has grown between two looks. */
function growth(name, value) {
    const before = histories.get(`${name} at`);

    histories.set(`${name} at`, value);
    return history_of(name, before === undefined ? 0 : Math.max(0, value - before));
}

function drawTools(tools) {
    const names = Object.keys(tools).sort((a, b) => tools[b].calls - tools[a].calls);

    if (!names.length) {
        show("tools", empty("No tool has been called. Try ", code("tandem call current_date")));
        return;
    }
    show("tools", table("Calls by tool", ["tool", "calls", "errors", "p50", "p95", "p99", "last 2 min"],
        names.map((name) => {
            const t = tools[name];
            const calls = growth(`tool ${name}`, t.calls);

            return [code(name), String(t.calls),
                    el("span", { class: t.errors ? "bad" : "" }, String(t.errors)),
                    ms(t.p50_ms), ms(t.p95_ms), ms(t.p99_ms),
                    spark(calls, `calls of ${name} over the last two minutes`)];
        })));
}

function drawCaches(caches) {
    const names = Object.keys(caches).sort();

    show("caches", table("Caches",
        ["cache", "hits", "misses", "double loads", "lock waits", "size", "looked up", "waited"],
        names.map((name) => {
            const c = caches[name];
            const number = (value) => value === null || value === undefined ? "–" : String(value);
            const looks = growth(`cache ${name}`, (c.hits || 0) + (c.misses || 0));

            return [code(name), number(c.hits), number(c.misses), number(c.double_loads),
                    number(c.lock_waits), `${number(c.size)} of ${number(c.max)}`,
                    spark(looks, `look-ups in ${name} over the last two minutes`),
                    spark(growth(`waits ${name}`, c.lock_waits || 0),
                          `waits for the lock of ${name} over the last two minutes`)];
        })));
}

function drawServer(info) {
    const s = info.server, up = Math.floor(s.uptime_seconds);
    const flight = Object.values(info.requests_in_flight).reduce((a, b) => a + b, 0);

    $("project").textContent = info.project.name;
    document.title = `${info.project.name} · tandem`;
    $("server").textContent = `${s.version} · ${s.transport_mode} · pid ${s.pid} · up ${
        up < 60 ? `${up} s` : up < 3600 ? `${Math.floor(up / 60)} min` : `${Math.floor(up / 3600)} h`
    } · ${flight} in flight`;
    drawIndex(info.index);
}

function drawIndex(index) {
    if (!index || index.state === "none") {
        show("index", empty("There is no index: the project has no standards. Put Markdown files into ",
                            code(".tandem/standards/")));
        return;
    }
    show("index", facts([
        ["State", el("span", { class: index.stale ? "warn" : "good" },
                     index.stale ? "being brought up to date" : index.state)],
        ["Files", `${index.files}${index.skipped ? `, ${index.skipped} skipped` : ""}`],
        ["Passages", String(index.chunks)],
        ["Generation", String(index.generation)],
        ["Built", index.built_at ? ago(index.built_at) : null],
        ["Size", bytes(index.bytes)],
        ["Trouble", index.trouble || index.last_error],
    ]));
}

async function drawQuotas() {
    const { services, reduced_rate: reduced } = await server.resource("tandem://quota/summary");

    if (!services.length) {
        show("quotas", empty("No service is limited. Name one in ", code("config.json"), ": ",
                             code('{"quota": {"services": ["mail=100/day"]}}')));
        return;
    }
    show("quotas", reduced ? el("p", { class: "warn" }, "Counts cannot be stored: a quarter of each limit is given out.") : null,
         ...services.map((q) => {
             const tone = q.is_critical ? "bad" : q.is_warning ? "warn" : "";

             return el("div", {}, el("h3", {}, q.service, " ",
                                     el("span", { class: `num ${tone || "dim"}` },
                                        `${q.used} of ${q.limit} a ${q.period}`)),
                       meter(q.percent_used, tone, [50, 80],
                             `${q.service}: ${q.percent_used} percent used`),
                       el("p", { class: "dim" }, `${q.remaining} left, anew at ${
                           new Date(q.reset_at).toLocaleString()}`));
         }));
}

async function drawFailures() {
    const { failures } = await server.resource("tandem://failures");

    if (!failures.length) {
        show("failures", empty("Nothing has failed. Agents report what their tools gave with ",
                               code("record_tool_outcome")));
        return;
    }
    show("failures", el("ul", { class: "list" }, ...failures.slice(0, 12).map((f) =>
        el("li", {}, el("span", { class: f.fixed ? "good" : "bad" }, f.fixed ? "✓ fixed " : "✕ "),
           code(f.tool_name), ` ${f.task_type}: ${f.error_message}`,
           f.fixed && f.fix_timestamp ? el("div", { class: "dim" }, `fixed ${ago(f.fix_timestamp)}`)
                                      : null))));
}

/* -- How to connect -- */

function drawConnect() {
    const clients = [
        ["Claude Code", "claude mcp add tandem -- tandem serve"],
        ["VS Code: .vscode/mcp.json",
         '{"servers": {"tandem": {"type": "stdio", "command": "tandem", "args": ["serve", "--root", "${workspaceFolder}"]}}}'],
        ["Cursor: .cursor/mcp.json",
         '{"mcpServers": {"tandem": {"command": "tandem", "args": ["serve", "--root", "${workspaceFolder}"]}}}'],
        ["Over HTTP, with the token that .tandem/token holds",
         `{"mcpServers": {"tandem": {"type": "http", "url": "${url}/mcp", "headers": {"Authorization": "Bearer TOKEN"}}}}`],
        ["A script",
         `curl -s -H "Authorization: Bearer $(cat .tandem/token)" ${url}/api/tools`],
        ["Events as lines", "tandem watch 'workflow.*'"],
    ];

    show("connect", ...clients.map(([name, text], i) =>
        el("details", { open: i === 0 }, el("summary", {}, name), el("pre", {}, text),
           el("button", { type: "button", onclick: (event) => copy(event.target, text),
                          "aria-label": `Copy: ${name}` }, "Copy"))));
}

async function copy(button, text) {
    try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
    } catch {
        button.textContent = "Select and copy it";
    }
}

/* ---- When ---- */

const parts = {
    sessions: drawSessions,
    quotas: drawQuotas,
    failures: drawFailures,
};
const due = new Set(), drawing = new Set();

/* Draws a part soon, once however many ask for it. */
function want(part) {
    if (due.has(part)) {
        return;
    }
    due.add(part);
    setTimeout(async () => {
        due.delete(part);
        if (drawing.has(part)) {
            want(part);
            return;
        }
        drawing.add(part);
        await parts[part]().catch((error) => showTrouble(part, error));
        drawing.delete(part);
    }, 100);
}

/* Which part an event concerns. */
function concern(topic) {
    const type = topic.split(".")[0];

    if (type === "workflow") {
        want("sessions");
    } else if (type === "quota") {
        want("quotas");
    } else if (type === "failure") {
        want("failures");
    }
}

/* What is counted is looked at again and again, as long as somebody looks. */
async function look() {
    try {
        if (document.visibilityState === "visible") {
            const [info, metrics] = await Promise.all([
                server.resource("tandem://server/info"), server.resource("tandem://server/metrics")]);

            drawServer(info);
            drawTools(metrics.tools);
            drawCaches(metrics.caches);
            want("quotas");
        }
    } catch (error) {
        if (error.status === 401) {
            askForToken(error.message);
            return;
        }
        ["tools", "caches"].forEach((part) => showTrouble(part, error));
    }
    look.timer = setTimeout(look, LOOK_MS);
}

function begin() {
    const token = takeToken();

    url = location.origin;
    server = new Server(token);
    clearTimeout(look.timer);
    $("ask").hidden = true;
    $("parts").hidden = false;
    if (live) {
        live.refused = true;
        live.socket.close();
    }
    live = new Live(token, {
        event: tell,
        gap: (from, to) => addNotice(`Events ${from} to ${to} are not to be had any more`),
        restart: () => {
            addNotice("The server has started anew");
            Object.keys(parts).forEach(want);
        },
        state: (word, why) => {
            $("link").dataset.state = word;
            $("link").textContent = { live: "live", connecting: "connecting", refused: "no entry" }[word];
            if (word === "live") {
                Object.keys(parts).forEach(want);
            } else if (word === "refused") {
                askForToken(why);
            }
        },
    });
    drawConnect();
    look();
}

begin();
