// The probability of detection over the area: had one been there, would it have been reported?

import { byId, element, fixed, setText } from "./dom.js";
import { POD_COLOURS } from "./words.js";

const SEEN_ALPHA = 150;
const NEVER_ALPHA = 70;

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const percent = (share) => fixed(100 * share, 0, " %");

export class Pod {
  constructor(redraw) {
    this.shows = byId("map-shows");
    this.shows.addEventListener("change", redraw);
    this.names = "";
    this.map = null;
  }

  /** The class whose POD the map shows; undefined: it shows results. */
  get chosen() {
    return this.map?.classes.find((one) => one.class_name === this.shows.value);
  }

  take(coverage) {
    const { pod } = coverage;
    this.map = pod && {
      ...pod,
      ranges: new Float32Array(bytesOf(pod.ranges_m).buffer),
      looks: new Uint16Array(bytesOf(pod.looks).buffer),
      finest: new Float32Array(bytesOf(pod.finest_px_per_rad).buffer),
      classes: pod.classes.map((one) => ({ ...one, percents: bytesOf(one.percent) })),
    };
    this.tellClasses();
    this.tellArea();
  }

  tellClasses() {
    const names = (this.map?.classes ?? []).map((one) => one.class_name);
    if (names.join("\n") === this.names) return;
    this.names = names.join("\n");
    const before = this.shows.value;
    this.shows.replaceChildren(
      element("option", { value: "", textContent: "results" }),
      ...names.map((name) => element("option", { value: name, textContent: `chance to find: ${name}` })),
    );
    this.shows.value = names.includes(before) ? before : "";
  }

  tellArea() {
    const parts = (this.map?.classes ?? []).map((one) => {
      const told = `${one.class_name}: ${percent(one.pod)} in the area, least ${percent(one.least_pod)}`;
      return `${told}${this.assumed(one)}`;
    });
    const ages = this.map?.half_life_s ? `. Half of it is left after ${fixed(this.map.half_life_s / 60, 0, " min")}` : "";
    setText(byId("pod"), parts.length ? `Would have been reported, had it been there: ${parts.join("; ")}${ages}` : "");
  }

  /** What nobody has measured of what a class's chances come from. */
  assumed(one) {
    const what = [this.map.is_range_assumed && "distance", !one.is_measured && "detection curve or size"].filter(Boolean);
    return what.length ? ` (assumed: ${what.join(" and ")})` : "";
  }

  /** Red, green, blue and opacity of a cell of the chosen class. */
  colourOf(cell) {
    const share = this.chosen.percents[cell] / 100;
    const colour = POD_COLOURS[Math.min(Math.floor(share * POD_COLOURS.length), POD_COLOURS.length - 1)];
    const alpha = this.map.looks[cell] ? SEEN_ALPHA : NEVER_ALPHA;
    return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)).concat(alpha);
  }

  legend() {
    const step = 100 / POD_COLOURS.length;
    return POD_COLOURS.map((colour, index) => [`${index * step}–${(index + 1) * step} %`, colour]);
  }

  /** All numbers of a cell, in words. */
  describe(cell, pitchRad, ageS) {
    if (!this.map || cell === undefined) return "";
    const range = this.map.ranges[cell];
    if (!range) return "This cell: sky, by the terrain model";
    const chances = this.map.classes.map((one) => {
      // Seen from above less of the height shows, and more of the top.
      const upright = one.height_m * Math.cos(pitchRad) + one.width_m * Math.sin(pitchRad);
      const size = (this.map.finest[cell] * Math.max(one.width_m, upright)) / range;
      return `${one.class_name} ${one.percents[cell]} % (finest ${fixed(size, 0, " px")})`;
    });
    const how = this.map.is_range_by_terrain ? "by the terrain model" : "over level ground";
    const distance = `${fixed(range, 0, " m")} away ${this.map.is_range_assumed ? "(assumed)" : how}`;
    const age = ageS === null ? "never seen sharp" : `seen ${ageS} s ago`;
    return `This cell: ${chances.join(", ")}; ${this.map.looks[cell]} looks, ${age}, ${distance}`;
  }
}
