/** As much of OpenAPI as is needed to call each operation of a document. */
export interface Schema {
  $ref?: string;
  type?: string;
  format?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  allOf?: Schema[];
  oneOf?: Schema[];
  anyOf?: Schema[];
  minimum?: number;
  minItems?: number;
}

export interface Operation {
  method: string;
  /** With its parameters as `{name}`. */
  path: string;
  pathParameters: string[];
  queryParameters: string[];
  body: Schema | undefined;
}

export interface Document {
  paths: Record<string, Record<string, RawOperation>>;
  components: { schemas: Record<string, Schema> };
}

interface RawOperation {
  parameters?: { name: string; in: string }[];
  requestBody?: { content?: Record<string, { schema?: Schema }> };
}

export const operationsOf = (document: Document): Operation[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method,
      path,
      pathParameters: [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!),
      queryParameters: (operation.parameters ?? [])
        .filter((parameter) => parameter.in === 'query')
        .map((parameter) => parameter.name),
      body: operation.requestBody?.content?.['application/json']?.schema,
    })),
  );

/** A schema with its references followed. */
export function resolved(document: Document, schema: Schema): Schema {
  const name = schema.$ref?.split('/').at(-1);
  const found = name === undefined ? schema : document.components.schemas[name]!;
  const [one] = found.oneOf ?? found.anyOf ?? [];
  if (one) return resolved(document, one);
  if (!found.allOf) return found;
  const parts = found.allOf.map((part) => resolved(document, part));
  return {
    ...found,
    ...Object.assign({}, ...parts),
    properties: Object.assign({}, ...parts.map((part) => part.properties)),
    required: parts.flatMap((part) => part.required ?? []),
  };
}
