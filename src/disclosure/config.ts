/** What `loadConfig` checks of a route's answers besides their schema: charset, and the options of their format. */
export { isCharset } from './formats/shared/charsets.ts';
export { responseFault } from './response-check.ts';
