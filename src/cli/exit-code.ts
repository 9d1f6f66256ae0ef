// What a command ends with.

/** 0 done, 1 not (with the reason), 2 wrong usage. */
export type ExitCode = 0 | 1 | 2;
