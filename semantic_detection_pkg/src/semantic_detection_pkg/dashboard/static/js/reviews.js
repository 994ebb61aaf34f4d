// Findings accepted, rejected, commented on: with a name, which this browser remembers, in a log that only grows.

import { byId, element, moment, setText } from "./dom.js";

const NAME_KEY = "review-name";
const ACTIONS = [["accepted", "Accept"], ["rejected", "Reject"], ["", "Comment"]];

export class Reviews {
  constructor(link, api) {
    Object.assign(this, { link, api });
    document.body.append(makeDialog());
    this.dialog = byId("review");
    this.dialog.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    byId("review-cancel").addEventListener("click", () => this.dialog.close());
  }

  of(finding) {
    return this.link.sections.reviews?.[finding.id] ?? { verdict: "", entries: [] };
  }

  /** What was said of a finding, and what may be. */
  part(finding) {
    const { verdict, entries } = this.of(finding);
    const part = element("div", { className: "review" });
    for (const one of entries) {
      const said = [one.verdict && (one.verdict === "open" ? "took the verdict back" : one.verdict), one.comment].filter(Boolean).join(": ");
      part.append(element("p", { className: `said ${one.verdict}`, textContent: `${one.who} ${moment(one.time_ns)} ${said}` }));
    }
    const row = element("div", { className: "row" });
    for (const [word, text] of verdict ? [...ACTIONS.filter(([other]) => other !== verdict), ["open", "Take back"]] : ACTIONS) {
      const button = element("button", { type: "button", textContent: text });
      button.addEventListener("click", () => this.ask(finding, word, text));
      row.append(button);
    }
    part.append(row);
    return part;
  }

  ask(finding, verdict, text) {
    Object.assign(this, { finding, verdict });
    setText(byId("review-what"), `${text}: ${finding.class_name}`);
    byId("review-who").value = recalled();
    byId("review-comment").value = "";
    byId("review-comment").required = !verdict;
    this.dialog.showModal();
    byId(recalled() ? "review-comment" : "review-who").focus();
  }

  async send() {
    const who = byId("review-who").value.trim();
    const body = { who, verdict: this.verdict, comment: byId("review-comment").value.trim() };
    if (await this.api.post(`findings/${encodeURIComponent(this.finding.id)}/review`, body)) {
      remember(who);
      this.dialog.close();
    }
  }
}

function makeDialog() {
  return element("dialog", { id: "review" }, element("form", {},
    element("h2", { id: "review-what" }),
    element("label", {}, "Your name", element("input", { id: "review-who", required: true, maxLength: 80, autocomplete: "name" })),
    element("label", {}, "Comment", element("textarea", { id: "review-comment", maxLength: 2000, rows: 3 })),
    element("div", { className: "row" },
      element("button", { type: "submit", className: "main", textContent: "Keep" }),
      element("button", { type: "button", id: "review-cancel", textContent: "Cancel" }))));
}

// A browser may refuse to remember.
function recalled() {
  try {
    return localStorage.getItem(NAME_KEY) ?? "";
  } catch {
    return "";
  }
}

function remember(name) {
  try {
    localStorage.setItem(NAME_KEY, name);
  } catch {
    // it is asked for again
  }
}
