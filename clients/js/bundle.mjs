// How the package is bundled, for `dist/` and for the test of its size.

import { fileURLToPath } from "node:url";

/**
 * Properties by which the modules of this package know each other, and nobody else: they get short names, which minifiers
 * of applications would not dare to give. Never one that is public, stored, or on the wire.
 */
const INTERNAL = [
  "asked", "attach", "base", "belief", "believedUntil", "chance", "changed", "closed", "current", "detach", "disconnected",
  "emit", "expiring", "failures", "fed", "isSent", "keep", "look", "loss", "lost", "moved", "next", "opened", "openedAt",
  "probe", "query", "recall", "refusals", "refused", "renewable", "renewed", "settle", "shortLived", "startAt", "stop",
  "submit", "sync", "take", "tokens", "tried", "trouble", "wanted",
];

export const options = {
  entryPoints: [fileURLToPath(new URL("src/index.ts", import.meta.url))],
  bundle: true,
  format: /** @type {const} */ ("esm"),
  target: "es2022",
  mangleProps: new RegExp(`^(?:${INTERNAL.join("|")})$`),
};
