import { defineConfig } from "vitest/config";

// `npm test` runs both; `npx vitest run --project unit` needs no hub.
export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"] } },
      {
        // Against the real binary: whatever loads the machine, a wait has its own deadline.
        test: { name: "hub", include: ["test/hub/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 120_000 },
      },
    ],
  },
});
