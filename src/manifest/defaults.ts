import type { LibraryManifest, Tool } from "./schema.ts";

/** Where a manifest is looked for when none is named: in the working directory. */
export const defaultManifestPath = ".library.manifest.yaml";

/**
 * The tools of a new manifest. The program itself serves these commands by the tool's parser; the images are what runs
 * where a user wants the tool in a container, so they are pinned to a release.
 */
export const defaultTools: readonly Tool[] = [
  {
    id: "default-linter",
    parser: "hadolint",
    image: "docker.io/hadolint/hadolint:v2.12.0",
    command: ["hadolint", "--config", "{{ inputs.config }}", "--format", "json", "{{ inputs.dockerfile }}"],
    inputs: {
      dockerfile: { source: "default", destination: "/Dockerfile" },
      config: { source: "default", destination: "/config.yaml" },
    },
    env: { HADOLINT_CONFIG: "/config.yaml" },
    socket: false,
    outputs: "/outputs/",
  },
  {
    id: "default-scanner",
    parser: "trivy",
    image: "docker.io/aquasec/trivy:0.58.1",
    command: [
      "image",
      "--config",
      "{{ inputs.config }}",
      "--severity",
      "HIGH,CRITICAL",
      "--exit-code",
      "1",
      "--format",
      "json",
      "--output",
      "/outputs/scan.json",
      "{{ image.reference }}",
    ],
    inputs: { config: { source: "default", destination: "/config.yaml" } },
    env: { TRIVY_CACHE_DIR: "/outputs/.cache" },
    socket: true,
    outputs: "/outputs/",
  },
  {
    id: "default-refurbisher",
    parser: "renovate",
    image: "docker.io/renovate/renovate:39",
    command: ["renovate", "--platform=local", "--require-config=ignored", "--dry-run=full"],
    inputs: {
      dockerfile: { source: "default", destination: "/workspace/Dockerfile" },
      config: { source: "default", destination: "/config.yaml" },
    },
    env: { LOG_FORMAT: "json", LOG_LEVEL: "debug", RENOVATE_CONFIG_FILE: "/config.yaml" },
    socket: false,
    outputs: "/outputs/",
  },
];

/** The `config` of a new manifest: defaults are written into the file, never merged while a command runs. */
export const defaultConfig: LibraryManifest["config"] = {
  policy: "default",
  conflicts: "warn",
  tools: [...defaultTools],
  cli: { lint: "default-linter", scan: "default-scanner", refurbish: "default-refurbisher" },
};
