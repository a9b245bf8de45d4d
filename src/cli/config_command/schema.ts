/**
 * The JSON Schema of config files (draft 2020-12), made from the table of options.
 *
 * @module
 */

import type { JsonType, Option, Schema, TableForm } from "../../settings/option.ts";
import { flagOf, isList } from "../flags/arguments.ts";
import type { FlagName } from "../flags/flags.ts";
import { KEYS, SCHEMA, SECTIONS, UPSTREAMS } from "../config/config_file.ts";

/** A JSON Schema. */
type JsonSchema = Readonly<Record<string, unknown>>;

/** The schema. It knows every key that the program knows. */
export function configSchema(): JsonSchema {
  const properties: Record<string, JsonSchema> = {
    [SCHEMA]: { type: "string", description: "Where an editor finds this schema" },
    [UPSTREAMS]: {
      description: "Names for upstreams, which proxy, route and rules may use",
      ...tableOf({ type: "string" }),
    },
  };
  for (const section of SECTIONS) {
    const members = [...KEYS].filter(([key]) => key.startsWith(`${section}.`));
    properties[section] = {
      type: "object",
      description: `The same options as ${members.map(([, name]) => name).join(", ")}`,
      properties: Object.fromEntries(
        members.map(([key, name]) => [key.slice(section.length + 1), optionSchema(name)]),
      ),
      additionalProperties: false,
    };
  }
  for (const [key, name] of KEYS) if (!key.includes(".")) properties[key] = optionSchema(name);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "The config file of sluice",
    type: "object",
    properties,
    additionalProperties: false,
  };
}

function optionSchema(name: FlagName): JsonSchema {
  const row = flagOf(name);
  const one = row.table ? anyOf([row.schema, tableSchema(row.table)]) : row.schema;
  const forms: JsonSchema[] = [one as JsonSchema];
  if (isList(name)) forms.push(listOf(one as JsonSchema));
  if (row.listed) forms.push(listOf({ type: "string" }));
  if (row.entry) forms.push(tableOf({ type: "string" }));
  const otherwise = defaultOf(row);
  return {
    description: row.help,
    ...otherwise !== undefined && { default: otherwise },
    ...anyOf(forms),
  };
}

function anyOf(forms: readonly (JsonSchema | Schema)[]): JsonSchema {
  return forms.length === 1 ? forms[0] as JsonSchema : { anyOf: forms };
}

function listOf(items: JsonSchema): JsonSchema {
  return { type: "array", items, minItems: 1 };
}

/** A table whose keys the operator chooses. */
function tableOf(values: JsonSchema): JsonSchema {
  return { type: "object", additionalProperties: values };
}

function tableSchema({ keys, required }: TableForm): JsonSchema {
  const properties = Object.entries(keys).map(([key, { help, schema, repeatable }]) => {
    const one = schema as unknown as JsonSchema;
    return [key, { description: help, ...anyOf(repeatable ? [one, listOf(one)] : [one]) }];
  });
  return {
    type: "object",
    properties: Object.fromEntries(properties),
    required: [required],
    additionalProperties: false,
  };
}

/** The default as people write it. There is no way to write "no limit". */
function defaultOf({ default: value, format, schema }: Option): unknown {
  if (value === undefined || value === Infinity) return undefined;
  const types: readonly JsonType[] = [schema.type].flat();
  return format && types.includes("string") ? format(value) : value;
}
