/** Highlight the words of a search in texts, as the server compares them: without case, accents and punctuation. */

import { h } from "./dom.js";

/** A word of fewer letters fits at the beginning of a word only, as in the search. */
const SHORT = 3;
const SEPARATORS = /[^\p{L}\p{N}\p{M}\p{So}]+/u;
const LETTER = /[\p{L}\p{N}\p{M}]/u;

/** Return the words of a search in the form in which they are compared. */
export function searchedWords(query) {
  return fold(query).text.split(SEPARATORS).filter(Boolean);
}

/** Return the parts of `text` that a word fits, as a list of [start, end], in order and apart from each other. */
export function matches(text, words) {
  const { text: folded, origins } = fold(text);
  const found = [];
  for (const word of words) {
    for (let place = folded.indexOf(word); place !== -1; place = folded.indexOf(word, place + word.length)) {
      const begins = place === 0 || !LETTER.test(folded[place - 1]);
      if (begins || [...word].length >= SHORT) found.push([origins[place], origins[place + word.length]]);
    }
  }
  found.sort(([one], [other]) => one - other);
  const joined = [];
  for (const [start, end] of found) {
    const last = joined.at(-1);
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else joined.push([start, end]);
  }
  return joined;
}

/** Return `text` as nodes, with `<mark>` around the parts that a word fits. */
export function highlighted(text, words) {
  const nodes = [];
  let place = 0;
  for (const [start, end] of matches(text, words)) {
    nodes.push(text.slice(place, start), h("mark", {}, text.slice(start, end)));
    place = end;
  }
  return [...nodes, text.slice(place)];
}

/** Return the compared form of a text, and for each place in it the place in the text from which it comes. */
function fold(text) {
  let folded = "";
  const origins = [];
  let place = 0;
  for (const symbol of text) {
    const form = symbol.normalize("NFKD").replace(/\p{Mn}/gu, "").toLowerCase();
    for (let added = 0; added < form.length; added++) origins.push(place);
    folded += form;
    place += symbol.length;
  }
  origins.push(text.length);
  return { text: folded, origins };
}
