// The mission's panel: level and tier, what the search has come to, pause, end.

import { byId, clock, element, fixed, setFigures, setText } from "./dom.js";
import { TEXTS } from "./words.js";

const LADDER = [["sweep", 0, "Sweep"], ["close", 0, "Approach"], ["close", 1, "Tier 1"], ["close", 2, "Tier 2"], ["close", 3, "Tier 3"]];
const LEVELS = TEXTS["ScanState.level"];
const PLANNERS = { sweep: "sweep", probability: "by probability of detection" };

const percent = (share) => fixed(100 * share, 0, " %");

export class Mission {
  constructor(link, api) {
    Object.assign(this, { link, api });
    byId("ladder").replaceChildren(...LADDER.map(([, , name]) => element("li", { textContent: name })));
    byId("pause").addEventListener("click", () => api.maySteer() && api.post("scan/pause", { is_paused: !this.isPaused }));
    byId("end").addEventListener("click", () => api.maySteer() && api.post("scan/stop"));
    link.addEventListener("news", () => this.tell());
  }

  get isPaused() {
    return Boolean(this.link.sections.scan?.is_paused);
  }

  tell() {
    const { scan, presence, mission } = this.link.sections;
    const isThere = Boolean(presence?.scan);
    for (const id of ["start", "end"]) byId(id).disabled = !isThere;
    byId("pause").disabled = !presence?.["scan/pause"];
    const level = byId("level");
    level.className = `value ${scan?.level === "safe" ? "warn" : ""}`;
    setText(level, scan ? (isThere ? LEVELS[scan.level] ?? scan.level : "gone") : "no scan controller");
    const rungs = byId("ladder").children;
    LADDER.forEach(([name, tier], i) => rungs[i].classList.toggle("on", Boolean(scan) && isThere && scan.level === name && (scan.tier === tier)));
    setText(byId("pause"), this.isPaused ? "Go on" : "Pause");
    byId("pause").classList.toggle("held", this.isPaused);
    setText(byId("reason"), scan ? [scan.leaf, scan.reason].filter(Boolean).join(": ") : "");
    // Between two scans the last one is shown, not a robot that has seen nothing.
    const shown = mission?.is_ended ? mission : scan;
    byId("progress").value = shown?.coverage ?? 0;
    setFigures(byId("tally"), scan && !mission?.is_ended ? [
      ["area seen", percent(scan.coverage)], ["candidates", String(scan.candidates)],
      ["in hand", scan.track_id ? `#${scan.track_id}` : "–"], ["confirmed", String(scan.findings)],
    ] : []);
    this.tellSearch(mission, scan);
  }

  /** What the search is to reach, what was foretold and what was reached; of the last one, until another begins. */
  tellSearch(mission, scan) {
    byId("search").hidden = !mission;
    if (!mission) return;
    const { is_ended: isEnded, outcome, forecast } = mission;
    setText(byId("search-title"), isEnded ? `Last mission, begun ${clock(mission.begun_ns)}` : `Mission, begun ${clock(mission.begun_ns)}`);
    byId("outcome").className = outcome.startsWith("succeeded") ? "good" : "warn";
    setText(byId("outcome"), isEnded ? outcome || "ended" : "");
    const left = !isEnded && forecast && scan?.forecast_s ? `, ${fixed(scan.forecast_s, 0, " s")} left` : "";
    const figures = [["search", PLANNERS[mission.planner] ?? "–"]];
    if (mission.wanted_pod) figures.push(["POD wanted", percent(mission.wanted_pod)]);
    if (forecast) figures.push(["forecast", `${percent(forecast.pod)} in ${fixed(forecast.duration_s, 0, " s")}${left}`]);
    figures.push([isEnded ? "POD reached" : "POD so far", percent(mission.pod)]);
    for (const one of mission.classes) figures.push([`– ${one.class_name}`, percent(one.pod)]);
    if (isEnded) figures.push(["area seen", percent(mission.coverage)], ["confirmed", String(mission.findings)]);
    figures.push(["took", lengthOf(mission.elapsed_s)]);
    setFigures(byId("search-figures"), figures);
    byId("search-figures").title = forecast?.text ?? "";
    const assumed = [mission.is_range_assumed && "distance", mission.classes.some((one) => !one.is_measured) && "detection curve or size"].filter(Boolean);
    setText(byId("weights-in-force"), [tellWeights(mission.weight_shares), assumed.length ? `Assumed: ${assumed.join(" and ")}.` : ""].filter(Boolean).join(" "));
  }
}

/** How much of the chance lies where. */
function tellWeights(shares) {
  if (!shares.length) return "";
  const parts = shares.map((one, index) => {
    const name = index < shares.length - 1 ? `place ${index + 1} (× ${Number(one.weight.toPrecision(3))})` : "elsewhere";
    return `${name} ${percent(one.chance)} of the chance on ${percent(one.ground)} of the ground`;
  });
  return `Weights: ${parts.join("; ")}.`;
}

function lengthOf(seconds) {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
