// A schema as a flat list of fields: one row each, with the path of its name, so that a reader never unfolds anything.

import { h } from "./dom.js";
import { inline } from "./markdown.js";

const DEPTH_MAX = 8;
const ROWS_MAX = 600;

/** The fields of a schema: `{ path, type, always, rules, description, oneOf }`. */
export function rowsOf(model, schema) {
  const rows = [];
  walk(schema, "", true, [], 0);
  return rows;

  function walk(written, path, always, seen, depth, group = null) {
    if (rows.length >= ROWS_MAX) return;
    const target = model.follow(written) ?? {};
    const here = merged(model, target);
    if (path !== "") {
      rows.push({
        path,
        type: typeOf(model, here),
        always,
        group,
        rules: rulesOf(here),
        description: written.description ?? here.description,
        example: here.examples?.[0],
        deprecated: here.deprecated === true,
      });
    }
    if (depth >= DEPTH_MAX || seen.includes(target)) return;
    const inner = [...seen, target];
    const required = new Set(here.required ?? []);
    const groups = choices(model, here);
    for (const [name, property] of Object.entries(here.properties ?? {})) {
      walk(property, path === "" ? name : `${path}.${name}`, required.has(name), inner, depth + 1, groups.get(name) ?? null);
    }
    if (here.items && !Array.isArray(here.items)) {
      const item = merged(model, model.follow(here.items) ?? {});
      if (item.properties || item.items || item.oneOf) walkInside(here.items, `${path}[]`, inner, depth);
    }
    if (here.additionalProperties && typeof here.additionalProperties === "object") {
      const value = merged(model, model.follow(here.additionalProperties) ?? {});
      if (value.properties) walkInside(here.additionalProperties, `${path}.*`, inner, depth);
    }
    for (const branch of here.oneOf ?? here.anyOf ?? []) {
      const option = merged(model, model.follow(branch) ?? {});
      if (option.properties) walkInside(branch, path, inner, depth);
    }
  }

  /** The fields of what is inside, without a row for the inside itself. */
  function walkInside(written, path, seen, depth) {
    const target = model.follow(written) ?? {};
    if (seen.includes(target)) return;
    const here = merged(model, target);
    const required = new Set(here.required ?? []);
    const groups = choices(model, here);
    const known = new Set(rows.map((row) => row.path));
    for (const [name, property] of Object.entries(here.properties ?? {})) {
      const full = path === "" ? name : `${path}.${name}`;
      if (!known.has(full)) walk(property, full, required.has(name), [...seen, target], depth + 1, groups.get(name) ?? null);
    }
  }
}

/** A schema with what its `allOf` adds. */
function merged(model, schema) {
  if (!Array.isArray(schema.allOf)) return schema;
  const all = { ...schema, properties: { ...schema.properties }, required: [...(schema.required ?? [])] };
  for (const part of schema.allOf) {
    const one = merged(model, model.follow(part) ?? {});
    Object.assign(all.properties, one.properties);
    all.required.push(...(one.required ?? []));
    for (const [key, value] of Object.entries(one)) all[key] ??= value;
  }
  return all;
}

/** Which fields exclude each other: `oneOf` of `required`, as a protobuf `oneof` is written. */
function choices(model, schema) {
  const groups = new Map();
  const lists = [schema, ...(schema.allOf ?? [])].map((part) => model.follow(part)?.oneOf).filter(Array.isArray);
  for (const branches of lists) {
    const names = branches.flatMap((branch) => model.follow(branch)?.required ?? []);
    if (names.length > 1 && branches.every((branch) => !model.follow(branch)?.properties)) {
      for (const name of names) groups.set(name, names);
    }
  }
  return groups;
}

export function typeOf(model, schema) {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const types = [schema.type ?? (schema.properties ? "object" : schema.enum ? "enum" : undefined)].flat().filter(Boolean);
  const names = types.map((type) => {
    if (type === "array" && schema.items && !Array.isArray(schema.items)) {
      return `${typeOf(model, merged(model, model.follow(schema.items) ?? {}))}[]`;
    }
    if (type === "object" && typeof schema.additionalProperties === "object" && !schema.properties) {
      return `map of ${typeOf(model, merged(model, model.follow(schema.additionalProperties) ?? {}))}`;
    }
    return type === "string" && schema.enum ? "enum" : type;
  });
  if (names.length > 0) return names.join(" | ");
  const branches = schema.oneOf ?? schema.anyOf;
  return branches ? [...new Set(branches.map((branch) => typeOf(model, model.follow(branch) ?? {})))].join(" | ") : "any";
}

