// What is looked for, and what the next scan is to do. The fields keep what was last asked of the robot, by whichever
// page or program, until somebody changes them here: words those in force, the others those of the last goal.

import { byId, degrees, isNumber, radians, setText, toast } from "./dom.js";
import { textOf, wordsOf } from "./word_text.js";

const AREA = { "yaw-max": "yaw_max_rad", "yaw-min": "yaw_min_rad", "pitch-min": "pitch_min_rad", "pitch-max": "pitch_max_rad" };
const IDS = [...Object.keys(AREA), "repeat", "planner", "wanted-pod"];
const UNDER_WAY = ["sweep", "close", "safe"];

export class ScanForm {
  constructor(link, api, weights) {
    Object.assign(this, { link, api, weights });
    this.isTouched = this.areWordsTouched = false;
    byId("words").addEventListener("input", () => {
      this.areWordsTouched = true;
      this.showSet();
    });
    for (const id of IDS) byId(id).addEventListener("input", () => { this.isTouched = true; });
    byId("planner").addEventListener("change", () => this.show());
    byId("words-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.set();
    });
    byId("scan-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.start();
    });
    link.addEventListener("news", ({ detail }) => {
      if (detail.has("goal")) this.take(link.sections.goal);
      if (detail.has("words")) this.takeWords(link.sections.words?.asked);
      if (detail.has("detector")) this.takeVocabulary(link.sections.detector.vocabulary);
    });
    this.show();
  }

  words() {
    return wordsOf(byId("words").value);
  }

  get isUnderWay() {
    return UNDER_WAY.includes(this.link.sections.scan?.level);
  }

  /** Look for these from now on; a scan that is under way goes on with them. */
  async set() {
    if (!this.api.maySteer()) return;
    const before = this.link.sections.words;
    const answer = await this.api.ask("vocabulary", { words: this.words() });
    if (!answer) return;
    this.areWordsTouched = false;
    const { words } = this.link.sections;
    if (words !== before) this.takeWords(words?.asked); // else it is on its way
    if (this.isUnderWay && !answer.message) toast("the scan goes on with these words");
  }

  /** Beside what somebody is writing, a class that was shown; says what a scan that is under way makes of it. */
  addWord(name) {
    const words = this.words();
    const isNew = !words.some((word) => word.split("=")[0].trim().toLowerCase() === name.toLowerCase());
    if (this.areWordsTouched && isNew && words.length) byId("words").value = textOf([...words, name]);
    return this.isUnderWay ? "The scan looks for it from now on. " : "";
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
    if (isBegun) this.isTouched = this.areWordsTouched = this.weights.isTouched = false;
  }

  /** Show what was last asked of the robot, unless somebody is about to ask for something else. */
  take(goal) {
    if (!this.weights.isTouched) this.weights.take(goal.weights);
    if (this.isTouched) return;
    for (const [id, name] of Object.entries(AREA)) {
      if (isNumber(goal.area[name])) byId(id).value = Math.round(degrees(goal.area[name]) * 10) / 10;
    }
    if (!this.link.sections.words) this.showWords(goal.words);
    byId("repeat").checked = goal.is_repeated;
    byId("planner").value = goal.planner;
    byId("wanted-pod").value = goal.wanted_pod ? Math.round(goal.wanted_pod * 100) : "";
    this.show();
  }

  /** Show what is looked for, unless somebody is about to ask for something else. */
  takeWords(asked) {
    if (asked?.length) this.showWords(asked);
  }

  /** The same of a detector that does not tell how it was asked. */
  takeVocabulary(words) {
    const { goal, words: told } = this.link.sections;
    if (!goal && !told && !byId("words").value) this.showWords(words);
  }

  showWords(words) {
    if (!this.areWordsTouched) byId("words").value = textOf(words);
    this.showSet();
  }

  /** Without a word all that the model was prepared for are looked for: the button says so. */
  showSet() {
    const isEmpty = !this.words().length;
    setText(byId("set-words"), isEmpty ? "All words" : "Set");
    byId("set-words").title = isEmpty ? "Nothing is written: look for all words that the model was prepared with" : "";
  }

  show() {
    byId("wanted-pod").disabled = byId("planner").value === "sweep";
    this.showSet();
  }
}
