'use strict';
// Azurite calls a handful of chained methods; each returns the stand-in itself and nothing is ever sent.
const silent = new Proxy(function () {}, {
  get: (_target, key) => (key === Symbol.toPrimitive ? () => '' : silent),
  apply: () => silent,
  construct: () => silent,
  set: () => true,
});
module.exports = silent;
