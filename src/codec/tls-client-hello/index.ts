/**
 * The first message of a TLS client, read without taking part in TLS.
 */
export {
  HELLO_MAX_BYTES,
  HELLO_MAX_BYTES_IN_RECORDS,
  HELLO_PROBLEMS,
  type ClientHello,
  type HelloProblem,
} from './hello.ts';
export { parseClientHello, type ParsedClientHello } from './parse.ts';
