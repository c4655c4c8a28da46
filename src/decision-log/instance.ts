/** Sluice's own commands write chains of these instances: questions of auditors, and statements of removal. */
export const isReservedInstance = (name: string): boolean => /^(?:audit|removals)(?:-|$)/.test(name);
