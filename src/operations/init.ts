import { mkdir, realpath, stat, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import * as v from "valibot";
import type { Context } from "../core/context.ts";
import { replaceFile } from "../core/durable-file.ts";
import { InvalidInputError, type Problem, UsageError } from "../core/error.ts";
import type { Report } from "../core/report.ts";
import { gitFacts } from "../git/facts.ts";
import { assign, typedValue } from "../manifest/assign.ts";
import { checkManifest } from "../manifest/check.ts";
import { defaultConfig } from "../manifest/defaults.ts";
import { readYaml } from "../manifest/document.ts";
import { readIssues } from "../manifest/issues.ts";
import { readBounded } from "../manifest/open.ts";
import { formatPath, type Path, parsePath } from "../manifest/path.ts";
import { imageNames } from "../manifest/references.ts";
import { type LibraryManifest, manifestSchema } from "../manifest/schema.ts";
import { hasItem, hasOptions, type Schema, schemaAt, unwrap } from "../manifest/schema-walk.ts";
import { manifestText } from "../manifest/write.ts";
import { errorCode, fileError, namingFile } from "../store/file-error.ts";
import { lookAround, type Question, questions, type Surroundings } from "./init-questions.ts";

/** Where the manifest goes and which answers are given already. */
export interface InitInput {
  readonly output: string;
  /** A manifest, YAML or JSON, whole or in part, whose values are taken. */
  readonly from?: string | undefined;
  /** `key=value`, over what `from` says. */
  readonly set: readonly string[];
  /** Takes the proposals instead of asking. */
  readonly yes: boolean;
  /** Replaces a file that exists. */
  readonly force: boolean;
}

/** The manifest that was written, or why none was. */
export interface InitReport extends Report {
  readonly file: string;
  /** False where a file exists and the user chose to keep it. */
  readonly written: boolean;
  /** Full names that builds of the new manifest get; empty where none was written. */
  readonly references: readonly string[];
}

/**
 * A new manifest, valid and with all defaults written out, is at `output`; or nothing has changed. Asks on a terminal
 * for what `from` and `set` leave open, takes proposals with `yes`, and otherwise throws `invalid-input` with every
 * missing key. Throws `already-exists` unless `force`, or a yes on a terminal, allows the file to be replaced.
 */
export async function init(context: Context, input: InitInput): Promise<InitReport> {
  const path = await writablePath(resolve(context.cwd, input.output), input.output);
  const mayAsk = context.terminal.stdinIsTerminal && !input.yes;
  if (path.exists && !input.force && !(await mayReplace(context, input, mayAsk))) {
    return { status: "ok", file: input.output, written: false, references: [] };
  }
  const given = await givenAnswers(context, input);
  const directory = dirname(path.file);
  const { home, config } = context.state;
  const git = await gitFacts(directory, {
    home,
    configHome: dirname(config),
    env: context.env,
  });
  const surroundings = await lookAround(directory, git);
  const value = await complete(context, input, given.value, surroundings, mayAsk);
  const manifest = finish(value, given.problemPlace, input.output);
  const text = manifestText(manifest, {
    hasOutput: valueAt(value, ["build", "output"]) !== undefined,
    hasRevision: valueAt(value, ["metadata", "discovery", "revision"]) !== undefined,
  });
  context.signal.throwIfAborted();
  await write(context, path.file, input.output, text);
  return {
    status: "ok",
    file: input.output,
    written: true,
    references: imageNames(manifest).map((name) => name.reference),
  };
}

/** The file to write, a symbolic link followed; throws `already-exists` where it is something else than a file. */
async function writablePath(path: string, name: string): Promise<{ readonly file: string; readonly exists: boolean }> {
  try {
    const found = await stat(path);
    if (found.isFile()) return { file: await realpath(path), exists: true };
  } catch (cause) {
    if (errorCode(cause) === "ENOENT") return { file: path, exists: false };
    if (errorCode(cause) !== "ENOTDIR") throw fileError("write", name, cause);
    throw new UsageError(`Cannot write ${name}: a part of the path is not a folder`, { code: "invalid-input", cause });
  }
  throw new UsageError(`Cannot write ${name}: it exists and is not a file`, {
    code: "already-exists",
    hint: "Choose another file with --output",
  });
}

async function mayReplace(context: Context, input: InitInput, mayAsk: boolean): Promise<boolean> {
  if (mayAsk) {
    const answer = await context.terminal.ask(`${input.output} exists. Replace it? [y/N] `);
    return /^y(?:es)?$/i.test(answer?.trim() ?? "");
  }
  throw new UsageError(`Cannot write ${input.output}: it exists already`, {
    code: "already-exists",
    hint: "Use --force to replace it, or --output to write another file",
  });
}

interface Given {
  readonly value: unknown;
  /** Where a value of `--from` stands; empty for others. */
  readonly problemPlace: (path: Path, of: "key" | "value") => Partial<Problem>;
}

async function givenAnswers(context: Context, input: InitInput): Promise<Given> {
  const from = input.from;
  const document = from === undefined ? undefined : readYaml(await readBounded(resolve(context.cwd, from), from), from);
  if (document && (typeof document.value !== "object" || document.value === null || Array.isArray(document.value))) {
    throw new InvalidInputError(`Cannot read ${from}: not a mapping`, { hint: "Give a manifest, whole or in part" });
  }
  let value: unknown = document?.value ?? {};
  const changed: string[] = [];
  for (const assignment of input.set) {
    const at = assignment.indexOf("=");
    const path = at <= 0 ? undefined : parsePath(assignment.slice(0, at));
    if (path === undefined) {
      throw new UsageError(`Cannot use --set ${JSON.stringify(assignment.slice(0, 160))}: not of the form key=value`, {
        hint: "Write it as --set registry.host=registry.example.org",
      });
    }
    value = assign(value, path, typedValue(path, assignment.slice(at + 1)));
    changed.push(formatPath(path));
  }
  return {
    value,
    problemPlace: (path, of) => {
      const isSet = changed.some((key) => formatPath(path).startsWith(key));
      return isSet || !document?.has(path) ? {} : document.at(path, of);
    },
  };
}

/** The answers with every open question answered: by the user, by its proposal, or not at all. */
async function complete(
  context: Context,
  input: InitInput,
  given: unknown,
  surroundings: Surroundings,
  mayAsk: boolean,
): Promise<unknown> {
  let value = given;
  for (const question of questions) {
    if (valueAt(value, question.path) !== undefined || isAnsweredAbove(value, question.path)) continue;
    const proposal = question.proposal(surroundings, (path) => valueAt(value, parsePath(path) ?? []));
    if (mayAsk) value = taken(value, question, await askUntilValid(context, question, proposal));
    else if (input.yes && proposal !== undefined) value = assign(value, question.path, typedAnswer(question, proposal));
  }
  return value;
}

/** Whether a list that the question is about was given, so that it asks for no more entries. */
function isAnsweredAbove(value: unknown, path: Path): boolean {
  const index = path.findIndex((part) => typeof part === "number");
  const list = index < 0 ? undefined : valueAt(value, path.slice(0, index));
  // An entry begun by an earlier question, as the author's name, is still to be completed
  return Array.isArray(list) && (list.length === 0 || list.length > 1);
}

/** With an answer; a person's `Name <address>` answers the question for the address too. */
function taken(value: unknown, { path }: Question, answer: unknown): unknown {
  const [, name, email] = (typeof answer === "string" && /^([^<>]*[^<>\s])\s*<([^<>\s]+)>$/.exec(answer)) || [];
  if (formatPath(path) !== authorName || name === undefined) return assign(value, path, answer);
  const emailPath = [...path.slice(0, -1), "email"];
  const schema = schemaAt(manifestSchema, emailPath);
  // An address that cannot be one is asked for by its own question
  const isUsable = schema !== undefined && v.is(schema, email) && valueAt(value, emailPath) === undefined;
  const named = assign(value, path, name);
  return isUsable ? assign(named, emailPath, email) : named;
}

const authorName = "metadata.discovery.authors[0].name";

/** The question with the values that it allows, and with its proposal or that there is none. */
function promptOf({ text }: Question, schema: Schema | undefined, proposal: string | undefined): string {
  const inner = schema && unwrap(schema);
  const single = inner && hasItem(inner) ? unwrap(inner.item) : inner;
  const allowed = single && hasOptions(single) ? ` (${single.options.join(", ")})` : "";
  const hint = proposal === undefined ? " (required)" : proposal === "" ? "" : ` [${proposal}]`;
  return `${text}${allowed}${hint}: `;
}

async function askUntilValid(context: Context, question: Question, proposal: string | undefined): Promise<unknown> {
  const schema = schemaAt(manifestSchema, question.path);
  for (;;) {
    const line = await context.terminal.ask(promptOf(question, schema, proposal));
    context.signal.throwIfAborted();
    if (line === undefined) {
      throw new UsageError("Cannot ask for the manifest's values: standard input ended", {
        hint: "Give them with --set KEY=VALUE or --from FILE",
      });
    }
    const said = line.trim() === "" ? (proposal ?? "") : line.trim();
    if (said === "" && proposal === undefined) {
      context.emit({ kind: "warning", code: "invalid-answer", message: `${question.text} is required` });
      continue;
    }
    const answer = typedAnswer(question, said);
    const result = schema && v.safeParse(unwrap(schema), answer);
    if (result === undefined || result.success) return answer;
    const [problem] = readIssues(unwrap(schema ?? manifestSchema), answer, result.issues, () => undefined);
    const message = problem?.message.replace(/^the manifest/, question.text) ?? "the answer cannot be used";
    const next = problem?.hint === undefined ? "" : `: ${problem.hint}`;
    context.emit({ kind: "warning", code: "invalid-answer", message: `${message}${next}` });
  }
}

function typedAnswer(question: Question, answer: string): unknown {
  if (!question.isList) return typedValue(question.path, answer);
  return answer.split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]));
}

