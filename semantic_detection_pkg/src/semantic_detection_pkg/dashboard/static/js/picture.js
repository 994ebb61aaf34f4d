// The live picture: drag turns, a click looks there, the wheel zooms.

import { byId, degrees, fixed, setText, toast } from "./dom.js";
import { bearingOf } from "./geometry.js";

const CLICK_PX = 6;
const FULL_SHARE = 0.35; // of the picture's width for full deflection
const ZOOM_PER_NOTCH = 1.15;
const SILENT_MS = 1500;

export class Picture {
  constructor(link, api, steering) {
    Object.assign(this, { link, api, steering });
    this.canvas = byId("live");
    this.context = this.canvas.getContext("2d");
    this.header = null;
    this.arrivalMs = -Infinity;
    this.drag = null;
    this.shown = 0;
    link.addEventListener("picture", ({ detail }) => this.show(detail));
    link.addEventListener("news", () => this.tell());
    link.addEventListener("gone", () => this.tell());
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.canvas.addEventListener(name, (event) => this.release(event));
    }
    this.canvas.addEventListener("wheel", (event) => this.zoom(event), { passive: false });
  }

  show({ header, bitmap }) {
    this.header = header;
    this.arrivalMs = performance.now();
    this.shown += 1;
    this.canvas.dataset.shown = this.shown;
    this.canvas.dataset.stamp = header.stamp_ns;
    if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
      this.canvas.width = bitmap.width;
      this.canvas.height = bitmap.height;
    }
    this.context.drawImage(bitmap, 0, 0);
    this.drawCrosshair();
    if (this.drag?.isTurning) this.drawDeflection();
    const { view } = header;
    setText(byId("pose"), view
      ? `yaw ${fixed(degrees(view.yaw_rad), 1)}°  pitch ${fixed(degrees(view.pitch_rad), 1)}°  view ${fixed(degrees(view.hfov_rad), 1)}°`
      : "pose unknown");
    setText(byId("seen"), `${header.objects} ${header.objects === 1 ? "object" : "objects"}`);
    this.tell();
  }

  tell() {
    const silentMs = performance.now() - this.arrivalMs;
    const isSilent = silentMs > SILENT_MS;
    byId("nothing").hidden = !isSilent;
    setText(byId("nothing"), Number.isFinite(silentMs) ? `no picture for ${fixed(silentMs / 1000, 0)} s` : "no picture yet");
    const age = this.link.sections.server?.picture_age_s;
    const rate = this.link.sections.server?.picture_rate_hz;
    const isLate = age > 0.5;
    byId("age").className = isLate ? "late" : "";
    setText(byId("age"), isSilent ? "" : `${fixed(rate, 0)} /s  ${isLate ? "late " : ""}${age ? fixed(age * 1000, 0) + " ms" : ""}`);
  }

  drawCrosshair() {
    const { context } = this;
    const [x, y, size] = [this.canvas.width / 2, this.canvas.height / 2, this.canvas.width / 40];
    context.lineWidth = Math.max(1, this.canvas.width / 900);
    for (const [colour, shift] of [["#000a", 1], ["#ffffffd0", 0]]) {
      context.strokeStyle = colour;
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + dx * size * 0.35 + shift, y + dy * size * 0.35 + shift);
        context.lineTo(x + dx * size + shift, y + dy * size + shift);
      }
      context.stroke();
    }
  }

  drawDeflection() {
    const { context, drag } = this;
    const scale = this.canvas.width / this.canvas.clientWidth;
    context.strokeStyle = context.fillStyle = "#f2b544";
    context.lineWidth = 3;
    context.beginPath();
    context.moveTo(drag.startX * scale, drag.startY * scale);
    context.lineTo(drag.x * scale, drag.y * scale);
    context.stroke();
    context.beginPath();
    context.arc(drag.x * scale, drag.y * scale, 7, 0, 7);
    context.fill();
  }

  press(event) {
    if (event.button !== 0) return;
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const [x, y] = [event.offsetX, event.offsetY];
    this.drag = { startX: x, startY: y, x, y, isTurning: false };
  }

  move(event) {
    const { drag } = this;
    if (!drag) return;
    [drag.x, drag.y] = [event.offsetX, event.offsetY];
    if (drag.isTurning || Math.hypot(drag.x - drag.startX, drag.y - drag.startY) < CLICK_PX) return;
    const full = FULL_SHARE * this.canvas.clientWidth;
    drag.isTurning = this.steering.start(() => [(drag.x - drag.startX) / full, (drag.y - drag.startY) / full]);
    if (!drag.isTurning) this.drag = null;
  }

  release(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    if (drag.isTurning) this.steering.end();
    else if (event.type === "pointerup") this.pointAt(drag.x, drag.y);
  }

  pointAt(x, y) {
    if (!this.api.maySteer()) return;
    const view = this.header?.view;
    if (!view) return void toast("where the camera looks is not known", "bad");
    const bearing = bearingOf(view, x / this.canvas.clientWidth - 0.5, y / this.canvas.clientHeight - 0.5);
    this.api.post(placeToLook(this.link), bearing);
  }

  zoom(event) {
    event.preventDefault();
    if (!this.api.maySteer()) return;
    const { zoom, zoom_max: most } = this.link.sections.gimbal ?? {};
    if (!zoom) return;
    const from = performance.now() - (this.zoomMs ?? -Infinity) < 800 ? this.wantedZoom : zoom;
    this.wantedZoom = Math.max(1, Math.min(most || 30, from * ZOOM_PER_NOTCH ** -Math.sign(event.deltaY)));
    this.zoomMs = performance.now();
    clearTimeout(this.zoomTimer);
    this.zoomTimer = setTimeout(() => this.api.post("gimbal/zoom", { zoom: this.wantedZoom }), 60);
  }
}

/** A running scan is asked to look there; otherwise the gimbal is pointed. */
export function placeToLook(link) {
  const level = link.sections.scan?.level;
  return link.sections.presence?.scan && (level === "sweep" || level === "close") ? "scan/look" : "gimbal/point";
}
