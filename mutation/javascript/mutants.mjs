// Read a module from standard input; write its mutants as JSON: kind, start and end (line and column from 0), text.

import { readFileSync } from "node:fs";
import { commonTokens } from "@stryker-mutator/api/plugin";
import { createInstrumenter } from "@stryker-mutator/instrumenter";
import { createInjector } from "typed-inject";

// Texts and regular expressions: every change of a label would survive, and the patterns are few.
const excludedMutations = ["StringLiteral", "Regex", "ObjectLiteral", "ArrayDeclaration"];

const silent = () => {};
const logger = new Proxy({}, { get: () => silent });
const instrumenter = createInjector().provideValue(commonTokens.logger, logger).injectFunction(createInstrumenter);
const file = { name: "module.js", content: readFileSync(0, "utf8"), mutate: true };
const { mutants } = await instrumenter.instrument([file], { plugins: null, excludedMutations, ignorers: [] });
const found = mutants
  .filter((mutant) => mutant.status !== "Ignored")
  .map(({ mutatorName, location: { start, end }, replacement }) => ({
    kind: mutatorName,
    start: [start.line, start.column],
    end: [end.line, end.column],
    text: replacement,
  }));
process.stdout.write(JSON.stringify(found));
