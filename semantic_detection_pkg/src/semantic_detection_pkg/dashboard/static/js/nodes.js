// What every node says of itself, and the last lines of the log.

import { byId, clock, element, setText } from "./dom.js";

const SILENT_S = 4;

/** Seconds since a node last spoke, against the newest word of all. */
export function silenceOf(diagnostics, name) {
  const stamps = Object.values(diagnostics).map((one) => BigInt(one.heard_ns));
  const newest = stamps.reduce((a, b) => (a > b ? a : b), 0n);
  return Number(newest - BigInt(diagnostics[name].heard_ns)) / 1e9;
}

export class Nodes {
  constructor(link) {
    this.link = link;
    link.addEventListener("news", ({ detail }) => {
      if (detail.has("diagnostics")) this.tellNodes();
      if (detail.has("log")) this.tellLog();
    });
  }

  tellNodes() {
    const { diagnostics } = this.link.sections;
    const names = Object.keys(diagnostics).sort();
    setText(byId("node-count"), String(names.length));
    byId("node-list").replaceChildren(...names.map((name) => {
      const one = diagnostics[name];
      const silence = silenceOf(diagnostics, name);
      const isSilent = silence > SILENT_S;
      const figures = Object.entries(one.values).map(([key, value]) => `${key} ${value}`).join("\n");
      return element("li", { title: figures },
        element("i", { className: isSilent ? "stale" : one.level }), element("b", { textContent: name }),
        element("span", { textContent: isSilent ? `silent for ${silence.toFixed(0)} s` : one.message }));
    }));
  }

  tellLog() {
    const list = byId("log-lines");
    const isAtEnd = list.scrollTop + list.clientHeight > list.scrollHeight - 20;
    list.replaceChildren(...this.link.sections.log.map((line) => element("li", { className: line.level },
      element("time", { textContent: clock(line.stamp_ns) }), element("b", { textContent: line.name }),
      element("span", { textContent: line.text }))));
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  }
}
