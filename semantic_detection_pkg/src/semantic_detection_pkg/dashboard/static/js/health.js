// Health: the level with its reasons, and small plots of figures.

import { byId, bytes, element, fixed, setText } from "./dom.js";
import { drawPlot } from "./plot.js";

const LENGTH = 120;
const ms = (value) => fixed(value * 1000, value < 0.01 ? 1 : 0, " ms");
const PLOTS = [
  ["detector_rate", "Detector", (value) => fixed(value, 0, " /s")],
  ["detector_inference", "Inference", ms],
  ["detector_latency", "Capture to detections", ms],
  ["command_latency", "Capture to command, p95", ms],
  ["command_overhead", "The same without inference", ms],
  ["picture_rate", "Pictures", (value) => fixed(value, 0, " /s")],
  ["picture_age", "Picture age at viewers", ms],
  ["picture_encoding", "Drawing and encoding", ms],
  ["dashboard_processor", "Dashboard CPU", (value) => fixed(value, 2, " cores")],
  ["memory_available", "Memory free", bytes],
  ["gpu_load", "GPU load", (value) => fixed(value * 100, 0, " %")],
  ["temperature", "Hottest zone", (value) => fixed(value, 0, " °C")],
  ["disk_free", "Disk free", bytes],
  ["scan_coverage", "Area seen", (value) => fixed(value * 100, 0, " %")],
];
const KINDS = { ok: "good", warn: "warn", shed: "bad", critical: "bad" };

export class Health {
  constructor(link) {
    this.link = link;
    this.plots = PLOTS.map(([name, title, format]) => {
      const value = element("b");
      const canvas = element("canvas");
      const box = element("div", { className: "plot" }, element("span", { textContent: title, title: name }), value, canvas);
      byId("plots").append(box);
      return { name, format, value, canvas, box };
    });
    link.addEventListener("news", ({ detail }) => this.tell(detail));
  }

  tell(changed) {
    const { health, history, server } = this.link.sections;
    const level = byId("health-level");
    level.className = `value ${health ? KINDS[health.level] ?? "" : ""}`;
    setText(level, health ? health.level : "no health monitor");
    const shed = health?.shed.length ? `switched off: ${health.shed.join(", ")}` : "";
    setText(byId("health-reasons"), [...(health?.reasons ?? []), server?.complaint, shed].filter(Boolean).join("; "));
    if (!changed.has("history")) return;
    for (const { name, format, value, canvas, box } of this.plots) {
      const samples = history[name] ?? [];
      const newest = samples.at(-1);
      const isAbsent = newest === undefined || newest === null;
      box.classList.toggle("absent", isAbsent);
      setText(value, isAbsent ? "absent" : format(newest));
      drawPlot(canvas, samples, LENGTH);
    }
  }
}
