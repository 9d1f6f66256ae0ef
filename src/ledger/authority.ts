// Who may act: roles and epoch, kept in one cell of the ledger so that they change together or not at all.

import type { Epoch, Role, Site } from '#base';

export interface Authority {
  readonly epoch: Epoch;
  readonly roles: Readonly<Record<Site, Role>>;
  /** The run (or `founding`) that made it so. */
  readonly by: string;
}

export const authorityKey = 'authority';

/** The authority of a stamp that has never moved: home is active under epoch 1.1. */
export const foundingAuthority: Authority = {
  epoch: { generation: 1, number: 1 },
  roles: { home: 'active', partner: 'standby' },
  by: 'founding',
};