/** The manifest of these answers; throws `invalid-input` with every missing key and every other problem. */
function finish(answers: unknown, place: Given["problemPlace"], output: string): LibraryManifest {
  let value = answers;
  for (const section of [["registry"], ["build"], ["metadata"], ["metadata", "discovery"]]) {
    // Empty sections, so that each missing key is named and not only the section
    if (valueAt(value, section) === undefined) value = assign(value, section, {});
  }
  const filled: readonly (readonly [Path, unknown])[] = [
    [["version"], 1],
    [["config"], defaultConfig],
  ];
  for (const [path, fact] of filled) {
    const isMapping = path.length < 2 || isObject(valueAt(value, path.slice(0, -1)));
    if (isMapping && valueAt(value, path) === undefined) value = assign(value, path, fact);
  }
  const { manifest, problems } = checkManifest(value);
  if (manifest !== undefined) return manifest;
  const named = problems.map(({ path, of, message, hint }): Problem => {
    const key = formatPath(path);
    const found = { ...place(path, of === "value" ? "value" : "key"), path: key, message };
    return of === "missing" ? { ...found, hint: `Give it with ${settingOf(key)}` } : { ...found, hint };
  });
  const missing = problems.filter(({ of }) => of === "missing").map(({ path }) => formatPath(path));
  const [first, ...others] = problems;
  const count = others.length === 0 && first ? first.message : `${problems.length} problems`;
  const state = missing.length === problems.length ? `missing ${missing.join(", ")}` : count;
  throw new InvalidInputError(`Cannot write ${output}: ${state}`, {
    problems: named,
    hint: "Give values with --set KEY=VALUE or --from FILE, or take the proposals with --yes",
  });
}

/** What gives a missing value, in a form that works as it stands. */
function settingOf(key: string): string {
  if (key !== "metadata.discovery.authors") return `--set ${key}=VALUE`;
  return `--set '${key}[0].name=Ada' --set '${key}[0].email=ada@example.org'`;
}

async function write(context: Context, file: string, name: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
  } catch (cause) {
    const code = errorCode(cause);
    if (code !== "EEXIST" && code !== "ENOTDIR") throw fileError("write", name, cause);
    const hint = "Choose another file with --output";
    throw new UsageError(`Cannot write ${name}: a part of the path is not a folder`, {
      code: "invalid-input",
      hint,
      cause,
    });
  }
  await namingFile("write", name, () => replaceFile(file, context.random, (temporary) => writeFile(temporary, text)));
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => {
    if (Array.isArray(at)) return typeof key === "number" ? at[key] : undefined;
    return isObject(at) && Object.hasOwn(at, key) ? at[String(key)] : undefined;
  }, value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
