// Checks a value against a schema of the document: the part of JSON Schema draft-07 that schemas of events use.

const MOST = 20;

/** What is wrong, as `{ pointer, message }`; empty when the value is as the schema says. */
export function violations(model, schema, value) {
  const found = [];
  check(model, schema, value, "", found);
  return found.slice(0, MOST);
}

const typeOf = (value) =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value === "object" ? "object" : typeof value;

function isType(type, value) {
  const actual = typeOf(value);
  return type === actual || (type === "integer" && Number.isInteger(value)) || (type === "number" && actual === "number");
}

/** The same text for the same value. */
const written = (value) => JSON.stringify(sorted(value));
const same = (left, right) => written(left) === written(right);
const sorted = (value) =>
  typeOf(value) === "object"
    ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]))
    : Array.isArray(value) ? value.map(sorted) : value;

function check(model, given, value, at, found) {
  if (found.length >= MOST) return;
  const schema = model.follow(given);
  const say = (message, pointer = at) => found.push({ pointer, message });
  if (schema === false) return say("nothing may be here");
  if (schema === undefined || schema === true || typeof schema !== "object") return;

  if (schema.type !== undefined && ![schema.type].flat().some((type) => isType(type, value))) {
    say(`is ${typeOf(value)}, must be ${[schema.type].flat().join(" or ")}`);
    return;
  }
  if (schema.const !== undefined && !same(schema.const, value)) say(`must be ${JSON.stringify(schema.const)}`);
  if (schema.enum && !schema.enum.some((one) => same(one, value))) say(`must be one of ${schema.enum.map((one) => JSON.stringify(one)).join(", ")}`);
  if (typeof value === "string") checkText(schema, value, say);
  if (typeof value === "number") checkNumber(schema, value, say);
  if (Array.isArray(value)) checkList(model, schema, value, at, found, say);
  if (typeOf(value) === "object") checkObject(model, schema, value, at, found, say);

  const valid = (branch) => {
    const inside = [];
    check(model, branch, value, at, inside);
    return inside.length === 0;
  };
  for (const part of schema.allOf ?? []) check(model, part, value, at, found);
  if (schema.anyOf && !schema.anyOf.some(valid)) say("fits none of the alternatives");
  if (schema.oneOf) {
    const count = schema.oneOf.filter(valid).length;
    if (count !== 1) say(count === 0 ? "fits none of the alternatives" : "fits more than one of the alternatives");
  }
  if (schema.not !== undefined && valid(schema.not)) say("is what it must not be");
  if (schema.if !== undefined) {
    const branch = valid(schema.if) ? schema.then : schema.else;
    if (branch !== undefined) check(model, branch, value, at, found);
  }
}

function checkText(schema, value, say) {
  const length = [...value].length;
  if (length < (schema.minLength ?? 0)) say(`must have at least ${schema.minLength} characters`);
  if (length > (schema.maxLength ?? Infinity)) say(`must have at most ${schema.maxLength} characters`);
  if (schema.pattern !== undefined && !matches(schema.pattern, value)) say(`must match ${schema.pattern}`);
  if (schema.format === "date-time" && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(value)) {
    say("must be a date and time");
  }
}

function matches(pattern, value) {
  try {
    return new RegExp(pattern, "u").test(value);
  } catch {
    // A pattern of another dialect is the hub's to judge.
    return true;
  }
}

function checkNumber(schema, value, say) {
  if (value < (schema.minimum ?? -Infinity)) say(`must be at least ${schema.minimum}`);
  if (value > (schema.maximum ?? Infinity)) say(`must be at most ${schema.maximum}`);
  if (value <= (schema.exclusiveMinimum ?? -Infinity)) say(`must be above ${schema.exclusiveMinimum}`);
  if (value >= (schema.exclusiveMaximum ?? Infinity)) say(`must be below ${schema.exclusiveMaximum}`);
  if (schema.multipleOf !== undefined && Math.abs(value / schema.multipleOf - Math.round(value / schema.multipleOf)) > 1e-9) {
    say(`must be a multiple of ${schema.multipleOf}`);
  }
}

function checkList(model, schema, value, at, found, say) {
  if (value.length < (schema.minItems ?? 0)) say(`must have at least ${schema.minItems} items`);
  if (value.length > (schema.maxItems ?? Infinity)) say(`must have at most ${schema.maxItems} items`);
  // Written out and not compared with each other: a list may have thousands of items.
  if (schema.uniqueItems && new Set(value.map(written)).size < value.length) say("must not have an item twice");
  if (Array.isArray(schema.items)) {
    value.forEach((item, index) => check(model, schema.items[index] ?? schema.additionalItems, item, `${at}/${index}`, found));
  } else if (schema.items !== undefined) {
    value.forEach((item, index) => check(model, schema.items, item, `${at}/${index}`, found));
  }
}

function checkObject(model, schema, value, at, found, say) {
  const names = Object.keys(value);
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) say(`must have the field ${name}`);
  }
  if (names.length < (schema.minProperties ?? 0)) say(`must have at least ${schema.minProperties} entries`);
  if (names.length > (schema.maxProperties ?? Infinity)) say(`must have at most ${schema.maxProperties} entries`);
  for (const name of names) {
    const pointer = `${at}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const patterns = Object.entries(schema.patternProperties ?? {}).filter(([pattern]) => matches(pattern, name));
    const known = schema.properties && Object.hasOwn(schema.properties, name);
    if (schema.propertyNames !== undefined) check(model, schema.propertyNames, name, pointer, found);
    if (known) check(model, schema.properties[name], value[name], pointer, found);
    for (const [, pattern] of patterns) check(model, pattern, value[name], pointer, found);
    if (!known && patterns.length === 0 && schema.additionalProperties !== undefined) {
      if (schema.additionalProperties === false) say("is not in the schema", pointer);
      else check(model, schema.additionalProperties, value[name], pointer, found);
    }
  }
}
