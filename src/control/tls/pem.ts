/**
 * What stands in a PEM file: its blocks, in order, and what the file is where it has none.
 *
 * Place: a part of control/tls. Pure.
 * Invariant: no text of a block ever is in a message.
 */

export interface PemBlock {
  /** Such as `CERTIFICATE` or `EC PRIVATE KEY`. */
  readonly label: string;
  /** With both border lines, and a line end at its end. */
  readonly text: string;
  /** Where it begins, from 1. */
  readonly line: number;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;
/** ASN.1: a sequence. */
const SEQUENCE = 0x30;
/** In headers of keys as OpenSSL wrote them before PKCS #8, the only dashes within a block. */
const HEADED = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n(?:[A-Za-z-]+: .*\r?\n)+[^-]*-----END \1-----/g;

export function pemBlocks(text: string): readonly PemBlock[] {
  const found = [...text.matchAll(BLOCK), ...text.matchAll(HEADED)];
  const starts = new Set<number>();
  return found
    .sort((a, b) => a.index - b.index)
    .flatMap(({ 0: block, 1: label = '', index }) => {
      if (starts.has(index)) return [];
      starts.add(index);
      return [{ label, text: `${block}\n`, line: text.slice(0, index).split('\n').length }];
    });
}

/** What the bytes of a file without the block that was looked for are. `what`: such as `certificate`. */
export function describeBytes(bytes: Buffer, what: string): string {
  if (bytes.length === 0) return 'it is empty';
  if (bytes[0] === SEQUENCE && !bytes.includes('-----BEGIN ')) return 'it is DER, not PEM';
  const text = bytes.toString();
  if (text.trim() === '') return 'it is empty';
  const labels = [...new Set(pemBlocks(text).map(({ label }) => label))];
  if (labels.length > 0) return `no ${what} in it, but ${labels.map(each => each.toLowerCase()).join(', ')}`;
  return text.includes('-----BEGIN ') ? `no whole ${what} in it` : 'it is not PEM';
}
