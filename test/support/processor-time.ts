/** ms of processor time that this process has used: bounds on the cost of hostile input are held to it, since a busy machine's clock runs on. */
export const processorTime = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
