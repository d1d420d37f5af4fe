/** Draw the OpenAPI document as a page: one block for each operation, grouped by tag. */

const TYPES = { string: "text", integer: "number", boolean: "true or false" };

/** Create an element with attributes and children. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Follow a reference such as "#/components/schemas/Photo". */
function resolve(api, schema) {
  return schema?.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema;
}

/** Describe the values of a schema in a few words. */
function kindOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.join(" | ");
  if (schema.anyOf) return schema.anyOf.map(kindOf).join(" or ");
  if (schema.contentMediaType) return schema.contentMediaType;
  if (schema.type === "array") return `list of ${kindOf(schema.items)}`;
  const bounds = [
    ["minimum", "at least"],
    ["maximum", "at most"],
    ["maxLength", "up to"],
  ].filter(([key]) => key in schema);
  const words = bounds.map(([key, text]) => `${text} ${schema[key]}`).join(", ");
  return [TYPES[schema.type] ?? schema.type ?? "", words].filter(Boolean).join(", ");
}

/** Return a table of names and kinds. */
function tableOf(rows) {
  const body = element("tbody");
  for (const [name, kind, note] of rows) {
    body.append(element("tr", {}, element("td", {}, element("code", {}, name)), element("td", {}, kind, note ? ` — ${note}` : "")));
  }
  return element("table", {}, body);
}

/** Return rows for the fields of a body. */
function fieldsOf(api, schema) {
  const model = resolve(api, schema);
  const required = new Set(model?.required ?? []);
  return Object.entries(model?.properties ?? {}).map(([name, part]) => [name, kindOf(part), required.has(name) ? "required" : ""]);
}

function operationOf(api, path, method, operation) {
  const block = element("details", { id: operation.operationId });
  const title = element("code", {}, path);
  block.append(element("summary", {}, element("span", { class: "method" }, method.toUpperCase()), title, element("span", { class: "summary" }, operation.summary)));
  if (operation.parameters) {
    block.append(element("h3", {}, "Parameters"));
    block.append(tableOf(operation.parameters.map((item) => [item.name, kindOf(item.schema), item.description ?? `in the ${item.in}`])));
  }
  for (const [type, { schema }] of Object.entries(operation.requestBody?.content ?? {})) {
    block.append(element("h3", {}, "Body, ", element("code", {}, type)), tableOf(fieldsOf(api, schema)));
  }
  block.append(element("h3", {}, "Responses"));
  const responses = Object.entries(operation.responses).map(([status, response]) => {
    const schema = Object.values(response.content ?? {})[0]?.schema;
    return [status, status < "300" ? kindOf(schema) || "nothing" : response.description];
  });
  block.append(tableOf(responses));
  return block;
}

function draw(api) {
  // What is written between backticks is code.
  const parts = api.info.description.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
  document.getElementById("about").replaceChildren(...parts);
  const groups = new Map();
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operationOf(api, path, method, operation));
    }
  }
  for (const [tag, blocks] of groups) {
    document.getElementById("contents").append(element("a", { href: `#tag-${tag}` }, tag));
    document.getElementById("operations").append(element("h2", { id: `tag-${tag}` }, tag), ...blocks);
  }
}

fetch("/api/v1/openapi.json")
  .then((response) => response.json())
  .then(draw)
  .catch((error) => {
    document.getElementById("about").textContent = `The description did not load (${error.message}). Reload the page.`;
  });