/** The rules of a value, each as a short text. */
function rulesOf(schema) {
  const rules = [];
  const range = (low, high, unit) => {
    if (low !== undefined && low === high) rules.push(`${low} ${unit}`.trim());
    else if (low !== undefined && high !== undefined) rules.push(`${low} to ${high} ${unit}`.trim());
    else if (low !== undefined) rules.push(`at least ${low} ${unit}`.trim());
    else if (high !== undefined) rules.push(`at most ${high} ${unit}`.trim());
  };
  if (schema.enum) rules.push(...schema.enum.map((value) => (typeof value === "string" ? value : JSON.stringify(value))));
  if (schema.format) rules.push(schema.format);
  if (schema.contentEncoding) rules.push(schema.contentEncoding);
  range(schema.minLength, schema.maxLength, "characters");
  range(schema.minItems, schema.maxItems, "items");
  range(schema.minProperties, schema.maxProperties, "entries");
  range(schema.minimum, schema.maximum, "");
  if (schema.exclusiveMinimum !== undefined) rules.push(`above ${schema.exclusiveMinimum}`);
  if (schema.exclusiveMaximum !== undefined) rules.push(`below ${schema.exclusiveMaximum}`);
  if (schema.multipleOf !== undefined) rules.push(`multiple of ${schema.multipleOf}`);
  if (schema.uniqueItems) rules.push("no item twice");
  if (schema.pattern) rules.push(`/${schema.pattern}/`);
  if (schema.default !== undefined) rules.push(`default ${JSON.stringify(schema.default)}`);
  return rules;
}

const ENUM_SHOWN = 12;

/** The table of a schema's fields. `linkOf` gives the address of a field; without it fields have none. */
export function fieldTable(model, schema, { label, linkOf } = {}) {
  const rows = rowsOf(model, schema);
  if (rows.length === 0) return h("p", { class: "faint" }, describeWhole(model, schema));
  return h("table", { class: "fields", "aria-label": label },
    h("thead", { class: "unseen" }, h("tr", {}, h("th", { scope: "col" }, "Field"), h("th", { scope: "col" }, "Meaning"))),
    h("tbody", {}, rows.map((row) => fieldRow(row, linkOf))));
}

function fieldRow(row, linkOf) {
  const link = linkOf?.(row.path);
  const at = row.path.lastIndexOf(".");
  const name = [
    at > 0 && h("span", { class: "faint" }, row.path.slice(0, at + 1)),
    h("span", { class: "name" }, row.path.slice(at + 1)),
  ];
  const shown = row.rules.slice(0, ENUM_SHOWN);
  return h("tr", { "data-field": row.path, class: row.deprecated && "deprecated" },
    h("th", { scope: "row" },
      link ? h("a", { class: "path", href: link, "data-field-link": row.path }, name) : h("span", { class: "path" }, name),
      h("span", { class: "type" }, row.type)),
    h("td", {},
      h("span", { class: row.always ? "always" : "maybe" }, presence(row)),
      row.description && h("span", { class: "about" }, inline(row.description)),
      shown.length > 0 && h("span", { class: "rules" }, shown.map((rule) => h("code", {}, rule)),
        row.rules.length > ENUM_SHOWN && h("span", { class: "faint" }, `and ${row.rules.length - ENUM_SHOWN} more`))));
}

function presence(row) {
  if (row.group) return `one of ${row.group.join(", ")}`;
  return row.always ? "always" : "optional";
}

function describeWhole(model, schema) {
  const target = merged(model, model.follow(schema) ?? {});
  if (target.type === "null") return "No body.";
  if (target.type === "object") return "An object without fields.";
  return `Any ${typeOf(model, target) === "any" ? "JSON" : typeOf(model, target)}.`;
}
