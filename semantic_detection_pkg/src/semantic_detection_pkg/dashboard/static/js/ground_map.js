// The area as a map: the robot, where its camera looks, findings, what was searched, tiles or a grid beneath.
// Where things lie is asked of the dashboard, a few times a second while the map is shown.

import { byId, element, setText, toast } from "./dom.js";
import { outlineOf, viewOfGimbal } from "./geometry.js";
import { makeCellLayer } from "./map_cells.js";
import { MapDrawing } from "./map_drawing.js";
import { findingMark, legendOfMarks, robotMark } from "./map_marks.js";
import { placeToLook } from "./picture.js";
import { colourOfWeight } from "./weights.js";
import { COLOURS } from "./words.js";

const PERIOD_MS = 400;
const PARTS_EVERY = 6; // periods: they seldom change
const CELLS_PERIOD_MS = 2000;
const CORNERS_MAX = 900; // of a question
const ZOOM_MAX = 22;
const FIT_ZOOM_MAX = 19;
const FAR_DEG = 0.3; // from the robot: what is farther away is not shown by itself
const LOOK_MS = 4000;
const [VIEW, AREA, CASING] = ["#ffffff", "#4cc2a4", "#000000"];

export class GroundMap {
  constructor(L, { link, api, panorama, weights, form }) {
    Object.assign(this, { L, link, api, panorama, weights, form });
    this.map = L.map("ground-map", {
      zoomAnimation: false, fadeAnimation: false, markerZoomAnimation: false, maxZoom: ZOOM_MAX, scrollWheelZoom: false,
    }).setView([0, 0], 2);
    this.map.attributionControl.setPrefix(false);
    L.control.scale({ imperial: false, maxWidth: 140 }).addTo(this.map);
    // The wheel scrolls the page, until somebody has clicked into the map.
    this.map.on("focus", () => this.map.scrollWheelZoom.enable());
    this.map.on("blur", () => this.map.scrollWheelZoom.disable());
    this.cells = makeCellLayer(L, panorama).addTo(this.map);
    this.lines = L.layerGroup().addTo(this.map);
    this.partLines = L.layerGroup().addTo(this.map);
    this.ellipses = L.layerGroup().addTo(this.map);
    this.marks = L.layerGroup().addTo(this.map);
    this.known = null; // the newest answer of where things lie
    this.placed = []; // findings with a position
    this.count = 0;
    this.drawing = new MapDrawing(this);
    this.map.on("click", ({ latlng }) => this.drawing.takes(latlng) || this.look(latlng));
    byId("ground-fit").addEventListener("click", () => this.fit());
    weights.addEventListener("change", () => { this.count = 0; });
    link.addEventListener("news", ({ detail }) => this.take(detail));
    byId("map-shows").addEventListener("change", () => this.showCells());
    this.take(new Set(["tiles", "coverage"]));
  }

  setShown(isShown) {
    clearTimeout(this.timer);
    this.isShown = isShown;
    if (!isShown) return;
    this.map.invalidateSize();
    this.areFindingsDue = true;
    this.period();
  }

  async period() {
    if (document.visibilityState === "visible") await this.ask().catch(() => {}); // what the banner says is not said twice
    if (this.isShown) this.timer = setTimeout(() => this.period(), PERIOD_MS);
  }

  /** News of the robot. */
  take(changed) {
    if (changed.has("tiles")) this.takeTiles(this.link.sections.tiles);
    if (changed.has("coverage")) this.showCells();
    if (changed.has("findings") || changed.has("reviews")) this.areFindingsDue = true;
  }

  async ask() {
    const { gimbal } = this.link.sections;
    const view = viewOfGimbal(gimbal, this.panorama.view ? this.panorama.view.height / this.panorama.view.width : undefined);
    const unplaced = this.unplaced();
    const areas = this.areas();
    const answer = await this.places([view ? pairs(outlineOf(view, 4)) : [], ...areas.map(({ corners }) => corners)], unplaced.map(({ bearing }) => pair(bearing)));
    if (!answer) return;
    const isOther = !this.known || this.known.is_local !== answer.is_local || !this.known.robot !== !answer.robot;
    this.known = answer;
    setText(byId("ground-told"), answer.told);
    if (this.areFindingsDue) await this.askFindings();
    await this.askCells(answer.cells_version);
    if (this.count++ % PARTS_EVERY === 0) await this.askParts();
    this.drawLines(answer.outlines, areas);
    this.drawMarks(unplaced, answer.points);
    this.showTiles();
    this.cells.setReference(answer.robot, answer.is_local);
    if (isOther) this.fit();
    byId("ground-map").dataset.asked = Number(byId("ground-map").dataset.asked ?? 0) + 1;
  }

