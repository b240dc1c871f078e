/** What is started for a test, and ends with it, needs no more of the test than this. */
export interface Teardown {
  teardown(callback: () => unknown): void;
}
