/** Hosts of this machine: nothing on the way can read what is sent to them in clear. */
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|::1|\[::1\])$/i;

/** @param host of a URL or a listener */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);