  /** Where bearings lie; null where the dashboard does not say it. */
  async places(outlines, points = []) {
    const response = await fetch("/api/map/places", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ outlines, points }),
    });
    return response.ok ? response.json() : null;
  }

  async askFindings() {
    const response = await fetch("/api/map/findings");
    if (!response.ok) return;
    this.areFindingsDue = false;
    this.placed = await response.json();
  }

  async askCells(version) {
    const now = performance.now();
    if (version === this.cellsVersion || now - (this.cellsMs ?? -Infinity) < CELLS_PERIOD_MS) return;
    this.cellsMs = now;
    const response = await fetch("/api/map/cells");
    if (!response.ok) return;
    this.cellsVersion = version;
    this.cells.setCells(await response.json());
    this.showCells();
  }

  /** Parts that were drawn here lie where they were drawn; others where the robot sees them. */
  async askParts() {
    const found = new Map();
    let chunk = [];
    const flush = async () => {
      const answer = chunk.length ? await this.places(chunk.map(({ vertices }) => pairs(vertices))) : null;
      answer?.outlines.forEach((outline, index) => found.set(chunk[index], outline));
      chunk = [];
    };
    for (const part of this.weights.parts) {
      const drawn = this.drawing.outlineOf(part);
      if (drawn) found.set(part, drawn);
      else {
        if (chunk.reduce((sum, one) => sum + one.vertices.length, part.vertices.length) > CORNERS_MAX) await flush();
        chunk.push(part);
      }
    }
    await flush();
    this.partLines.clearLayers();
    this.weights.parts.forEach((part, index) => {
      if (found.get(part)?.length) this.outline(this.partLines, found.get(part), colourOfWeight(part.weight), { fillOpacity: 0.22, tooltip: `${index + 1}: × ${Number(part.weight.toPrecision(3))}` });
    });
  }

  /** What is searched, and what the form asks for, where that is something else. */
  areas() {
    const shown = this.panorama.area();
    const asked = this.form.isTouched || !shown ? this.form.area() : null;
    return [[shown, ""], [asked, "asked"]].filter(([area]) => area && area.yaw_max_rad > area.yaw_min_rad && area.pitch_max_rad > area.pitch_min_rad).map(([area, kind]) => ({ kind, corners: cornersOf(area) }));
  }

  /** Findings of the newest mission without a position: all that is known is where they are seen. */
  unplaced() {
    const findings = this.link.sections.findings ?? [];
    const missionOf = ({ id }) => id.slice(0, id.lastIndexOf("-"));
    const newest = findings.reduce((best, { stamp_ns: stamp, id }) => (best && BigInt(best.stamp) >= BigInt(stamp) ? best : { stamp, mission: missionOf({ id }) }), null)?.mission;
    return findings.filter((one) => (!one.has_position || this.known?.is_local) && missionOf(one) === newest);
  }

  drawLines([view, ...outlines], areas) {
    this.lines.clearLayers();
    outlines.forEach((outline, index) => {
      const isAsked = areas[index].kind === "asked";
      if (outline.length) this.outline(this.lines, outline, AREA, { dashArray: isAsked ? "4 8" : null, fillOpacity: 0, className: isAsked ? "area-asked" : "area" });
    });
    if (view?.length) this.outline(this.lines, view, VIEW, { fillOpacity: 0.16, className: "view" });
    if (this.known.robot) this.L.marker(latLng(this.known.robot), { icon: robotMark(this.L, this.known.robot.heading_rad), interactive: false, keyboard: false }).addTo(this.lines);
  }

  /** A line on a casing, which is seen on bright and dark ground. */
  outline(group, outline, colour, { dashArray = null, fillOpacity, className = "", tooltip = "" }) {
    const { L } = this;
    L.polygon(outline, { color: CASING, weight: 6, opacity: 0.55, fill: false, smoothFactor: 0.4, interactive: false }).addTo(group);
    const line = L.polygon(outline, { color: colour, weight: 3, dashArray, fillOpacity, className, smoothFactor: 0.4, interactive: false }).addTo(group);
    if (tooltip) line.bindTooltip(tooltip, { permanent: true, direction: "center", className: "part-label" });
  }

  drawMarks(unplaced, points) {
    const sections = this.link.sections.findings ?? [];
    const shown = this.known.is_local ? [] : this.placed;
    const key = JSON.stringify([sections.map(({ id, revision, has_picture: has }) => [id, revision, has]), shown.map(({ id }) => id), unplaced.map(({ id }) => id), points]);
    if (key === this.marksKey) return;
    this.marksKey = key;
    this.marks.clearLayers();
    this.ellipses.clearLayers();
    const byName = new Map(sections.map((one) => [one.id, one]));
    for (const place of shown) {
      const finding = byName.get(place.id);
      if (!finding) continue;
      const at = this.near([place.latitude_deg, place.longitude_deg]);
      const shift = at[1] - place.longitude_deg;
      const colour = COLOURS["Finding.state"][finding.state];
      const ellipse = place.ellipse.map(([latitude, longitude]) => [latitude, longitude + shift]);
      if (ellipse.length) this.outline(this.ellipses, ellipse, colour, { fillOpacity: 0.2, className: `ellipse ${finding.state}` });
      findingMark(this.L, finding, at).addTo(this.marks);
    }
    unplaced.forEach((finding, index) => {
      if (points[index] && this.known.robot) this.drawUnplaced(finding, points[index]);
    });
  }

  drawUnplaced(finding, [latitude, longitude, isMet]) {
    const at = [latitude, longitude];
    const colour = COLOURS["Finding.state"][finding.state];
    if (!isMet) this.L.polyline([latLng(this.known.robot), at], { color: colour, weight: 3, dashArray: "2 8", interactive: false }).addTo(this.ellipses);
    findingMark(this.L, finding, at, isMet ? "where its bearing meets the ground" : "its direction; how far away it is is not known").addTo(this.marks);
  }

  showCells() {
    this.cells.draw();
    byId("ground-legend").replaceChildren(...legendOfMarks(), ...this.panorama.legend().map(([name, colour]) => {
      const swatch = element("i");
      swatch.style.background = colour;
      return element("span", {}, swatch, name);
    }));
  }

  takeTiles(tiles) {
    this.tileLayer?.remove();
    this.tileLayer = null;
    setText(byId("tiles-told"), tiles?.told ?? "");
    if (tiles?.is_ready) {
      this.tileLayer = this.L.tileLayer(`/api/map/tiles/{z}/{x}/{y}?v=${tiles.version}`, {
        minNativeZoom: tiles.zoom_min, maxNativeZoom: tiles.zoom_max, maxZoom: ZOOM_MAX, minZoom: Math.max(0, tiles.zoom_min - 1),
        bounds: tiles.bounds ? [[tiles.bounds[1], tiles.bounds[0]], [tiles.bounds[3], tiles.bounds[2]]] : undefined,
        attribution: element("span", { textContent: tiles.attribution || tiles.name }).innerHTML, // as text, whatever is in it
      });
    }
    this.showTiles();
  }

  /** A local map lies nowhere: no tile belongs to it. */
  showTiles() {
    const isShown = Boolean(this.tileLayer) && this.known?.is_local !== true;
    if (this.tileLayer && isShown !== this.map.hasLayer(this.tileLayer)) isShown ? this.tileLayer.addTo(this.map) : this.tileLayer.remove();
    this.cells.setGrid(!isShown);
    this.map.options.zoomSnap = isShown ? 1 : 0.25; // tiles between two levels have seams
  }

  /** Show all that is near the robot; without it all findings; else what the tiles show. */
  fit() {
    const bounds = this.L.latLngBounds([]);
    const { robot, outlines = [] } = this.known ?? {};
    if (robot) bounds.extend(latLng(robot));
    for (const outline of outlines) for (const place of outline) bounds.extend(place);
    const isNear = ([latitude, longitude]) => !robot || Math.hypot(latitude - robot.latitude_deg, longitude - robot.longitude_deg) < FAR_DEG;
    for (const mark of this.marks.getLayers()) if (isNear([mark.getLatLng().lat, mark.getLatLng().lng])) bounds.extend(mark.getLatLng());
    const { tiles } = this.link.sections;
    if (!bounds.isValid() && tiles?.bounds) bounds.extend([tiles.bounds[1], tiles.bounds[0]]).extend([tiles.bounds[3], tiles.bounds[2]]);
    if (bounds.isValid()) this.map.fitBounds(bounds.pad(0.05), { maxZoom: FIT_ZOOM_MAX, animate: false });
  }

  /** Turn the camera to where somebody has clicked, as a click in the picture does. */
  async look(latlng) {
    if (!this.api.maySteer()) return;
    if (this.known?.is_local !== false) return void toast(this.known?.told || "where the robot is is not known", "bad");
    const answer = await this.api.ask("map/bearings", { places: [[latlng.lat, latlng.lng]] });
    if (!answer?.bearings.length || !(await this.api.post(placeToLook(this.link), answer.bearings[0]))) return;
    const target = this.L.circleMarker(latlng, { radius: 14, color: VIEW, weight: 3, fill: false, interactive: false }).addTo(this.map);
    setTimeout(() => target.remove(), LOOK_MS);
  }

  /** The same place, on the robot's side of the meridian of 180 degrees. */
  near([latitude, longitude]) {
    const middle = this.known?.robot?.longitude_deg ?? longitude;
    return [latitude, longitude + 360 * Math.round((middle - longitude) / 360)];
  }
}

const latLng = ({ latitude_deg: latitude, longitude_deg: longitude }) => [latitude, longitude];
const pair = ({ yaw_rad: yaw, pitch_rad: pitch }) => [yaw, pitch];
const pairs = (bearings) => bearings.map(pair);

function cornersOf({ yaw_min_rad: right, yaw_max_rad: left, pitch_min_rad: top, pitch_max_rad: bottom }) {
  return [[left, top], [right, top], [right, bottom], [left, bottom]];
}
