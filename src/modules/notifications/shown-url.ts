/** A URL as it may be shown: the values of its query are often secrets. */
export function shownUrl(url: string): string {
  const parsed = new URL(url);
  const names = [...parsed.searchParams.keys()];
  parsed.search = '';
  const query = names.map((name) => `${encodeURIComponent(name)}=***`).join('&');
  return query === '' ? parsed.href : `${parsed.href}?${query}`;
}
