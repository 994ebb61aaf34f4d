// The area as a panorama: what was pictured, how it is covered, the view, tracks and findings.

import { byId, element, fixed, radians, setText } from "./dom.js";
import { bearingOf, outlineOf, viewOfGimbal } from "./geometry.js";
import { placeToLook } from "./picture.js";
import { Pod } from "./pod.js";
import { COLOURS, TEXTS } from "./words.js";

const BASE = { left: radians(75), right: radians(-75), top: radians(-8), bottom: radians(34) };
const MARGIN_RAD = radians(4);
const MOSAIC_PERIOD_MS = 250;
const TILES = 8;
const UNSEEN_AGE = 255;
const RESULTS = Object.entries(TEXTS["Coverage.result"]).map(([word, text]) => [text, word === "unseen" ? null : COLOURS["Coverage.result"][word]]);
const EMPTY = Object.keys(TEXTS["Coverage.result"]).indexOf("empty");
const STATE_COLOURS = COLOURS["Finding.state"];
const TRACK_COLOURS = COLOURS["Track.state"];

export class Panorama {
  constructor(link, api) {
    Object.assign(this, { link, api });
    this.canvas = byId("map");
    this.context = this.canvas.getContext("2d");
    this.mosaic = document.createElement("canvas");
    this.range = { ...BASE };
    this.view = null;
    this.overlays = []; // others draw on the map, and may want its clicks
    this.mosaicMs = 0;
    this.fit();
    new ResizeObserver(() => this.fit()).observe(this.canvas);
    link.addEventListener("picture", ({ detail }) => this.paint(detail));
    link.addEventListener("news", ({ detail }) => this.update(detail));
    this.canvas.addEventListener("click", (event) => this.look(event));
    this.pod = new Pod(() => this.showCells());
    this.canvas.addEventListener("mousemove", (event) => this.describe(event));
    this.canvas.addEventListener("mouseleave", () => setText(byId("cell"), ""));
    this.drawLegend();
  }

  /** What the colours of the cells mean. */
  legend() {
    return this.pod.chosen ? this.pod.legend() : RESULTS.slice(1);
  }

  /** Red, green, blue and opacity (0..255) of a cell, by what is chosen to be shown. */
  colourOf(cell) {
    return this.pod.chosen ? this.pod.colourOf(cell) : this.resultOf(cell);
  }

  drawLegend() {
    byId("legend").replaceChildren(...this.legend().map(([name, colour]) => {
      const swatch = element("i");
      swatch.style.background = colour;
      return element("span", {}, swatch, name);
    }));
  }

  /** As many pixels as the page shows, and square angles. */
  fit() {
    const width = Math.round(this.canvas.clientWidth * Math.min(2, devicePixelRatio)) || 1280;
    const { left, right, top, bottom } = this.range;
    const height = Math.round((width * (bottom - top)) / (left - right));
    if (this.canvas.width === width && this.canvas.height === height) return;
    [this.canvas.width, this.canvas.height] = [width, height];
    [this.mosaic.width, this.mosaic.height] = [width, height];
    this.draw();
  }

  x(yaw) {
    return ((this.range.left - yaw) / (this.range.left - this.range.right)) * this.canvas.width;
  }

  y(pitch) {
    return ((pitch - this.range.top) / (this.range.bottom - this.range.top)) * this.canvas.height;
  }

  update(changed) {
    if (changed.has("coverage")) this.takeCoverage(this.link.sections.coverage);
    const { scan, mission } = this.link.sections;
    const { coverage } = mission?.is_ended ? mission : scan ?? {};
    setText(byId("coverage"), scan ? `${fixed(coverage * 100, 0)} % seen` : "no scan controller");
    this.draw();
  }

  takeCoverage(coverage) {
    const unpack = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    Object.assign(this, { coverage, results: unpack(coverage.results), ages: unpack(coverage.ages_s) });
    this.pod.take(coverage);
    this.paintCells();
    this.grid = {
      right: coverage.yaw_min_rad, left: coverage.yaw_min_rad + coverage.columns * coverage.cell_rad,
      top: coverage.pitch_min_rad, bottom: coverage.pitch_min_rad + coverage.rows * coverage.cell_rad,
    };
    this.widen(this.grid);
  }

