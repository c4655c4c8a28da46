/** What `loadConfig` asks of headers. */
export { isDigest, TAG_CONDITIONS } from './headers.ts';
