// Where in the area what is sought is likelier: parts drawn on the map or loaded from one, sent with the next scan.

import { byId, element, fixed, setText, toast } from "./dom.js";

const STOPS = [0, 0.1, 0.2, 0.5, 1, 2, 4, 8, 20, 50, 100]; // of the slider; 1 is as likely as elsewhere
const LEAST_CORNERS = 3;
const [LIKELIER, LESS] = ["#f0b429", "#8aa0b4"];

export const colourOfWeight = (weight) => (weight >= 1 ? LIKELIER : LESS);

const told = (weight) => `× ${Number(weight.toPrecision(3))}`;

/** Tells of a `change`, for who shows the parts elsewhere. */
export class Weights extends EventTarget {
  constructor(panorama, link, api) {
    super();
    Object.assign(this, { panorama, link, api });
    this.parts = []; // as the scan takes them: those of the last one, until they are changed here
    this.isTouched = false;
    this.chosen = -1;
    this.drawing = null; // corners of the part that is being drawn
    panorama.overlays.push(this);
    byId("part-drop").addEventListener("click", () => this.drop());
    byId("part-draw").addEventListener("click", () => (this.drawing ? this.finish() : this.begin()));
    byId("part-weight").addEventListener("input", () => this.weigh());
    byId("part-remove").addEventListener("click", () => this.remove());
    byId("part-load").addEventListener("click", () => byId("part-file").click());
    byId("part-file").addEventListener("change", ({ target }) => this.load(target));
    document.addEventListener("keydown", (event) => this.key(event));
    this.show();
  }

  get weight() {
    return STOPS[byId("part-weight").value];
  }

  begin() {
    this.drawing = [];
    this.chosen = -1;
    toast("click the corners on the map, then Done");
    this.show();
  }

  /** A click on the map: a corner, where one is drawn. */
  takes(bearing) {
    if (!this.drawing) return false;
    this.drawing.push(bearing);
    this.panorama.draw();
    return true;
  }

  finish() {
    const vertices = this.drawing;
    if (vertices.length < LEAST_CORNERS) return void toast(`a place needs ${LEAST_CORNERS} corners at least`, "bad");
    const crossed = crossingEdges(vertices);
    if (crossed) return void toast(`the place crosses itself after corners ${crossed.join(" and ")}: Drop it and draw it as parts that do not`, "bad");
    this.drawing = null;
    this.isTouched = true;
    this.parts.push({ vertices, weight: this.weight, origin: "drawn" });
    this.choose(this.parts.length - 1);
  }

  drop() {
    this.drawing = null;
    this.show();
  }

  /** Show the parts of the last scan. */
  take(parts) {
    this.parts = parts.map((part) => ({ ...part }));
    for (const { vertices } of parts) this.uncover(vertices);
    this.choose(-1);
  }

  key(event) {
    if (!this.drawing || event.target instanceof HTMLInputElement) return;
    if (event.key === "Escape") this.drop();
    else if (event.key === "Enter" && event.target === document.body) this.finish();
  }

  choose(index) {
    this.chosen = index;
    const { weight } = this.parts[index] ?? {};
    if (weight !== undefined) byId("part-weight").value = STOPS.findLastIndex((stop) => stop <= weight);
    this.show();
  }

  weigh() {
    const part = this.parts[this.chosen];
    if (part) {
      part.weight = this.weight;
      this.isTouched = true;
    }
    this.show();
  }

  remove() {
    this.parts.splice(this.chosen, 1);
    this.isTouched = true;
    this.choose(-1);
  }

  async load(input) {
    const [file] = input.files;
    input.value = ""; // the same file may be chosen again
    if (!file) return;
    let geojson;
    try {
      geojson = JSON.parse(await file.text());
    } catch {
      return void toast(`${file.name}: no JSON`, "bad");
    }
    if (geojson === null || typeof geojson !== "object" || Array.isArray(geojson)) return void toast(`${file.name}: no GeoJSON`, "bad");
    const loaded = await this.add(geojson, file.name.slice(0, 80));
    if (!loaded.length) return;
    toast(`${file.name}: ${loaded.length} loaded`);
    this.choose(-1); // none of them is to change with the slider by mistake
  }

  /** Add the polygons of a GeoJSON; resolves to the parts that they have become, none where they are refused. */
  async add(geojson, origin) {
    const answer = await this.api.ask("scan/weights", { geojson });
    if (!answer) return [];
    this.isTouched = true;
    const added = answer.parts.map((part) => ({ ...part, origin }));
    this.parts.push(...added);
    for (const { vertices } of added) this.uncover(vertices);
    this.choose(this.parts.length - 1);
    return added;
  }

  /** Show so much of the map that a part can be seen. */
  uncover(vertices) {
    const [yaws, pitches] = [vertices.map((one) => one.yaw_rad), vertices.map((one) => one.pitch_rad)];
    this.panorama.widen({ left: Math.max(...yaws), right: Math.min(...yaws), top: Math.min(...pitches), bottom: Math.max(...pitches) });
  }

  show() {
    const weight = this.parts[this.chosen]?.weight ?? this.weight;
    setText(byId("part-weight-value"), told(weight));
    setText(byId("part-draw"), this.drawing ? "Done" : "Draw likely place");
    byId("part-drop").hidden = !this.drawing;
    byId("part-remove").disabled = !this.parts[this.chosen];
    byId("parts").replaceChildren(...this.parts.map((part, index) => {
      const button = element("button", { type: "button", textContent: `${index + 1}: ${told(part.weight)}`, title: part.origin ?? "" });
      button.setAttribute("aria-pressed", String(index === this.chosen));
      button.classList.toggle("held", index === this.chosen);
      button.addEventListener("click", () => this.choose(index === this.chosen ? -1 : index));
      return button;
    }));
    this.panorama.draw();
    this.dispatchEvent(new Event("change"));
  }

  /** Draw the parts on the map. */
  draw(map) {
    this.parts.forEach((part, index) => this.outline(map, part.vertices, part.weight, index === this.chosen));
    if (this.drawing) this.outline(map, this.drawing, this.weight, true);
  }

  outline(map, vertices, weight, isChosen) {
    const { context } = map;
    const unit = map.unit();
    context.beginPath();
    for (const { yaw_rad: yaw, pitch_rad: pitch } of vertices) context.lineTo(map.x(yaw), map.y(pitch));
    context.closePath();
    context.fillStyle = context.strokeStyle = colourOfWeight(weight);
    context.lineWidth = (isChosen ? 2.5 : 1.2) * unit;
    context.globalAlpha = 0.18;
    context.fill();
    context.globalAlpha = 1;
    context.stroke();
    if (!vertices.length) return;
    context.font = `${11 * unit}px monospace`;
    context.fillText(fixed(weight, weight < 1 ? 1 : 0), map.x(vertices[0].yaw_rad) + 3 * unit, map.y(vertices[0].pitch_rad) - 3 * unit);
  }
}

/** Two edges that cross, by the corners (1..) that they begin with; null: the polygon does not cross itself. */
function crossingEdges(vertices) {
  const at = (index) => [vertices[index % vertices.length].yaw_rad, vertices[index % vertices.length].pitch_rad];
  const side = ([ax, ay], [bx, by], [x, y]) => Math.sign((bx - ax) * (y - ay) - (by - ay) * (x - ax));
  for (let i = 0; i < vertices.length; i++) {
    for (let j = i + 2; j < vertices.length; j++) {
      const [a, b, c, d] = [at(i), at(i + 1), at(j), at(j + 1)];
      if (side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) return [i + 1, j + 1];
    }
  }
  return null;
}
