// Elements, texts and numbers. Everything from outside becomes text, never markup.

export const byId = (id) => document.getElementById(id);

// Control and format characters hide text or turn its direction; reports leave them out, too.
const HIDDEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Co}]/gu;
const shown = (text) => (typeof text === "string" ? text.replace(HIDDEN, "") : text);

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const name of ["textContent", "title"]) if (name in properties) made[name] = shown(properties[name]);
  made.append(...children.map(shown));
  return made;
}

export function setText(target, text) {
  const plain = shown(text);
  if (target.textContent !== plain) target.textContent = plain;
}

/** Replace the pairs of a definition list. */
export function setFigures(list, pairs) {
  const key = JSON.stringify(pairs);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...pairs.flatMap(([name, value]) => [
    element("dt", { textContent: name }), element("dd", { textContent: value }),
  ]));
}

export function toast(text, kind = "") {
  const note = element("p", { textContent: text, className: kind });
  byId("toasts").append(note);
  setTimeout(() => note.remove(), kind ? 6000 : 3000);
}

export const degrees = (rad) => (rad * 180) / Math.PI;
export const radians = (deg) => (deg * Math.PI) / 180;
export const isNumber = (value) => typeof value === "number";

export function fixed(value, digits, unit = "") {
  return isNumber(value) ? value.toFixed(digits) + unit : "–";
}

export function bytes(count) {
  if (!isNumber(count)) return "–";
  for (const [unit, size] of [["TB", 1e12], ["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]) {
    if (count >= size) return `${(count / size).toPrecision(3)} ${unit}`;
  }
  return `${count} B`;
}

/** Time of day of nanoseconds in text. */
export function clock(stampNs) {
  const date = new Date(Number(BigInt(stampNs || 0) / 1000000n));
  return date.toLocaleTimeString("en-GB");
}

const HALF_A_DAY_MS = 12 * 3600 * 1000;

/** The same, with its date where that is not of today. */
export function moment(stampNs) {
  const date = new Date(Number(BigInt(stampNs || 0) / 1000000n));
  const isOld = Math.abs(Date.now() - date.getTime()) > HALF_A_DAY_MS;
  return isOld ? `${date.toLocaleDateString("en-GB")} ${clock(stampNs)}` : clock(stampNs);
}
