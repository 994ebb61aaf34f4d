// What is looked for: where each word came from, and how much of it was seen.

import { byId, element, setText } from "./dom.js";
import { textOf } from "./word_text.js";
import { TEXTS } from "./words.js";

const ORIGINS = TEXTS["WordMeaning.origin"];
const same = (one, other) => one.toLowerCase() === other.toLowerCase();

export class WordList {
  constructor(link, api) {
    Object.assign(this, { link, api });
    link.addEventListener("news", ({ detail }) => (detail.has("detector") || detail.has("words")) && this.tell());
  }

  tell() {
    this.tellDropped(this.link.sections.words?.dropped ?? []);
    const rows = rowsOf(this.link.sections);
    const key = JSON.stringify(rows);
    const list = byId("word-list");
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    list.replaceChildren(...rows.map((row) => this.item(row)));
  }

  /** Words that the model has no room for: how many, and all of them for who wants to know. */
  tellDropped(dropped) {
    const box = byId("words-dropped");
    box.hidden = !dropped.length;
    setText(box.querySelector("summary"), `${dropped.length} more asked for: the model has no room for them`);
    setText(box.querySelector("p"), textOf(dropped));
  }

  item({ word, origin, seen, isIdle, isShown }) {
    const item = element("li", { className: isIdle ? "idle" : "" }, element("b", { textContent: word }),
      element("span", { className: "origin", textContent: origin }), element("span", { className: "seen", textContent: seen }));
    if (!isShown) return item;
    const forget = element("button", { type: "button", className: "steer", textContent: "×", title: `Forget the examples of ${word}` });
    forget.setAttribute("aria-label", forget.title);
    forget.addEventListener("click", () => this.api.maySteer() && this.api.post("examples/forget", { name: word }));
    item.append(forget);
    return item;
  }
}

/** Rows of words, of what is proposed without one, and of what is known by example and not looked for. */
export function rowsOf({ detector, words }) {
  if (!detector) return [];
  const { vocabulary = [], counts = {}, frames_with: framesWith = {}, proposals } = detector;
  const told = (words?.words ?? []).filter(({ word }) => vocabulary.includes(word));
  const seen = (name) => {
    const now = counts[name] ? `${counts[name]} in the picture, ` : "";
    return framesWith[name] ? `${now}seen in ${framesWith[name]} ${framesWith[name] === 1 ? "frame" : "frames"}` : "not seen yet";
  };
  const rows = vocabulary.map((word) => {
    const row = told.find((one) => one.word === word);
    const isShown = Boolean(row && row.positives + row.negatives);
    return { word, origin: row ? originOf(row) : "", seen: seen(word), isShown };
  });
  for (const name of proposals?.classes ?? []) {
    rows.push({ word: name, origin: name === "anomaly" ? "anomaly, without a word" : "colour, without a word", seen: seen(name) });
  }
  for (const one of words?.known ?? []) {
    const isInForce = told.some((row) => same(row.word, one.name) || row.texts.some((text) => same(text, one.name)));
    if (isInForce) continue;
    rows.push({ word: one.name, origin: `by example: ${countsOf(one)}`, seen: "not looked for", isIdle: true, isShown: true });
  }
  return rows;
}

function originOf(row) {
  const from = row.origins.map((origin) => ORIGINS[origin] ?? origin).join(", ");
  const shown = row.positives + row.negatives ? `: ${countsOf(row)}` : "";
  return `${row.texts.length ? `${row.texts.join(" | ")}, ` : ""}${from}${shown}`;
}

function countsOf({ positives, negatives }) {
  return [positives && `${positives} like it`, negatives && `${negatives} unlike it`].filter(Boolean).join(", ");
}
