// What the next scan is to do. The fields keep what was last asked of the robot, by whichever page, until somebody
// changes them here.

import { byId, degrees, isNumber, radians, toast } from "./dom.js";
import { textOf, wordsOf } from "./word_text.js";

const AREA = { "yaw-max": "yaw_max_rad", "yaw-min": "yaw_min_rad", "pitch-min": "pitch_min_rad", "pitch-max": "pitch_max_rad" };
const IDS = [...Object.keys(AREA), "words", "repeat", "planner", "wanted-pod"];
const UNDER_WAY = ["sweep", "close", "safe"];

export class ScanForm {
  constructor(link, api, weights) {
    Object.assign(this, { link, api, weights });
    this.isTouched = false;
    for (const id of IDS) byId(id).addEventListener("input", () => { this.isTouched = true; });
    byId("planner").addEventListener("change", () => this.show());
    byId("words-form").addEventListener("submit", (event) => {
      event.preventDefault();
      // A scan holds on to its own words: new ones begin it again.
      if (UNDER_WAY.includes(link.sections.scan?.level)) return void this.start();
      if (api.maySteer()) api.post("vocabulary", { words: this.words() });
    });
    byId("scan-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
    link.addEventListener("news", ({ detail }) => {
      if (detail.has("goal")) this.take(link.sections.goal);
      if (detail.has("detector")) this.takeVocabulary(link.sections.detector.vocabulary);
    });
    this.show();
  }

  words() {
    return wordsOf(byId("words").value);
  }

  /** Look for a class that was shown, too; says what a scan that is under way makes of it. */
  addWord(name) {
    const words = this.words();
    const isNew = !words.some((word) => word.split("=")[0].trim().toLowerCase() === name.toLowerCase());
    if (isNew && words.length) byId("words").value = textOf([...words, name]);
    if (!UNDER_WAY.includes(this.link.sections.scan?.level) || !isNew) return "";
    this.isTouched = true;
    return "The scan holds on to its own words: Set begins it again with this one. ";
  }

  /** What the fields ask to search. */
  area() {
    return Object.fromEntries(Object.entries(AREA).map(([id, name]) => [name, radians(Number(byId(id).value))]));
  }

  /** Ask for another area; to a tenth of a degree, and not less than that. */
  setArea(area) {
    for (const [id, name] of Object.entries(AREA)) {
      const cut = name.endsWith("max_rad") ? Math.ceil : Math.floor;
      byId(id).value = cut(degrees(area[name]) * 10) / 10;
    }
    this.isTouched = true;
  }

  async start() {
    if (!this.api.maySteer()) return;
    const words = this.words().length ? this.words() : this.link.sections.detector?.vocabulary ?? [];
    if (!words.length) return void toast("write at least one word to look for", "bad");
    const isBegun = await this.api.post("scan/start", {
      ...this.area(), words, is_repeated: byId("repeat").checked, weights: this.weights.parts,
      planner: byId("planner").value, wanted_pod: byId("wanted-pod").disabled ? 0 : Number(byId("wanted-pod").value) / 100,
    });
    if (isBegun) this.isTouched = this.weights.isTouched = false;
  }

  /** Show what was last asked of the robot, unless somebody is about to ask for something else. */
  take(goal) {
    if (!this.weights.isTouched) this.weights.take(goal.weights);
    if (this.isTouched) return;
    for (const [id, name] of Object.entries(AREA)) {
      if (isNumber(goal.area[name])) byId(id).value = Math.round(degrees(goal.area[name]) * 10) / 10;
    }
    byId("words").value = textOf(goal.words);
    byId("repeat").checked = goal.is_repeated;
    byId("planner").value = goal.planner;
    byId("wanted-pod").value = goal.wanted_pod ? Math.round(goal.wanted_pod * 100) : "";
    this.show();
  }

  /** Before any scan: what the detector looks for. */
  takeVocabulary(words) {
    if (!this.link.sections.goal && !this.isTouched && !byId("words").value) byId("words").value = textOf(words);
  }

  show() {
    byId("wanted-pod").disabled = byId("planner").value === "sweep";
  }
}
