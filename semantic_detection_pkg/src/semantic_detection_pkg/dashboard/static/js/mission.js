// The mission's panel: level and tier, words, start, pause, end.

import { byId, degrees, element, fixed, radians, setFigures, setText, toast } from "./dom.js";
import { TEXTS } from "./words.js";

const LADDER = [["sweep", 0, "Sweep"], ["close", 0, "Approach"], ["close", 1, "Tier 1"], ["close", 2, "Tier 2"], ["close", 3, "Tier 3"]];
const AREA = { "yaw-max": "yaw_max_rad", "yaw-min": "yaw_min_rad", "pitch-min": "pitch_min_rad", "pitch-max": "pitch_max_rad" };
const LEVELS = TEXTS["ScanState.level"];

export class Mission {
  constructor(link, api, weights) {
    Object.assign(this, { link, api, weights });
    byId("ladder").replaceChildren(...LADDER.map(([, , name]) => element("li", { textContent: name })));
    byId("words-form").addEventListener("submit", (event) => {
      // A scan holds on to its own words: new ones begin it again.
      if (["sweep", "close", "safe"].includes(link.sections.scan?.level)) return void this.start(event);
      event.preventDefault();
      if (api.maySteer()) api.post("vocabulary", { words: this.words() });
    });
    byId("scan-form").addEventListener("submit", (event) => this.start(event));
    byId("pause").addEventListener("click", () => api.maySteer() && api.post("scan/pause", { is_paused: !this.isPaused }));
    byId("end").addEventListener("click", () => api.maySteer() && api.post("scan/stop"));
    link.addEventListener("news", ({ detail }) => this.tell(detail));
  }

  get isPaused() {
    return Boolean(this.link.sections.scan?.is_paused);
  }

  words() {
    return byId("words").value.split(",").map((word) => word.trim()).filter(Boolean);
  }

  async start(event) {
    event.preventDefault();
    if (!this.api.maySteer()) return;
    const words = this.words().length ? this.words() : this.link.sections.detector?.vocabulary ?? [];
    if (!words.length) return void toast("write at least one word to look for", "bad");
    const area = Object.entries(AREA).map(([id, name]) => [name, radians(Number(byId(id).value))]);
    await this.api.post("scan/start", { ...Object.fromEntries(area), words, is_repeated: byId("repeat").checked, weights: this.weights.parts });
  }

  tell(changed = new Set()) {
    const { scan, detector, presence, scan_result: result } = this.link.sections;
    if (changed.has("detector")) this.tellWords(detector);
    const isThere = Boolean(presence?.scan);
    for (const id of ["start", "end"]) byId(id).disabled = !isThere;
    byId("pause").disabled = !presence?.["scan/pause"];
    const level = byId("level");
    level.className = `value ${scan?.level === "safe" ? "warn" : ""}`;
    setText(level, scan ? (isThere ? LEVELS[scan.level] ?? scan.level : "gone") : "no scan controller");
    const rungs = byId("ladder").children;
    LADDER.forEach(([name, tier], i) => rungs[i].classList.toggle("on", Boolean(scan) && isThere && scan.level === name && (scan.tier === tier)));
    if (scan && !this.isAreaKnown && scan.area.yaw_max_rad > scan.area.yaw_min_rad) this.tellArea(scan.area);
    setText(byId("pause"), this.isPaused ? "Go on" : "Pause");
    byId("pause").classList.toggle("held", this.isPaused);
    const ended = result && scan?.level === "idle" ? `ended: ${result.message}` : "";
    setText(byId("reason"), scan ? [scan.leaf, scan.reason || ended].filter(Boolean).join(": ") : "");
    byId("progress").value = scan?.coverage ?? 0;
    setFigures(byId("tally"), scan ? [
      ["area seen", fixed(scan.coverage * 100, 0, " %")], ["candidates", String(scan.candidates)],
      ["in hand", scan.track_id ? `#${scan.track_id}` : "–"], ["confirmed", String(scan.findings)],
    ] : []);
  }

  /** The form begins with the area of the scan that runs. */
  tellArea(area) {
    this.isAreaKnown = true;
    for (const [id, name] of Object.entries(AREA)) byId(id).value = Math.round(degrees(area[name]));
  }

  tellWords(detector) {
    const field = byId("words");
    const words = detector.vocabulary.join(", ");
    if (!field.value && document.activeElement !== field && !field.dataset.filled) {
      field.value = words;
      field.dataset.filled = "1";
    }
    const counts = detector.vocabulary.map((word) => (detector.counts[word] ? `${word} ${detector.counts[word]}` : word));
    setText(byId("in-force"), `in force: ${counts.join(", ")}`);
  }
}
