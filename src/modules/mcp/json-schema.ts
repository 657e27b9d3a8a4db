import { type OpenAPIObject } from '@nestjs/swagger';

/** As much of JSON Schema as tools are described with. */
export interface JsonSchema {
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  [keyword: string]: unknown;
}

const COMPONENT = '#/components/schemas/';
const DEFINITION = '#/$defs/';
const SAYS_MORE = ['properties', 'additionalProperties', 'allOf', 'anyOf', 'oneOf'];

/**
 * A schema of the OpenAPI document (3.0) as JSON Schema: `nullable` becomes a choice, and what is referred to comes
 * along. The root is written out, since a tool's schema must be an object at its root.
 */
export function toJsonSchema(document: OpenAPIObject, schema: object): JsonSchema {
  const components = (document.components?.schemas ?? {}) as Record<string, JsonSchema>;
  const found = new Map<string, JsonSchema>();
  const convert = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(convert);
    if (typeof node !== 'object' || node === null) return node;
    const { nullable, $ref, example: _, ...rest } = node as JsonSchema & { nullable?: boolean };
    const plain: JsonSchema = Object.fromEntries(
      Object.entries(rest).map(([key, value]) => [key, convert(value)]),
    );
    if ($ref !== undefined) plain.$ref = define($ref);
    // What the compiler knows no type of (`unknown`) is an object in the document; it may be anything.
    if (plain.type === 'object' && !SAYS_MORE.some((keyword) => keyword in plain)) delete plain.type;
    return nullable === true ? orNull(plain) : plain;
  };
  const define = ($ref: string): string => {
    const name = $ref.slice(COMPONENT.length);
    if (!found.has(name)) {
      found.set(name, {});
      found.set(name, convert(components[name] ?? {}) as JsonSchema);
    }
    return DEFINITION + name;
  };
  const root = convert(schema) as JsonSchema;
  const written = root.$ref === undefined ? root : found.get(root.$ref.slice(DEFINITION.length));
  return { ...written, ...(found.size > 0 ? { $defs: Object.fromEntries(found) } : {}) };
}

/** Said in short where it can be: lists of tools are read by models. */
const orNull = (schema: JsonSchema): JsonSchema =>
  typeof schema.type === 'string' && schema.type !== 'object' && schema['enum'] === undefined
    ? { ...schema, type: [schema.type, 'null'] }
    : { anyOf: [schema, { type: 'null' }] };
