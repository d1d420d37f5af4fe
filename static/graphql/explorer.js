/** The page that explores the GraphQL interface: an editor, its response, and the schema. */

import { EXAMPLES, nameOf, saveOperation, savedOperations } from "./examples.js";
import { execute, hasSession } from "./requests.js";
import { INTROSPECTION, drawSchema, findInSchema } from "./schema_tree.js";

const find = (id) => document.getElementById(id);
const [query, variables, response, status, examples, search, schema] = ["query", "variables", "response", "status", "examples", "search", "schema"].map(find);

function say(text, { error = false } = {}) {
  status.textContent = text;
  status.classList.toggle("error", error);
}

function groupOf(label, operations) {
  const group = document.createElement("optgroup");
  group.label = label;
  group.append(...operations.map((operation) => Object.assign(new Option(operation.name), { operation })));
  return group;
}

function listExamples(chosen) {
  const saved = savedOperations();
  examples.replaceChildren(groupOf("Examples", EXAMPLES), ...(saved.length ? [groupOf("Saved here", saved)] : []));
  const options = [...examples.options];
  examples.selectedIndex = Math.max(0, options.findLastIndex((option) => option.value === chosen));
}

function show(operation) {
  query.value = operation.query;
  variables.value = operation.variables;
}

/** Return the variables, or null after saying what is wrong with their text. */
function parsedVariables() {
  try {
    const parsed = JSON.parse(variables.value.trim() || "{}");
    if (parsed !== null && typeof parsed === "object" && !Array.isArray(parsed)) return parsed;
    say("The variables must be a JSON object.", { error: true });
  } catch (error) {
    say(`The variables are not valid JSON: ${error.message}.`, { error: true });
  }
  return null;
}

async function run() {
  const given = parsedVariables();
  if (given === null) return;
  say("Running…");
  const started = performance.now();
  try {
    const { status: code, body } = await execute(query.value, given);
    const took = `${Math.round(performance.now() - started)} ms`;
    const cost = body.extensions?.cost ? `, cost ${body.extensions.cost.requested} of ${body.extensions.cost.limit}` : "";
    response.textContent = JSON.stringify(body, null, 2);
    say(`${code}, ${took}${cost}`, { error: code !== 200 || Boolean(body.errors) });
  } catch (error) {
    say(`There was no response: ${error.message}.`, { error: true });
  }
}

function save() {
  const operation = { name: nameOf(query.value), query: query.value, variables: variables.value };
  const kept = saveOperation(operation);
  say(kept ? `Saved as ${operation.name}.` : "This browser keeps nothing.", { error: !kept });
  listExamples(operation.name);
}

async function loadSchema() {
  const { body } = await execute(INTROSPECTION);
  if (body.data) {
    drawSchema(schema, body.data.__schema);
    findInSchema(schema, search.value); // what was typed meanwhile
  } else schema.textContent = body.errors?.[0]?.message ?? body.detail ?? "The schema cannot be read.";
}

listExamples(EXAMPLES[0].name);
show(EXAMPLES[0]);
find("session").textContent = hasSession()
  ? "Operations are executed as you: mutations change your account."
  : "You are not signed in, so you see what everyone sees. Sign in to PicShare in this browser to see more.";
find("run").addEventListener("click", run);
find("save").addEventListener("click", save);
examples.addEventListener("change", () => show(examples.selectedOptions[0].operation));
search.addEventListener("input", () => findInSchema(schema, search.value));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  run();
});
loadSchema().catch((error) => {
  schema.textContent = `The schema cannot be read: ${error.message}.`;
});
