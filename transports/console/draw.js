/* draw.js -- elements and small pictures.  Text goes in as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

/* An element with attributes ("class", "title", "onclick" ...) and children, strings or elements. */
export function el(name, attributes = {}, ...children) {
    const element = document.createElement(name);

    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith("on")) {
            element[key] = value;
        } else if (value !== undefined && value !== null && value !== false) {
            element.setAttribute(key, value === true ? "" : value);
        }
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
}

/* A line through 'values', the newest at the right; its words are for who does not see it. */
export function spark(values, label) {
    const svg = document.createElementNS(SVG, "svg");
    const most = Math.max(...values, 1), last = Math.max(values.length - 1, 1);
    const points = values.map((v, i) => `${(i / last) * 100},${29 - (v / most) * 27}`);

    svg.setAttribute("class", "spark");
    svg.setAttribute("viewBox", "0 0 100 30");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    if (values.length > 1) {
        for (const [name, d] of [["area", `M0,30 L${points.join(" L")} L100,30 Z`],
                                 ["line", `M${points.join(" L")}`]]) {
            const path = document.createElementNS(SVG, "path");

            path.setAttribute("class", name);
            path.setAttribute("d", d);
            svg.append(path);
        }
    }
    return svg;
}

/* A bar that is full at 100, with marks. */
export function meter(percent, className, marks, label) {
    const bar = el("div", { class: `meter ${className}`, role: "img", "aria-label": label },
                   el("i"));

    bar.firstChild.style.width = `${Math.min(100, Math.max(0, percent))}%`;
    for (const mark of marks) {
        const b = el("b");

        b.style.left = `${mark}%`;
        bar.append(b);
    }
    return bar;
}

/* A table: 'heads' are texts, rows arrays of texts or elements. */
export function table(caption, heads, rows) {
    return el("div", { class: "wide" },
              el("table", { "aria-label": caption },
                 el("thead", {}, el("tr", {}, ...heads.map((h) => el("th", { scope: "col" }, h)))),
                 el("tbody", {}, ...rows.map((row) =>
                     el("tr", {}, ...row.map((cell, i) =>
                         i === 0 ? el("th", { scope: "row" }, cell)
                                 : el("td", { class: "num" }, cell)))))));
}

export function facts(pairs) {
    return el("dl", { class: "facts" },
              ...pairs.filter(([, value]) => value !== undefined && value !== null && value !== "")
                      .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

export const empty = (...text) => el("p", { class: "empty" }, ...text);
export const code = (text) => el("code", {}, text);

export function bytes(n) {
    const units = ["B", "KiB", "MiB", "GiB"];
    let unit = 0;

    while (n >= 1024 && unit < 3) {
        n /= 1024;
        unit++;
    }
    return `${unit ? n.toFixed(1) : n} ${units[unit]}`;
}

export function ago(time) {
    const s = Math.max(0, (Date.now() - Date.parse(time)) / 1000);

    return s < 60 ? `${Math.floor(s)} s ago`
        : s < 3600 ? `${Math.floor(s / 60)} min ago`
        : s < 86400 ? `${Math.floor(s / 3600)} h ago` : time.slice(0, 10);
}

export function ms(value) {
    return value === null || value === undefined ? "–"
        : value < 1 ? `${(value * 1000).toFixed(0)} µs`
        : value < 1000 ? `${value.toFixed(value < 10 ? 1 : 0)} ms` : `${(value / 1000).toFixed(1)} s`;
}
