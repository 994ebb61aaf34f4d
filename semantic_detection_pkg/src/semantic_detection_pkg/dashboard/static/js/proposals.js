// What is proposed without a word of the model: what has an odd colour, and what has a colour that somebody picked.

import { byId, element, setText, toast } from "./dom.js";

const PATCH_PX = 2; // around the pixel that is picked, to all sides: cameras are noisy
const MOST = 8;

export class Proposals {
  constructor(link, api) {
    Object.assign(this, { link, api });
    this.isPicking = false;
    byId("anomalies").addEventListener("change", ({ target }) => this.set(target.checked, this.colours));
    byId("colour-add").addEventListener("click", () => this.add(byId("colour").value));
    byId("colour-pick").addEventListener("click", () => this.pick(!this.isPicking));
    byId("colour-known").addEventListener("change", ({ target }) => this.addKnown(target));
    // Before the picture's own listener: a click that picks a colour steers nothing.
    byId("live").addEventListener("pointerdown", (event) => this.take(event), { capture: true });
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.pick(false));
    link.addEventListener("news", ({ detail }) => detail.has("detector") && this.tell());
  }

  get shown() {
    return this.link.sections.detector?.proposals ?? { is_anomaly: false, colours: [], classes: [] };
  }

  get colours() {
    return this.shown.colours;
  }

  async set(isAnomaly, colours) {
    const isDone = this.api.maySteer() && (await this.api.post("proposals", { is_anomaly: isAnomaly, colours }));
    if (!isDone) byId("anomalies").checked = this.shown.is_anomaly;
    return isDone;
  }

  /** Look for a colour as #rrggbb, under the name in the field or a name of its own. */
  add(hex) {
    const name = byId("colour-name").value.trim() || `colour ${hex}`;
    return this.addText(`${name}=${hex}`);
  }

  addKnown(target) {
    const name = target.value;
    target.value = "";
    if (name) this.addText(name);
  }

  async addText(text) {
    const nameOf = (one) => one.split("=")[0].trim();
    const others = this.colours.filter((one) => nameOf(one) !== nameOf(text));
    if (others.length >= MOST) return void toast(`at most ${MOST} colours: remove one first`, "bad");
    if (await this.set(byId("anomalies").checked, [...others, text])) byId("colour-name").value = "";
  }

  pick(isPicking) {
    this.isPicking = isPicking;
    byId("live").classList.toggle("picking", isPicking);
    setText(byId("colour-pick"), isPicking ? "Click in the picture" : "Pick from the picture");
  }

  take(event) {
    if (!this.isPicking || event.button !== 0) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const canvas = event.target;
    const scale = canvas.width / canvas.clientWidth;
    const at = [event.offsetX * scale, event.offsetY * scale].map((value) => Math.max(0, Math.round(value) - PATCH_PX));
    const side = 2 * PATCH_PX + 1;
    const { data } = canvas.getContext("2d").getImageData(...at, side, side);
    const middle = (channel) => {
      const levels = Array.from({ length: side * side }, (_, index) => data[4 * index + channel]).sort((a, b) => a - b);
      return levels[levels.length >> 1].toString(16).padStart(2, "0");
    };
    const hex = `#${middle(0)}${middle(1)}${middle(2)}`;
    this.pick(false);
    byId("colour").value = hex;
    this.add(hex);
  }

  tell() {
    const { is_anomaly: isAnomaly, colours, classes } = this.shown;
    if (document.activeElement !== byId("anomalies")) byId("anomalies").checked = isAnomaly;
    const counts = this.link.sections.detector.counts;
    const key = JSON.stringify(colours);
    const list = byId("colour-list");
    if (list.dataset.key !== key) {
      list.dataset.key = key;
      list.replaceChildren(...colours.map((text) => this.item(text)));
    }
    const seen = classes.filter((name) => counts[name]).map((name) => `${name} ${counts[name]}`).join(", ");
    setText(byId("proposed"), classes.length
      ? `Proposed now: ${seen || "nothing"}. There is no detection curve for what is proposed: it does not count in the POD.`
      : "Nothing is proposed.");
  }

  item(text) {
    const [name, form] = text.split("=");
    const swatch = element("i");
    swatch.style.background = /^#[0-9a-f]{6}$/i.test(form ?? "") ? form : form ? "transparent" : name;
    const remove = element("button", { type: "button", className: "steer", textContent: "×", title: `Look for ${name} no more` });
    remove.setAttribute("aria-label", remove.title);
    remove.addEventListener("click", () => this.set(byId("anomalies").checked, this.colours.filter((one) => one !== text)));
    return element("li", { title: text }, swatch, name, remove);
  }
}
