// The two declared sites of a stamp. They are never renamed; what changes is their role.

export type Site = 'home' | 'partner';
export const sites: readonly Site[] = ['home', 'partner'];
export type Role = 'active' | 'standby' | 'fenced';

export function otherSite(site: Site): Site {
  return site === 'home' ? 'partner' : 'home';
}
