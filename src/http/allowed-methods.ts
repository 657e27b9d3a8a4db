import { type Request } from 'express';
import { METHODS } from 'node:http';

interface Layer {
  match(path: string): boolean;
  route?: { methods: Record<string, boolean> };
}

/** The methods that routes at this request's path answer: empty where there is no such path (RFC 9110, 405). */
export function allowedMethods(request: Request): string[] {
  const { stack } = (request.app as unknown as { router: { stack: Layer[] } }).router;
  // Not `request.path`: below a global prefix Express has cut that off.
  const [path = ''] = request.originalUrl.split('?', 1);
  const methods = stack
    .filter((layer) => layer.route !== undefined && layer.match(path))
    .map((layer) => Object.keys(layer.route?.methods ?? {}))
    // What answers every method is Nest's own 404 outside the global prefix.
    .filter((methods) => methods.length < METHODS.length)
    .flat()
    .filter((method) => method !== '_all')
    .map((method) => method.toUpperCase());
  return [...new Set(methods)].sort();
}
