/**
 * The fields of a line of the access log, in their order.
 *
 * Place: the configuration chooses among them, the access log fills them in.
 */
/** Only sessions have them whose client's TLS ends at the listener. */
export const TLS_FIELDS = ['tlsVersion', 'tlsCipher', 'tlsResumed', 'alpn', 'clientCertificate'] as const;

export const ACCESS_FIELDS = [
  'session',
  'startedAt',
  'client',
  'proxy',
  'uniqueId',
  'serverName',
  ...TLS_FIELDS,
  'localAddress',
  'listener',
  'upstream',
  'backend',
  'sourceAddress',
  'attempts',
  'tried',
  'warm',
  'reused',
  'durationMs',
  'queuedMs',
  'connectMs',
  'firstByteMs',
  'bytesFromClient',
  'bytesFromBackend',
  'by',
  'phase',
  'reason',
] as const;

export type AccessField = (typeof ACCESS_FIELDS)[number];
