/** Links in texts of users: the mentions and tags that the server has found in a comment or a caption. */

import { h } from "./dom.js";

/** Return a text as strings and links. The ranges of `entities` are in UTF-16 code units, as those of strings here. */
export function linked(text, entities = []) {
  const nodes = [];
  let position = 0;
  for (const entity of entities) {
    const href = addressOf(entity);
    if (!href || entity.offset < position) continue;
    const end = entity.offset + entity.length;
    nodes.push(text.slice(position, entity.offset), h("a.entity", { href }, text.slice(entity.offset, end)));
    position = end;
  }
  nodes.push(text.slice(position));
  return nodes;
}

function addressOf({ type, user_id: userId, tag }) {
  // By the id, so that the link is right when the account has taken another name.
  if (type === "mention") return `/u/${encodeURIComponent(userId)}`;
  return type === "tag" ? `/tag/${encodeURIComponent(tag)}` : null;
}
