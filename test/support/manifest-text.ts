/** A valid manifest in which only required keys stand; 32 lines, so that tests can name lines. */
export const minimalManifest = `# A viewer
registry:
  host: registry.example.org
  project: astro
  image: viewer
build:
  tags:
    - "1.10"
    - latest # moving
metadata:
  discovery:
    title: Viewer
    description: 'Shows images of the sky'
    source: https://git.example.org/astro/viewer
    version: "1.10"
    authors:
      - name: Ada Example
        email: ada@example.org
    licenses: Apache-2.0
    keywords: []
    tools: []
    kind: [headless]
config:
  tools:
    - id: scan-tool
      parser: trivy
      image: registry.example.org/tools/trivy:1
      command: ["image", "{{ image.reference }}", "--config={{inputs.config}}"]
      inputs:
        config: {}
  cli:
    scan: scan-tool
`;

/** The minimal manifest with one piece of text replaced; fails where it does not stand there. */
export function manifestWith(before: string, after: string): string {
  if (!minimalManifest.includes(before)) throw new Error(`the manifest does not hold ${before}`);
  return minimalManifest.replace(before, () => after);
}
