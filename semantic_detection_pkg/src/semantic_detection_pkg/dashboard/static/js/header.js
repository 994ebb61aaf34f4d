// The head of the page: the parts at a glance, who holds control, stop, theme.

import { byId, element, fixed, setText, toast } from "./dom.js";
import { silenceOf } from "./nodes.js";
import { TEXTS } from "./words.js";

const DETECTOR_SILENT_S = 1.2;
const GIMBAL_SILENT_S = 1;
const NODE_SILENT_S = 4;

export class Header {
  constructor(link, api, steering, session) {
    Object.assign(this, { link, api, session });
    byId("stop").addEventListener("click", () => this.stop());
    byId("take").addEventListener("click", () => this.takeOrGive());
    byId("theme").addEventListener("click", () => this.setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
    this.setTheme(localStorage.getItem("theme") || "dark");
    document.addEventListener("keydown", (event) => {
      const isWriting = /^(INPUT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "range" && event.target.type !== "checkbox";
      if (event.code !== "Space" || isWriting || event.repeat) return;
      event.preventDefault();
      steering.end();
      this.stop();
    });
    link.addEventListener("news", () => this.tell());
    link.addEventListener("gone", ({ detail }) => this.tellGone(detail.wasOpen));
    link.addEventListener("open", () => { byId("banner").hidden = true; });
  }

  setTheme(name) {
    document.documentElement.dataset.theme = name;
    localStorage.setItem("theme", name);
  }

  async stop() {
    byId("stop").animate([{ filter: "brightness(1.8)" }, { filter: "none" }], 300);
    await this.api.stop();
  }

  async takeOrGive() {
    const { me, sections } = this.link;
    if (!me.may_control) return this.session.ask("Control needs the token.");
    const holder = sections.operator?.name;
    if (me.is_operator) return this.api.post("operator", { is_taken: false });
    if (holder && !confirm(`${holder} holds control. Take it all the same?`)) return undefined;
    return this.api.post("operator", { is_taken: true, is_forced: Boolean(holder) });
  }

  tell() {
    const { me, sections } = this.link;
    const holder = sections.operator?.name ?? "";
    // Control that has just been lost is still announced as ours: who has it comes next.
    const isSettled = me.is_operator || holder !== me.name;
    if (isSettled && this.wasOperator && !me.is_operator && holder) toast(`${holder} has taken control`, "bad");
    if (isSettled) this.wasOperator = me.is_operator;
    document.body.classList.toggle("is-operator", me.is_operator);
    setText(byId("holder"), me.is_operator ? "you hold control" : holder ? `${holder} holds control` : "nobody holds control");
    setText(byId("take"), !me.may_control ? "Sign in" : me.is_operator ? "Give back" : "Take control");
    byId("take").className = me.is_operator ? "held" : "";
    byId("take").disabled = false;
    setText(byId("robot"), sections.robot?.name ?? "");
    const chips = byId("chips");
    const key = JSON.stringify(this.parts());
    if (chips.dataset.key === key) return;
    chips.dataset.key = key;
    chips.replaceChildren(...this.parts().map(([name, kind, text]) => {
      const chip = element("li", { className: kind, title: text }, element("b", { textContent: name }), text);
      chip.dataset.part = name.toLowerCase();
      return chip;
    }));
  }

  tellGone(wasOpen) {
    const banner = byId("banner");
    banner.hidden = false;
    byId("take").disabled = false;  // where it signs in
    setText(banner, "No connection to the dashboard. What you see is old.");
    document.body.classList.remove("is-operator");
    if (wasOpen) toast("connection lost", "bad");
    else this.session.check();
  }

  /** [name, kind, words] of each part. */
  parts() {
    const { sections, ages } = this.link;
    return [
      ["Camera", ...this.node("camera")],
      ["Detector", ...this.detector(sections, ages)],
      ["Gimbal", ...gimbal(sections.gimbal, ages.gimbal)],
      ["GPU", ...gpu(sections.gpu)],
      ["Scan", ...scan(sections)],
      ["Recorder", ...(sections.recorder ? [sections.recorder.is_recording ? "good" : "bad", sections.recorder.is_recording ? "recording" : "not recording"] : ["", "absent"])],
      ["Health", ...health(sections)],
    ];
  }

  node(name) {
    const diagnostics = this.link.sections.diagnostics ?? {};
    const key = Object.keys(diagnostics).find((one) => one === name || one.endsWith(`/${name}`));
    if (!key) return ["", "absent"];
    const silence = silenceOf(diagnostics, key);
    if (silence > NODE_SILENT_S) return ["bad", `silent for ${silence.toFixed(0)} s`];
    const { level, message, values } = diagnostics[key];
    return [{ ok: "good", warn: "warn" }[level] ?? "bad", level === "ok" ? `${values.frames_per_s ?? ""} /s` : message];
  }

  detector(sections, ages) {
    if (sections.gpu?.owner === "lease") return ["warn", "waits for the VLM"];
    if (!sections.detector) return this.node("detector");
    if (ages.detector > DETECTOR_SILENT_S) return ["bad", `silent for ${ages.detector.toFixed(0)} s`];
    const { rate_hz: rate, looks, finest_look: finest, looks_given_up: givenUp } = sections.detector;
    const tiles = looks > 1 ? `, ${looks} looks up to ${fixed(finest, 1)}x` : "";
    const complaint = sections.health?.reasons.find((reason) => reason.startsWith("detections are "));
    if (complaint) return ["warn", `${rate} /s, ${["slow", "late"].filter((word) => complaint.includes(word)).join(", ")}`];
    if (givenUp) return ["warn", `${rate} /s, ${givenUp} of ${looks + givenUp} looks given up`];
    return ["good", `${rate} /s${tiles}`];
  }
}

/** The level, and of a warning what it is about. */
function health({ health: state, server }) {
  const complaint = server?.complaint?.split(",")[0];
  if (!state) return complaint ? ["warn", complaint] : ["", "absent"];
  if (state.level === "ok") return complaint ? ["warn", complaint] : ["good", "ok"];
  const first = state.level === "warn" ? state.reasons[0]?.split(",")[0] ?? state.level : TEXTS["HealthState.level"][state.level] ?? state.level;
  return [state.level === "warn" ? "warn" : "bad", first];
}

function gimbal(state, age) {
  if (!state) return ["", "absent"];
  if (age > GIMBAL_SILENT_S) return ["bad", `silent for ${age.toFixed(0)} s`];
  return [{ up: "good", down: "bad" }[state.link] ?? "warn", state.link];
}

function gpu(state) {
  if (!state) return ["", "absent"];
  return [state.is_degraded ? "bad" : "good", state.is_degraded ? state.reason : state.purpose || TEXTS["GpuState.owner"][state.owner] || state.owner];
}

function scan({ scan: state, presence }) {
  if (!state) return ["", "absent"];
  if (presence && !presence.scan) return ["bad", "gone"];
  return [{ sweep: "good", close: "good", safe: "warn" }[state.level] ?? "", state.is_paused ? "paused" : state.level];
}
