// Words as the field has them: with commas between them, double quotes round one that has a comma itself (RFC 4180).

const PART = /\s*(?:"((?:[^"]|"")*)"\s*(?=,|$)|([^,]*))(?:,|$)/gy;

/** The words of a text; a quote without its other one is a letter. */
export function wordsOf(text) {
  const parts = [...text.matchAll(PART)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain);
  return parts.map((part) => part.replace(/\s+/g, " ").trim()).filter(Boolean); // tabs, too, come with what is pasted
}

/** The text that `wordsOf` makes these words of. */
export function textOf(words) {
  return words.map((word) => (word.includes(",") || word.startsWith('"') ? `"${word.replaceAll('"', '""')}"` : word)).join(", ");
}
