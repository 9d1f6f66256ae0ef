// An epoch grows each time the active role moves. (generation, number): a promoted ledger copy starts a new generation.

export interface Epoch {
  readonly generation: number;
  readonly number: number;
}

/** Negative when `a` is older than `b`, zero when equal, positive when newer. */
export function compareEpochs(a: Epoch, b: Epoch): number {
  return a.generation - b.generation || a.number - b.number;
}

/** `1.4` */
export function formatEpoch(epoch: Epoch): string {
  return `${epoch.generation}.${epoch.number}`;
}

export function parseEpoch(text: string): Epoch | undefined {
  const match = /^(\d{1,9})\.(\d{1,9})$/.exec(text);
  return match ? { generation: Number(match[1]), number: Number(match[2]) } : undefined;
}
