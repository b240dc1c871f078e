/**
 * Names of protocols as ALPN writes them (RFC 7301, 3.1): each behind its length.
 *
 * Place: terms, once per plan.
 */
export function wireFormat(names: readonly string[]): Buffer {
  return Buffer.concat(
    names.map(name => {
      const bytes = Buffer.from(name, 'latin1');
      return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    }),
  );
}
