// The token of one workspace, kept in memory between calls: a vault is not asked at every call, and a rotation is noticed
// when the old token is refused.

export interface TokenCache {
  /** The token, and whether it was read before this call. */
  read(signal: AbortSignal): Promise<{ readonly value: string; readonly remembered: boolean }>;
  forget(): void;
}

export function tokenCache(readToken: (signal: AbortSignal) => Promise<string>): TokenCache {
  let known: string | undefined;
  return {
    async read(signal) {
      if (known !== undefined) return { value: known, remembered: true };
      known = await readToken(signal);
      return { value: known, remembered: false };
    },
    forget: () => {
      known = undefined;
    },
  };
}
