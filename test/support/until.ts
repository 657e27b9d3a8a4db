/** Waits until `probe` gives something other than false, null or undefined; fails with `what` after `ms`. */
export async function until<T>(
  probe: () => T | Promise<T>,
  what: string,
  ms = 60_000,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value !== false && value !== null && value !== undefined)
      return value as Exclude<T, false | null | undefined>;
    if (Date.now() > deadline) throw new Error(`waited ${ms} ms in vain for: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}
