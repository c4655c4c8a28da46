/** For tests of stores, which are not about the decision log. */
export const unrecorded = async (): Promise<void> => undefined;
