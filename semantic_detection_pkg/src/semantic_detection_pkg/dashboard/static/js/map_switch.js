// Whether the area is shown as a panorama or as a map. The map and its library are loaded when it is opened.

import { byId, toast } from "./dom.js";

const KEPT = "area-as";
const SHEETS = ["/static/leaflet/leaflet.css", "/static/map.css"];

export class MapSwitch {
  /** `parts` are those of the page that the map shows and writes: link, api, panorama, weights, form. */
  constructor(parts) {
    this.parts = parts;
    this.map = null; // a promise of it, once it was opened
    byId("as-panorama").addEventListener("click", () => this.show(false));
    byId("as-map").addEventListener("click", () => this.show(true));
    if (localStorage.getItem(KEPT) === "map") this.show(true);
  }

  async show(isMap) {
    localStorage.setItem(KEPT, isMap ? "map" : "panorama");
    byId("as-map").setAttribute("aria-pressed", String(isMap));
    byId("as-panorama").setAttribute("aria-pressed", String(!isMap));
    for (const id of ["map", "legend"]) byId(id).hidden = isMap; // the map has its own
    byId("ground").hidden = !isMap;
    byId("part-draw").hidden = isMap; // it is drawn on what is shown
    if (isMap) this.parts.weights.drop();
    if (isMap) this.map ??= this.open();
    try {
      (await this.map)?.setShown(isMap);
    } catch {
      this.map = null;
      toast("the map cannot be loaded", "bad");
    }
  }

  async open() {
    await Promise.all([...SHEETS.map(loadSheet), loadScript("/static/leaflet/leaflet.js")]);
    const { GroundMap } = await import("./ground_map.js");
    return new GroundMap(window.L, this.parts);
  }
}

const loadSheet = (href) => loaded(Object.assign(document.createElement("link"), { rel: "stylesheet", href }));
const loadScript = (src) => loaded(Object.assign(document.createElement("script"), { src }));

function loaded(tag) {
  return new Promise((resolve, reject) => {
    tag.onload = resolve;
    tag.onerror = reject;
    document.head.append(tag);
  });
}
