/* live.js -- the server's events as they happen, over the relay; and what it answers when asked. */

const RETRY_FIRST_MS = 300;
const RETRY_MOST_MS = 5000;

/* Follows the relay and comes back to it.  'told' has event(envelope), gap(from, to), restart() and
 * state(word, why): "connecting", "live", or "refused", after which it tries no more. */
export class Live {
    constructor(token, told) {
        this.token = token;
        this.told = told;
        this.wait = RETRY_FIRST_MS;
        this.connect();
    }

    connect() {
        const scheme = location.protocol === "https:" ? "wss:" : "ws:";
        const socket = new WebSocket(`${scheme}//${location.host}/ws`);

        this.socket = socket;
        this.told.state("connecting");
        socket.onopen = () => socket.send(JSON.stringify(this.hello()));
        socket.onmessage = (message) => this.take(JSON.parse(message.data));
        socket.onclose = () => this.again();
    }

    hello() {
        const hello = { type: "hello", patterns: ["*"] };

        if (this.token) {
            hello.token = this.token;
        }
        if (this.epoch) { // Where we were.
            hello.client_id = this.client;
            hello.epoch = this.epoch;
            hello.last_seq = this.seq;
        }
        return hello;
    }

    again() {
        if (!this.refused) {
            this.told.state("connecting");
            setTimeout(() => this.connect(), this.wait);
            this.wait = Math.min(this.wait * 2, RETRY_MOST_MS);
        }
    }

    take(frame) {
        switch (frame.type) {
        case "welcome":
            if (this.epoch && this.epoch !== frame.epoch) {
                this.told.restart();
            }
            this.client = frame.client_id;
            if (this.epoch !== frame.epoch) {
                this.seq = 0;
            }
            this.epoch = frame.epoch;
            this.wait = RETRY_FIRST_MS;
            this.told.state("live");
            break;
        case "event":
            this.pass(frame.event);
            break;
        case "replay":
            frame.events.forEach((event) => this.pass(event));
            break;
        case "gap":
            this.told.gap(frame.from, frame.to);
            break;
        case "error":
            if (frame.code === "unauthorized") {
                this.refused = true;
                this.told.state("refused", frame.message);
            }
            break;
        }
    }

    pass(event) {
        this.seq = event.seq;
        this.told.event(event);
    }
}

/* What is asked by plain HTTP. */
export class Server {
    constructor(token) {
        this.headers = token ? { Authorization: `Bearer ${token}` } : {};
    }

    async read(path, options = {}) {
        const answer = await fetch(path, {
            ...options,
            headers: { ...this.headers, ...options.headers },
            cache: "no-store",
        });
        const body = await answer.json();

        if (!answer.ok) {
            throw Object.assign(new Error(body.message || `status ${answer.status}`),
                                { status: answer.status });
        }
        return body;
    }

    async resource(uri) {
        const body = await this.read(`/api/resources?uri=${encodeURIComponent(uri)}`);

        return JSON.parse(body.contents[0].text);
    }

    tool(name, args = {}) {
        return this.read(`/api/tools/${name}`, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(args),
        });
    }
}
