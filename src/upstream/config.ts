/** What `loadConfig` asks of headers. */
export { isDigest } from './headers.ts';
