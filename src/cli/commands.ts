import type { AnyCommand } from "./command.ts";

/** A command as it is found: what it takes to list it and to load it. */
export interface CommandEntry {
  /** The name and aliases of its spec; held equal by a test. */
  readonly name: string;
  readonly aliases?: readonly string[];
  /** Loads the module of this command and nothing else. */
  readonly load: () => Promise<AnyCommand>;
}

/** Commands that stand together in help. */
export interface CommandSection {
  readonly heading: string;
  readonly commands: readonly CommandEntry[];
}

/** Every command of the program, in the order of help and of docs/cli.md. A new one is one line here. */
export const commandSections: readonly CommandSection[] = [
  {
    heading: "Make an image",
    commands: [
      entry("init", [], () => import("./commands/init.ts").then((module) => module.init)),
      entry("validate", [], () => import("./commands/validate.ts").then((module) => module.validate)),
      entry("build", [], () => import("./commands/build.ts").then((module) => module.build)),
      entry("append", [], () => import("./commands/append.ts").then((module) => module.append)),
    ],
  },
  {
    heading: "Publish and move",
    commands: [
      entry("push image", [], () => import("./commands/push-image.ts").then((module) => module.pushImage)),
      entry("pull", [], () => import("./commands/pull.ts").then((module) => module.pull)),
      entry("copy", ["cp"], () => import("./commands/copy.ts").then((module) => module.copy)),
      entry("export", [], () => import("./commands/export.ts").then((module) => module.exportImage)),
      entry("tag", [], () => import("./commands/tag.ts").then((module) => module.tag)),
      entry("delete", ["rm"], () => import("./commands/delete.ts").then((module) => module.deleteReference)),
    ],
  },
  {
    heading: "Look",
    commands: [
      entry("inspect", [], () => import("./commands/inspect.ts").then((module) => module.inspect)),
      entry("resolve", ["digest"], () => import("./commands/resolve.ts").then((module) => module.resolve)),
      entry("tags", ["ls"], () => import("./commands/tags.ts").then((module) => module.tags)),
    ],
  },
  {
    heading: "Raw content",
    commands: [
      entry("blob get", [], () => import("./commands/blob-get.ts").then((module) => module.blobGet)),
      entry("blob put", [], () => import("./commands/blob-put.ts").then((module) => module.blobPut)),
      entry("blob head", [], () => import("./commands/blob-head.ts").then((module) => module.blobHead)),
      entry("manifest get", [], () => import("./commands/manifest-get.ts").then((module) => module.manifestGet)),
      entry("manifest put", [], () => import("./commands/manifest-put.ts").then((module) => module.manifestPut)),
      entry("manifest head", [], () => import("./commands/manifest-head.ts").then((module) => module.manifestHead)),
    ],
  },
  {
    heading: "Registries",
    commands: [
      entry("login", [], () => import("./commands/login.ts").then((module) => module.login)),
      entry("logout", [], () => import("./commands/logout.ts").then((module) => module.logout)),
      entry("ping", [], () => import("./commands/ping.ts").then((module) => module.ping)),
      entry("serve", [], () => import("./commands/serve.ts").then((module) => module.serve)),
    ],
  },
  {
    heading: "Program",
    commands: [
      entry("version", [], () => import("./commands/version.ts").then((module) => module.version)),
      entry("completion", [], () => import("./commands/completion.ts").then((module) => module.completion)),
      entry("help", [], () => import("./commands/help.ts").then((module) => module.help)),
    ],
  },
];

/** Every command of the program. */
export const commands: readonly CommandEntry[] = commandSections.flatMap((section) => section.commands);

function entry(name: string, aliases: readonly string[], load: () => Promise<AnyCommand>): CommandEntry {
  return { name, aliases, load };
}
