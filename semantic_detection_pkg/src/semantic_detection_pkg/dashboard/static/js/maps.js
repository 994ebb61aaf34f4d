// The findings as files for maps, of one mission or of all that the page knows.

import { byId, element, moment } from "./dom.js";

const KINDS = ["kmz", "kml", "gpx", "geojson", "csv"];
const NEWEST = "newest", ALL = "all";

export class Maps {
  constructor(link) {
    this.link = link;
    this.choice = NEWEST;
    byId("map-mission").addEventListener("change", ({ target }) => {
      this.choice = target.value;
      this.tell();
    });
    link.addEventListener("news", ({ detail }) => {
      if (detail.has("findings")) this.tell();
    });
  }

  tell() {
    const findings = this.link.sections.findings ?? [];
    const missions = missionsOf(findings);
    byId("finding-maps").hidden = !findings.length;
    const key = JSON.stringify([missions, this.choice]);
    if (key === this.key) return;
    this.key = key;
    if (this.choice !== ALL && !missions.includes(this.choice)) this.choice = NEWEST;
    byId("map-mission").replaceChildren(
      option(NEWEST, "newest mission", this.choice),
      ...missions.map((start) => option(start, moment(start), this.choice)),
      option(ALL, "all missions", this.choice),
    );
    const chosen = this.choice === NEWEST ? missions[0] : this.choice;
    const mission = this.choice === ALL ? "" : chosen;
    const query = mission ? `?mission=${mission}` : "";
    byId("map-links").replaceChildren(...KINDS.flatMap((kind) => [
      element("a", { href: `/api/findings/map/${kind}${query}`, download: "", textContent: kind.toUpperCase() }), " ",
    ]));
  }
}

/** When the missions of some findings were begun, which their ids start with; the newest first. */
function missionsOf(findings) {
  const starts = findings.map(({ id }) => /^([0-9]{1,20})-[0-9]+$/.exec(id)?.[1]).filter(Boolean);
  return [...new Set(starts)].sort((a, b) => (BigInt(b) > BigInt(a) ? 1 : -1));
}

function option(value, textContent, choice) {
  return element("option", { value, textContent, selected: value === choice });
}