  /** One pixel for each cell: its result, or the chance to find the chosen class there. */
  paintCells() {
    const { rows, columns } = this.coverage;
    const image = new ImageData(columns, rows);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const pixel = 4 * (row * columns + (columns - 1 - column)); // left is to the left
        image.data.set(this.colourOf(row * columns + column), pixel);
      }
    }
    this.cells = document.createElement("canvas");
    [this.cells.width, this.cells.height] = [columns, rows];
    this.cells.getContext("2d").putImageData(image, 0, 0);
  }

  resultOf(cell) {
    const colour = RESULTS[this.results[cell]]?.[1];
    if (!colour) return [0, 0, 0, 0];
    const freshness = this.ages[cell] === UNSEEN_AGE ? 0 : 1 - this.ages[cell] / 400;
    const alpha = (this.results[cell] === EMPTY ? 40 : 130) * freshness;
    return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)).concat(alpha);
  }

  /** What is shown was changed by hand. */
  showCells() {
    this.drawLegend();
    if (!this.coverage) return;
    this.paintCells();
    this.draw();
  }

  /** Tell the numbers of the cell under the pointer. */
  describe(event) {
    if (!this.coverage) return;
    const { yaw_rad: yaw, pitch_rad: pitch } = this.bearingAt(event);
    const { yaw_min_rad: right, pitch_min_rad: top, cell_rad: side, rows, columns } = this.coverage;
    const [column, row] = [Math.floor((yaw - right) / side), Math.floor((pitch - top) / side)];
    const isInside = column >= 0 && column < columns && row >= 0 && row < rows;
    const cell = isInside ? row * columns + column : undefined;
    const age = this.ages[cell] === UNSEEN_AGE ? null : this.ages[cell];
    setText(byId("cell"), this.pod.describe(cell, pitch, age));
  }

  /** Show this range, too; what was pictured is painted again. */
  widen({ left, right, top, bottom }) {
    const wider = {
      left: Math.max(this.range.left, left + MARGIN_RAD), right: Math.min(this.range.right, right - MARGIN_RAD),
      top: Math.min(this.range.top, top - MARGIN_RAD), bottom: Math.max(this.range.bottom, bottom + MARGIN_RAD),
    };
    if (["left", "right", "top", "bottom"].every((side) => wider[side] === this.range[side])) return;
    this.range = wider;
    this.mosaic.getContext("2d").clearRect(0, 0, this.mosaic.width, this.mosaic.height);
    this.fit();
  }

  /** Lay the picture where it looked, in tiles: a wide view is no rectangle of angles. */
  paint({ header, bitmap }) {
    this.view = header.view;
    const now = performance.now();
    if (!header.view || now - this.mosaicMs < MOSAIC_PERIOD_MS) return;
    this.mosaicMs = now;
    const context = this.mosaic.getContext("2d");
    const [width, height] = [bitmap.width / TILES, bitmap.height / TILES];
    for (let column = 0; column < TILES; column++) {
      for (let row = 0; row < TILES; row++) {
        const at = (right, down) => bearingOf(header.view, (column + right) / TILES - 0.5, (row + down) / TILES - 0.5);
        const [left, top] = [this.x(at(0, 0.5).yaw_rad), this.y(at(0.5, 0).pitch_rad)];
        const [right, bottom] = [this.x(at(1, 0.5).yaw_rad), this.y(at(0.5, 1).pitch_rad)];
        context.drawImage(bitmap, column * width, row * height, width, height, left, top, right - left + 1, bottom - top + 1);
      }
    }
  }

  draw() {
    const { context, canvas } = this;
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.globalAlpha = 0.8;
    context.drawImage(this.mosaic, 0, 0);
    context.globalAlpha = 1;
    if (this.cells) {
      context.imageSmoothingEnabled = false;
      const { left, right, top, bottom } = this.grid;
      context.drawImage(this.cells, this.x(left), this.y(top), this.x(right) - this.x(left), this.y(bottom) - this.y(top));
      context.imageSmoothingEnabled = true;
    }
    this.drawScale();
    this.drawArea();
    for (const one of this.overlays) one.draw(this);
    for (const track of this.link.sections.tracks ?? []) this.drawTrack(track);
    for (const finding of [...(this.link.sections.findings ?? [])].reverse()) this.drawFinding(finding);
    this.drawView();
  }

  drawScale() {
    const { context, canvas } = this;
    const unit = this.unit();
    context.font = `${11 * unit}px monospace`;
    context.fillStyle = context.strokeStyle = "#93a4b0";
    context.lineWidth = unit;
    context.globalAlpha = 0.25;
    context.beginPath();
    context.moveTo(0, this.y(0));
    context.lineTo(canvas.width, this.y(0));
    context.stroke();
    context.globalAlpha = 0.9;
    for (let deg = -180; deg <= 180; deg += 15) {
      const x = this.x(radians(deg));
      if (x < 0 || x > canvas.width) continue;
      context.fillRect(x, canvas.height - 5 * unit, unit, 5 * unit);
      if (deg % 30 === 0) context.fillText(`${deg}°`, x + 3 * unit, canvas.height - 4 * unit);
    }
    context.globalAlpha = 1;
  }

  /** The area of the scan, or of the last one until another begins; null: none is known. */
  area() {
    const { scan, goal } = this.link.sections;
    const area = scan && scan.level !== "idle" ? scan.area : goal?.area;
    return area && area.yaw_max_rad > area.yaw_min_rad ? area : null;
  }

  drawArea() {
    const area = this.area();
    if (!area) return;
    const { context } = this;
    const { yaw_min_rad: right, yaw_max_rad: left, pitch_min_rad: top, pitch_max_rad: bottom } = area;
    context.setLineDash([6, 5]);
    context.strokeStyle = "#93a4b0";
    context.strokeRect(this.x(left), this.y(top), this.x(right) - this.x(left), this.y(bottom) - this.y(top));
    context.setLineDash([]);
  }

  drawTrack(track) {
    const { context } = this;
    const unit = this.unit();
    const [x, y] = [this.x(track.bearing.yaw_rad), this.y(track.bearing.pitch_rad)];
    context.globalAlpha = track.state === "confirmed" ? 1 : 0.45;
    context.strokeStyle = TRACK_COLOURS[track.state];
    context.lineWidth = 1.5 * unit;
    context.beginPath();
    context.arc(x, y, 4 * unit, 0, 7);
    context.stroke();
    if (track.state !== "tentative") {
      context.fillStyle = TRACK_COLOURS[track.state];
      context.font = `${10 * unit}px monospace`;
      context.fillText(track.id, x + 6 * unit, y - 4 * unit);
    }
    context.globalAlpha = 1;
  }

  drawFinding(finding) {
    const { context } = this;
    const unit = this.unit();
    const [x, y] = [this.x(finding.bearing.yaw_rad), this.y(finding.bearing.pitch_rad)];
    context.fillStyle = STATE_COLOURS[finding.state];
    context.strokeStyle = "#000c";
    context.lineWidth = 2 * unit;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x - 6 * unit, y - 15 * unit);
    context.lineTo(x + 6 * unit, y - 15 * unit);
    context.closePath();
    context.stroke();
    context.fill();
    context.font = `600 ${11 * unit}px sans-serif`;
    context.lineWidth = 3 * unit;
    context.strokeText(finding.class_name, x + 8 * unit, y - 7 * unit);
    context.fillText(finding.class_name, x + 8 * unit, y - 7 * unit);
  }

  drawView() {
    const gimbal = viewOfGimbal(this.link.sections.gimbal, this.view ? this.view.height / this.view.width : undefined);
    const view = gimbal ?? this.view;
    if (!view) return;
    const { context } = this;
    context.strokeStyle = "#ffffff";
    context.lineWidth = 2 * this.unit();
    context.shadowColor = "#000";
    context.shadowBlur = 4;
    context.beginPath();
    for (const { yaw_rad, pitch_rad } of outlineOf(view)) context.lineTo(this.x(yaw_rad), this.y(pitch_rad));
    context.closePath();
    context.stroke();
    context.shadowBlur = 0;
  }

  unit() {
    return this.canvas.width / (this.canvas.clientWidth || this.canvas.width);
  }

  look(event) {
    if (this.overlays.some((one) => one.takes(this.bearingAt(event)))) return;
    if (!this.api.maySteer()) return;
    this.api.post(placeToLook(this.link), this.bearingAt(event));
  }

  bearingAt(event) {
    const [right, down] = [event.offsetX / this.canvas.clientWidth, event.offsetY / this.canvas.clientHeight];
    return {
      yaw_rad: this.range.left + right * (this.range.right - this.range.left),
      pitch_rad: this.range.top + down * (this.range.bottom - this.range.top),
    };
  }
}
