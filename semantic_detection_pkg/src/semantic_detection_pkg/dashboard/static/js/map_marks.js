// Marks on the map: a finding of each state has a shape, a letter and a colour of its own, so that none of them is told
// by its colour alone.

import { byId, element, fixed, moment } from "./dom.js";
import { COLOURS, TEXTS } from "./words.js";

const SIGNS = { confirmed: "✓", candidate: "?", uncertain: "!", rejected: "×" };
const SIDE_PX = 44; // what a finger hits

function pin(state) {
  const sign = element("b", { textContent: SIGNS[state] ?? "" });
  sign.style.background = COLOURS["Finding.state"][state] ?? "";
  return element("span", { className: `pin ${state}` }, sign);
}

export function legendOfMarks() {
  return Object.entries(TEXTS["Finding.state"]).map(([state, text]) => element("span", { className: "mark" }, pin(state), text));
}

/** A mark that opens what is known of the finding; `note` says what is special about its place. */
export function findingMark(L, finding, at, note = "") {
  const number = /-([0-9]+)$/.exec(finding.id)?.[1] ?? "";
  const name = `${number} ${finding.class_name}`.trim();
  const html = element("div", { className: "finding-mark" }, pin(finding.state), element("span", { className: "name", textContent: name }));
  html.dataset.id = finding.id;
  const icon = L.divIcon({ html, className: "", iconSize: [SIDE_PX, SIDE_PX] });
  const mark = L.marker(at, { icon, title: `${name}, ${finding.state}`, alt: `${name}, ${finding.state}`, zIndexOffset: finding.state === "confirmed" ? 500 : 0 });
  return mark.bindPopup(() => told(finding, name, note), { maxWidth: 240, autoPanPadding: [12, 12] });
}

function told(finding, name, note) {
  const part = element("div", { className: "finding-told" });
  if (finding.has_picture) part.append(element("img", { src: `/api/findings/${encodeURIComponent(finding.id)}/thumbnail?r=${finding.revision}`, alt: finding.class_name }));
  part.append(element("h3", { textContent: name }), element("p", { textContent: `${finding.state} ${fixed(finding.score * 100, 0, " %")}, ${moment(finding.stamp_ns)}` }));
  const place = finding.has_position ? `${fixed(finding.latitude_deg, 6)}, ${fixed(finding.longitude_deg, 6)}, accuracy ${fixed(finding.ellipse_major_m, 0)} m (1 sigma)` : note;
  part.append(element("p", { className: "meta", textContent: place }));
  const more = element("button", { type: "button", textContent: "What was said" });
  more.addEventListener("click", () => show(finding.id));
  part.append(more);
  return part;
}

function show(id) {
  const card = [...byId("finding-list").children].find((one) => one.dataset.id === id);
  card?.scrollIntoView({ block: "center", behavior: "smooth" });
}

/** The robot: an arrow to where it is headed, a dot where that is not known. */
export function robotMark(L, headingRad) {
  const arrow = element("i", { className: headingRad === null ? "robot unturned" : "robot" });
  if (headingRad !== null) arrow.style.transform = `rotate(${headingRad}rad)`;
  return L.divIcon({ html: arrow, className: "", iconSize: [SIDE_PX, SIDE_PX] });
}
