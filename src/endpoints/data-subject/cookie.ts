/** The session's cookie: for this host alone, over TLS alone, never for scripts; not sent with requests that another site makes by itself. */
export function cookieFor({ protocol, pathname }: URL) {
  const isSecure = protocol === 'https:';
  const path = pathname.endsWith('/') ? pathname : `${pathname}/`;
  const name = !isSecure
    ? 'sluice_session'
    : path === '/'
      ? '__Host-sluice_session'
      : '__Secure-sluice_session';
  const spell = (value: string, seconds: number): string =>
    `${name}=${value}; Path=${path}; Max-Age=${seconds}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  return {
    set: spell,
    clear: () => spell('', 0),
    get(header: string | undefined): string | null {
      // Two of one name: somebody else has set one of them.
      const found = (header ?? '').split(/; */).filter((pair) => pair.startsWith(`${name}=`));
      return found.length === 1 ? found[0]!.slice(name.length + 1) : null;
    },
  };
}
