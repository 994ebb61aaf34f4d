// Findings, what was confirmed first: what it looks like, what each tier said, where the evidence is.

import { byId, degrees, element, fixed, moment, setText } from "./dom.js";
import { Api } from "./api.js";
import { Reviews } from "./reviews.js";
import { TEXTS, TIERS } from "./words.js";

const VERDICTS = TEXTS["TierResult.verdict"];
const SHOWN_MAX = 60;
const ORDER = ["confirmed", "uncertain", "candidate", "rejected"];

export class Findings {
  /** Show those that `isShown`; where somebody wants to know it, a picture that was clicked is told to `onPicture`. */
  constructor(link, isShown = () => true, onPicture = null) {
    Object.assign(this, { link, isShown, onPicture });
    this.cards = new Map();
    this.reviews = new Reviews(link, new Api(link));
    link.addEventListener("news", ({ detail }) => {
      if (detail.has("findings") || detail.has("events") || detail.has("reviews") || !this.wasTold) this.tell();
    });
  }

  tell() {
    this.wasTold = true;
    const list = byId("finding-list");
    const findings = (this.link.sections.findings ?? []).filter(this.isShown) // the newest first, and stays so
      .sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state)).slice(0, SHOWN_MAX);
    const confirmed = findings.filter((finding) => finding.state === "confirmed").length;
    setText(byId("finding-count"), findings.length ? `${confirmed} confirmed of ${findings.length}` : "none yet");
    const events = this.link.sections.events ?? [];
    const cards = findings.map((finding) => {
      const event = events.find((one) => one.findings.includes(finding.id));
      const key = `${finding.revision} ${event?.page} ${this.reviews.of(finding).entries.at(-1)?.time_ns}`;
      const known = this.cards.get(finding.id);
      if (known?.key === key) {
        if (finding.has_picture) known.card.querySelector(".shot.none")?.replaceWith(shot(finding));
        return known.card;
      }
      const card = makeCard(finding, event, this.reviews);
      if (this.onPicture) card.addEventListener("click", ({ target }) => target.closest(".shot") && this.onPicture(finding));
      this.cards.set(finding.id, { key, card });
      return card;
    });
    list.replaceChildren(...cards);
  }
}

function makeCard(finding, event, reviews) {
  const { verdict } = reviews.of(finding);
  const card = element("li", { className: ["finding", finding.state, verdict && `is-${verdict}`].filter(Boolean).join(" ") });
  card.dataset.id = finding.id;
  const told = words(finding, event);
  told.append(reviews.part(finding));
  card.append(shot(finding), told);
  return card;
}

/** A picture is asked for once there is one: one that the recorder still has to finish comes later than the word. */
function shot(finding) {
  if (!finding.has_picture) return none();
  const image = element("img", { className: "shot", alt: finding.class_name });
  const address = `/api/findings/${encodeURIComponent(finding.id)}/thumbnail?r=${finding.revision}`;
  let tries = 0;
  image.onerror = () => {
    if (++tries < 3) setTimeout(() => { image.src = `${address}&t=${tries}`; }, 700 * tries);
    else image.replaceWith(none());
  };
  image.src = address;
  return image;
}

function none() {
  return element("div", { className: "shot none", textContent: "no picture kept" });
}

function words(finding, event) {
  const part = element("div");
  part.append(element("h3", {}, finding.class_name, element("span", { textContent: `${finding.state} ${fixed(finding.score * 100, 0, " %")}` })));
  const tiers = element("div", { className: "tiers" });
  const ran = finding.tiers.filter((tier) => tier.verdict !== "not_run");
  for (const tier of ran) {
    tiers.append(element("span", {
      className: `tier ${tier.verdict}`, title: [tier.model, tier.reason].filter(Boolean).join(": "),
      textContent: `${TIERS[tier.tier] ?? `tier ${tier.tier}`}: ${VERDICTS[tier.verdict] ?? tier.verdict} ${fixed(tier.score * 100, 0, " %")}`,
    }));
  }
  part.append(tiers);
  const reason = ran.at(-1)?.reason;
  if (reason) part.append(element("p", { className: "said", textContent: reason }));
  for (const answer of finding.answers) {
    const said = answer.cause ? `${VERDICTS[answer.verdict] ?? answer.verdict}: ${answer.cause}` : answer.reason || answer.text;
    part.append(element("p", { className: "said", title: answer.question, textContent: `“${said}” ${answer.model}` }));
  }
  const place = finding.has_position
    ? `${fixed(finding.latitude_deg, 5)}, ${fixed(finding.longitude_deg, 5)} ±${fixed(finding.ellipse_major_m, 0)} m`
    : `yaw ${fixed(degrees(finding.bearing.yaw_rad), 1)}° pitch ${fixed(degrees(finding.bearing.pitch_rad), 1)}°`;
  const meta = element("p", { className: "meta", textContent: `${moment(finding.stamp_ns)}  ${place}  ` });
  if (event) meta.append(element("a", { href: event.page, target: "_blank", rel: "noopener", textContent: "evidence" }));
  part.append(meta);
  return part;
}
