// The gimbal's panel: pad, zoom, centre, figures.

import { byId, degrees, fixed, setFigures, setText } from "./dom.js";

const STALE_S = 1;

export class Gimbal {
  constructor(link, api, steering) {
    Object.assign(this, { link, api, steering });
    this.pad = byId("pad");
    this.knob = this.pad.firstElementChild;
    this.at = [0, 0];
    this.pad.addEventListener("pointerdown", (event) => this.press(event));
    this.pad.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      this.pad.addEventListener(name, () => this.release());
    }
    const zoom = byId("zoom");
    zoom.addEventListener("change", () => {
      if (api.maySteer()) api.post("gimbal/zoom", { zoom: Number(zoom.value) });
    });
    byId("center").addEventListener("click", () => api.maySteer() && api.post("gimbal/center"));
    link.addEventListener("news", () => this.tell());
  }

  press(event) {
    this.place(event);
    if (!this.steering.start(() => this.at)) return;
    this.pad.setPointerCapture(event.pointerId);
    this.isHeld = true;
  }

  move(event) {
    if (this.isHeld) this.place(event);
  }

  release() {
    if (!this.isHeld) return;
    this.isHeld = false;
    this.at = [0, 0];
    this.knob.style.transform = "";
    this.steering.end();
  }

  place(event) {
    const box = this.pad.getBoundingClientRect();
    const radius = box.width / 2;
    let [x, y] = [(event.clientX - box.left) / radius - 1, (event.clientY - box.top) / radius - 1];
    const length = Math.hypot(x, y);
    if (length > 1) [x, y] = [x / length, y / length];
    this.at = [x, y];
    this.knob.style.transform = `translate(${x * radius * 0.75}px, ${y * radius * 0.75}px)`;
  }

  tell() {
    const { gimbal } = this.link.sections;
    const age = this.link.ages.gimbal;
    const label = byId("link");
    if (!gimbal) {
      label.className = "value";
      setText(label, "absent");
      return;
    }
    const isSilent = age > STALE_S;
    label.className = `value ${isSilent || gimbal.link === "down" ? "bad" : gimbal.link === "up" ? "good" : "warn"}`;
    setText(label, isSilent ? `silent for ${fixed(age, 0)} s` : `${gimbal.link}  ${gimbal.model || ""}`);
    setFigures(byId("attitude"), [
      ["yaw", `${fixed(degrees(gimbal.yaw_rad), 1)}°${gimbal.yaw_saturated ? " limit" : ""}`],
      ["pitch", `${fixed(degrees(gimbal.pitch_rad), 1)}°${gimbal.pitch_saturated ? " limit" : ""}`],
      ["view", `${fixed(gimbal.hfov_rad === null ? null : degrees(gimbal.hfov_rad), 1)}°`],
    ]);
    const zoom = byId("zoom");
    if (gimbal.zoom_max > 1) zoom.max = gimbal.zoom_max;
    if (gimbal.zoom && document.activeElement !== zoom) zoom.value = gimbal.zoom;
    setText(byId("zoom-value"), fixed(gimbal.zoom, 1, "x"));
  }
}
