// Drawing on the map: the area of the next scan, and likelier places in it. Both become what the scan's goal takes, by the
// same question to the dashboard as a loaded map of weights.

import { byId, toast } from "./dom.js";

const [LEAST_CORNERS, RECTANGLE] = [3, 2];
const COLOUR = "#f0b429";
const HINT = "tap two opposite corners of a rectangle, or three and more of a shape; then Done";

export class MapDrawing {
  constructor(ground) {
    this.ground = ground;
    this.kind = null; // "area" or "part", while one is drawn
    this.corners = [];
    this.drawn = new WeakMap(); // parts to their outlines as they were drawn
    this.layer = ground.L.layerGroup().addTo(ground.map);
    byId("ground-area").addEventListener("click", () => this.begin("area"));
    byId("ground-part").addEventListener("click", () => this.begin("part"));
    byId("ground-done").addEventListener("click", () => this.finish());
    byId("ground-drop").addEventListener("click", () => this.drop());
    byId("ground-undo").addEventListener("click", () => {
      this.corners.pop();
      this.show();
    });
    document.addEventListener("keydown", ({ key, target }) => {
      if (key === "Escape" && this.kind && !(target instanceof HTMLInputElement)) this.drop();
    });
  }

  /** Where a part was drawn; undefined: it was not drawn here. */
  outlineOf(part) {
    return this.drawn.get(part);
  }

  begin(kind) {
    if (this.ground.known?.is_local !== false) return void toast(this.ground.known?.told || "where the robot is is not known", "bad");
    this.kind = kind;
    this.corners = [];
    this.show();
    toast(HINT);
  }

  /** A tap on the map: a corner, where something is drawn. */
  takes(latlng) {
    if (!this.kind) return false;
    this.corners.push([latlng.lat, latlng.lng]);
    this.show();
    return true;
  }

  drop() {
    this.kind = null;
    this.corners = [];
    this.show();
  }

  /** The corners of what is drawn, [latitude, longitude]; two are opposite ones of a rectangle. */
  outline() {
    if (this.corners.length !== RECTANGLE) return this.corners;
    const [[south, west], [north, east]] = this.corners;
    return [[south, west], [south, east], [north, east], [north, west]];
  }

  async finish() {
    const { kind, ground } = this;
    const outline = this.outline();
    if (outline.length < LEAST_CORNERS) return void toast(HINT, "bad");
    const ring = [...outline, outline[0]].map(([latitude, longitude]) => [longitude, latitude]);
    const geojson = (weight) => ({ type: "Feature", properties: { weight }, geometry: { type: "Polygon", coordinates: [ring] } });
    const isDone = kind === "area" ? await this.takeArea(geojson(1)) : await this.takePart(geojson(ground.weights.weight), outline);
    if (isDone) this.drop(); // else it stays, to be mended
  }

  async takePart(geojson, outline) {
    const parts = await this.ground.weights.add(geojson, "drawn on the map");
    for (const part of parts) this.drawn.set(part, outline);
    this.ground.count = 0;
    return parts.length > 0;
  }

  /** A scan's area is a range of pan and tilt: the least one that holds what was drawn. */
  async takeArea(geojson) {
    const answer = await this.ground.api.ask("scan/weights", { geojson });
    if (!answer) return false;
    const area = rangeOf(answer.parts.flatMap(({ vertices }) => vertices));
    this.ground.form.setArea(area);
    toast("the area is the range of pan and tilt that holds what was drawn");
    return true;
  }

  show() {
    const isDrawing = this.kind !== null;
    for (const id of ["ground-done", "ground-undo", "ground-drop"]) byId(id).hidden = !isDrawing;
    for (const id of ["ground-area", "ground-part"]) byId(id).hidden = isDrawing;
    byId("ground-undo").disabled = !this.corners.length;
    byId("ground-map").classList.toggle("drawing", isDrawing);
    this.layer.clearLayers();
    const { L } = this.ground;
    const outline = this.outline();
    if (outline.length > 1) L.polygon(outline, { color: COLOUR, weight: 3, fillOpacity: 0.15, interactive: false, className: "drawn" }).addTo(this.layer);
    for (const corner of this.corners) L.circleMarker(corner, { radius: 7, color: "#000", weight: 2, fillColor: COLOUR, fillOpacity: 1, interactive: false }).addTo(this.layer);
  }
}

/** The least range of pan and tilt that holds corners, which go on from one to the next. */
export function rangeOf(vertices) {
  const yaws = [];
  for (const { yaw_rad: yaw } of vertices) {
    const before = yaws.at(-1) ?? yaw;
    yaws.push(yaw - 2 * Math.PI * Math.round((yaw - before) / (2 * Math.PI)));
  }
  const turn = 2 * Math.PI * Math.round((Math.max(...yaws) + Math.min(...yaws)) / 2 / (2 * Math.PI));
  const pitches = vertices.map(({ pitch_rad: pitch }) => pitch);
  return {
    yaw_min_rad: Math.min(...yaws) - turn, yaw_max_rad: Math.max(...yaws) - turn,
    pitch_min_rad: Math.min(...pitches), pitch_max_rad: Math.max(...pitches),
  };
}
