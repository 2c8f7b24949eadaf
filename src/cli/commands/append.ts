import { appendSchema } from "../../operations/append-schema.ts";
import { defineCommand } from "../command.ts";

export const append = defineCommand({
  name: "append",
  summary: "Make an image from files, without a builder",
  description:
    "Adds folders and tars as layers to a base, for every platform that the base has. Equal input gives an equal image: times are SOURCE_DATE_EPOCH, or 1970-01-01 where it is not set, and files of a folder belong to 0:0. With -m the image lands where build would put it, with the manifest's tags, labels and annotations. --entrypoint and --cmd take a JSON array or words as in a shell; --entrypoint takes the base's command away.",
  options: {
    base: { kind: "value", placeholder: "REF", description: 'Image to build on, or "scratch"', default: "scratch" },
    layer: {
      kind: "values",
      placeholder: "[PLATFORM=]PATH[:/PREFIX]",
      description:
        "Folder, or tar (.gz, .zst), to add as a layer, below a folder of the image, for one platform or all",
    },
    entrypoint: { kind: "value", placeholder: "WORDS", description: "What is run" },
    cmd: { kind: "value", placeholder: "WORDS", description: "Its arguments, where the user gives none" },
    env: { kind: "values", placeholder: "NAME=VALUE", description: "Set a variable of the environment" },
    workdir: { kind: "value", placeholder: "PATH", description: "Folder that it runs in" },
    user: { kind: "value", placeholder: "USER[:GROUP]", description: "User that it runs as" },
    expose: { kind: "values", placeholder: "PORT[/PROTOCOL]", description: "Port that it listens on" },
    label: { kind: "values", placeholder: "KEY=VALUE", description: "Label of the configuration" },
    annotation: { kind: "values", placeholder: "KEY=VALUE", description: "Annotation of every manifest and the index" },
    platform: {
      kind: "values",
      placeholder: "OS/ARCH[/VARIANT]",
      description: "Platforms of the base to take; from scratch, one image each (linux/amd64)",
    },
    compression: { kind: "value", placeholder: "gzip|zstd", description: "Compression of new layers", default: "gzip" },
    output: {
      kind: "value",
      short: "o",
      placeholder: "REF",
      description: "Where the image goes: host/repository:tag, oci:DIR:tag or oci-archive:FILE:tag",
    },
    tag: { kind: "values", short: "t", placeholder: "TAG", description: "Further tag at the output" },
    manifest: {
      kind: "value",
      short: "m",
      placeholder: "FILE",
      description: "Library manifest, or its folder, that says the rest",
    },
    layout: { kind: "value", placeholder: "DIR", description: "With -m: another layout", default: ".library/layout" },
  },
  network: true,
  digest: (report) => report.digest,
  examples: [
    "library append --layer dist:/app --entrypoint /app/server -o registry.example.org/team/app:1.2",
    "library append --base debian:12-slim --layer site.tar.gz:/srv --platform linux/arm64 -o oci:dist:1.2",
    'library append -m .library.manifest.yaml --layer dist:/app --cmd \'["/app/server","--verbose"]\'',
  ],
  input: appendSchema,
  run: () => import("../../operations/append.ts").then((module) => module.append),
  text: (report) =>
    [report.reference, ...report.images.map(({ platform, digest }) => `${platform} ${digest}`)].join("\n"),
});
