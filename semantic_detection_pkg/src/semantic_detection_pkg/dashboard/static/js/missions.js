// A recorded mission: its timeline, its frames with what was detected in them, its findings to accept or reject.

import { byId, clock, element, moment, setText } from "./dom.js";
import { Findings } from "./findings.js";
import { Link } from "./link.js";
import { TEXTS } from "./words.js";

const LEVELS = TEXTS["ScanState.level"];
const STEPS = 1000; // of the slider
const PLAY_MS = 400;

class Missions {
  constructor() {
    this.link = new Link(false);
    this.missions = [];
    this.atNs = 0n;
    this.wanted = null; // newest request while one is under way
    this.isBusy = false;
    this.findings = new Findings(this.link, (finding) => this.isOfMission(finding), (finding) => this.jump(finding));
    byId("mission-choice").addEventListener("change", () => this.choose());
    byId("mission-again").addEventListener("click", () => this.read());
    byId("at").addEventListener("input", ({ target }) => this.ask(this.timeOf(Number(target.value))));
    byId("previous").addEventListener("click", () => this.ask(this.atNs, "previous"));
    byId("next").addEventListener("click", () => this.ask(this.atNs + 1n));
    byId("play").addEventListener("click", () => this.play());
    document.addEventListener("keydown", (event) => this.key(event));
    this.link.addEventListener("news", ({ detail }) => detail.has("findings") && this.drawTimeline());
    this.read();
  }

  async read() {
    const response = await fetch("/api/missions").catch(() => null);
    this.missions = response?.ok ? await response.json() : [];
    const before = byId("mission-choice").value;
    byId("mission-choice").replaceChildren(...(this.missions.length ? this.missions.map((one) => element("option", {
      value: one.begun_ns, textContent: `${moment(one.begun_ns)}: ${one.words.join(", ")}`,
    })) : [element("option", { value: "", textContent: response?.ok ? "no mission is recorded yet" : "the recording cannot be read" })]));
    if (this.missions.some((one) => one.begun_ns === before)) byId("mission-choice").value = before;
    this.choose();
  }

  choose() {
    this.mission = this.missions.find((one) => one.begun_ns === byId("mission-choice").value);
    const { mission } = this;
    setText(byId("mission-told"), mission ? [`${clock(mission.start_ns)} to ${clock(mission.end_ns)}`, mission.outcome].filter(Boolean).join(". ") : "");
    this.drawTimeline();
    this.findings.tell();
    if (mission) this.ask(BigInt(mission.start_ns));
  }

  isOfMission(finding) {
    return Boolean(this.mission) && finding.id.startsWith(`${this.mission.begun_ns}-`);
  }

  get lengthNs() {
    const ns = BigInt(this.mission.end_ns) - BigInt(this.mission.start_ns);
    return ns > 0n ? ns : 1n;
  }

  timeOf(step) {
    return this.mission ? BigInt(this.mission.start_ns) + (this.lengthNs * BigInt(step)) / BigInt(STEPS) : 0n;
  }

  shareOf(ns) {
    return Math.max(0, Math.min(1, Number(((BigInt(ns) - BigInt(this.mission.start_ns)) * 10000n) / this.lengthNs) / 10000));
  }

  drawTimeline() {
    if (!this.mission) return void byId("timeline").replaceChildren();
    const { levels, end_ns: end } = this.mission;
    const spans = levels.map(([at, level], index) => {
      const [from, to] = [this.shareOf(at), this.shareOf(levels[index + 1]?.[0] ?? end)];
      const span = element("i", { className: level, title: LEVELS[level] ?? level });
      span.style.left = `${100 * from}%`;
      span.style.width = `${100 * Math.max(to - from, 0.002)}%`;
      return span;
    });
    const marks = (this.link.sections.findings ?? []).filter((one) => this.isOfMission(one)).map((one) => {
      const mark = element("b", { className: one.state, title: one.class_name });
      mark.style.left = `${100 * this.shareOf(one.best_frame)}%`;
      mark.addEventListener("click", () => this.jump(one));
      return mark;
    });
    byId("timeline").replaceChildren(...spans, ...marks);
  }

  jump(finding) {
    this.ask(BigInt(finding.best_frame), "of");
    byId("player").scrollIntoView({ block: "nearest" });
  }

  /** Show a frame; while one is being fetched only the newest wish counts. */
  async ask(atNs, step = "next") {
    this.wanted = [atNs < 0n ? 0n : atNs, step];
    if (this.isBusy) return;
    this.isBusy = true;
    while (this.wanted) {
      const [at, which] = this.wanted;
      this.wanted = null;
      const response = await fetch(`/api/missions/frame?at_ns=${at}&step=${which}`).catch(() => null);
      if (response?.ok) await this.show(response);
      else if (!this.wanted) this.tellNone();
    }
    this.isBusy = false;
  }

  async show(response) {
    const address = URL.createObjectURL(await response.blob());
    const image = byId("frame");
    URL.revokeObjectURL(image.src);
    image.src = address;
    this.atNs = BigInt(response.headers.get("X-Received-Ns"));
    image.dataset.stamp = response.headers.get("X-Stamp-Ns");
    byId("frame-none").hidden = true;
    if (this.mission && document.activeElement !== byId("at")) byId("at").value = Math.round(this.shareOf(this.atNs) * STEPS);
    const objects = response.headers.get("X-Objects");
    setText(byId("frame-told"), `${moment(image.dataset.stamp)}  ${objects === "" ? "no detections recorded" : `${objects} detected`}`);
  }

  tellNone() {
    byId("frame-none").hidden = false;
    this.stop();
  }

  play() {
    if (this.timer) return this.stop();
    setText(byId("play"), "Stop");
    this.timer = setInterval(() => {
      if (this.mission && this.atNs >= BigInt(this.mission.end_ns)) return this.stop();
      if (!this.isBusy) this.ask(this.atNs + 1n);
    }, PLAY_MS);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
    setText(byId("play"), "Play");
  }

  key(event) {
    if (event.target.closest("input, textarea, select, dialog")) return;
    if (event.key === "ArrowLeft") this.ask(this.atNs, "previous");
    else if (event.key === "ArrowRight") this.ask(this.atNs + 1n);
  }
}

new Missions();
