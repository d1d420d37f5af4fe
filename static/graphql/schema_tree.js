/** Show the schema, from introspection: the roots, then the other types, each with its fields. */

const TYPE = "type { ...Type }";
export const INTROSPECTION = `query Schema {
  __schema {
    queryType { name } mutationType { name }
    types {
      kind name description
      fields { name description args { name ${TYPE} } ${TYPE} }
      inputFields { name description ${TYPE} }
      enumValues { name description }
      possibleTypes { name }
    }
  }
}
fragment Type on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Return a type as the schema's language writes it. */
export function written(type) {
  if (type.kind === "NON_NULL") return `${written(type.ofType)}!`;
  if (type.kind === "LIST") return `[${written(type.ofType)}]`;
  return type.name;
}

/** Return the members of a type: a signature and a description of each. */
export function membersOf(type) {
  const fields = [...(type.fields ?? []), ...(type.inputFields ?? [])].map((field) => {
    const args = (field.args ?? []).map((each) => `${each.name}: ${written(each.type)}`).join(", ");
    return { name: field.name, text: `${field.name}${args && `(${args})`}: ${written(field.type)}`, about: field.description };
  });
  const values = (type.enumValues ?? []).map((value) => ({ name: value.name, text: value.name, about: value.description }));
  const possible = type.kind === "UNION" ? type.possibleTypes.map(({ name }) => ({ name, text: name, about: "" })) : [];
  return [...fields, ...values, ...possible];
}

function member({ text, about }) {
  return element("li", {}, element("code", {}, text), about ? element("p", {}, about) : "");
}

/** Draw the types into a container, the roots first. */
export function drawSchema(container, schema) {
  const roots = [schema.queryType, schema.mutationType].filter(Boolean).map(({ name }) => name);
  const types = schema.types.filter(({ name }) => !name.startsWith("__"));
  const order = (type) => (roots.includes(type.name) ? roots.indexOf(type.name) : roots.length);
  types.sort((one, other) => order(one) - order(other) || one.name.localeCompare(other.name));
  container.replaceChildren(
    ...types.map((type) => {
      const kind = element("span", { class: "kind" }, ` ${type.kind.toLowerCase().replace("_", " ")}`);
      const block = element("details", { id: `type-${type.name}` }, element("summary", {}, type.name, kind));
      if (type.description) block.append(element("p", {}, type.description));
      block.append(element("ul", {}, ...membersOf(type).map(member)));
      block.dataset.words = [type.name, ...membersOf(type).map(({ name }) => name)].join(" ").toLowerCase();
      return block;
    }),
  );
}

/** Show the types that have a text in their name or in that of a member, opened; all of them, closed, without a text. */
export function findInSchema(container, text) {
  const wanted = text.trim().toLowerCase();
  for (const block of container.querySelectorAll("details")) {
    block.hidden = !block.dataset.words.includes(wanted);
    block.open = wanted !== "" && !block.hidden;
    for (const item of block.querySelectorAll("li")) {
      const own = block.id.slice("type-".length).toLowerCase().includes(wanted);
      item.hidden = !own && !item.firstChild.textContent.toLowerCase().includes(wanted);
    }
  }
}
