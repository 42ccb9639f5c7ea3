// The words of the pages, in the page's language: what the catalogue has for scripts (web/languages).

const language = document.documentElement.lang;
const { default: catalogue } = await import(`/words/${language}.js`);

/** For dates and numbers: as people write them where the browser is at home, if it speaks the page's language. */
export const locale = navigator.languages.find((one) => one.split("-")[0] === language.split("-")[0]) ?? language;

const plurals = new Intl.PluralRules(language);
const plain = new Intl.NumberFormat(locale);
const formats = new Map();

/** Write a number with so many digits behind the point. */
export function number(value, digits = 0) {
  if (!formats.has(digits)) {
    formats.set(digits, new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  }
  return formats.get(digits).format(value);
}

/** Write a share as whole percents, never more than it is. */
export const percent = (share) => say("unit.percent", { value: Math.floor(100 * share) });

/** Return the words of a key; `values` go into its {places}, `count` chooses the plural. */
export function say(key, values = {}) {
  const words = catalogue[key] ?? key;
  const chosen = typeof words === "string" ? words : words[plurals.select(values.count)] ?? words.other;
  return chosen.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? plain.format(values[name]) : values[name]));
}

/** Keep a name's own direction of writing within a sentence. */
export const isolated = (name) => `\u2068${name}\u2069`;
