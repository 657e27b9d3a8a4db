import { type startService } from '../../src/service.js';
import { type parseSettings } from '../../src/config/parse-settings.js';
import { TEST_SETTINGS } from './service.js';

/**
 * The service as it was built, in this process. Its `/docs-json` is whole: the schemas of bodies come from the
 * compiler's plugin, which the tests' own transform does not have.
 */
export async function startBuiltService(
  env: Record<string, string>,
): Promise<{ url: string; stop(): Promise<void> }> {
  const built = new URL('../../dist/src/', import.meta.url);
  const [service, settings] = (await Promise.all([
    import(new URL('service.js', built).href),
    import(new URL('config/parse-settings.js', built).href),
  ])) as [{ startService: typeof startService }, { parseSettings: typeof parseSettings }];
  const known = Object.entries(TEST_SETTINGS).map(([name, value]) => [name, String(value)] as const);
  return service.startService(settings.parseSettings({ ...Object.fromEntries(known), ...env }));
}
