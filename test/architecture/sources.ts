import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import {
  type Identifier,
  isClassDeclaration,
  isExportAssignment,
  isExportDeclaration,
  isFunctionDeclaration,
  isIdentifier,
  isImportDeclaration,
  isInterfaceDeclaration,
  isNamedImports,
  isNewExpression,
  isPropertyAccessExpression,
  isStringLiteral,
  isTypeAliasDeclaration,
  isVariableStatement,
  type Node,
  type SourceFile,
  type Statement,
  SyntaxKind,
} from "typescript/unstable/ast";
import { API } from "typescript/unstable/async";

/** What one source file says, as far as the architecture's rules look at it. */
export interface Source {
  /** Below `src/`, with `/`: `oci/digest.ts`. */
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  /** Uses of names that the file does not declare itself: `Bun`, `Date.now`, `new Date()`. */
  readonly globals: readonly Found[];
  readonly exports: readonly Export[];
}

/** A name and where it stands; lines count from 1. */
export interface Found {
  readonly name: string;
  readonly line: number;
}

/** An import or a re-export, static, dynamic or of types only. */
export interface Import {
  readonly specifier: string;
  /** Names imported from there, as the other module calls them; empty for `* as`, bare and dynamic imports. */
  readonly names: readonly string[];
  readonly line: number;
}

/** A declaration that is exported; `default` for a default export. */
export interface Export extends Found {
  readonly documented: boolean;
}

/** Parses every file below `src/` of the TypeScript project whose tsconfig.json lies in `root`, sorted by path. */
export async function readSources(root: string): Promise<readonly Source[]> {
  const api = new API({ cwd: root });
  try {
    const config = join(root, "tsconfig.json");
    const project = (await api.updateSnapshot({ openProjects: [config] })).getProject(config);
    if (!project) throw new Error(`Cannot open ${config}`);
    const folder = join(root, "src");
    const sources: Source[] = [];
    for (const file of [...(await project.program.getSourceFileNames())].sort()) {
      if (!file.startsWith(`${folder}/`)) continue;
      const tree = await project.program.getSourceFile(file);
      if (!tree) throw new Error(`Cannot parse ${file}`);
      sources.push(readSource(tree, relative(folder, file), readFileSync(file, "utf8")));
    }
    return sources;
  } finally {
    await api.close();
  }
}

function readSource(tree: SourceFile, path: string, text: string): Source {
  const lineOf = (node: Node) => text.slice(0, node.getStart(tree)).split("\n").length;
  const imports: Import[] = [];
  const used: Found[] = [];
  const declared = new Set<string>();
  visit(tree, undefined);
  return {
    path,
    lines: text.split("\n").length - (text.endsWith("\n") ? 1 : 0),
    imports,
    globals: used.filter(({ name }) => !declared.has(name.replace(/^new /, "").replace(/[.(].*$/, ""))),
    exports: tree.statements.flatMap((statement) =>
      exportsOf(statement).map((found) => ({ ...found, line: lineOf(statement) })),
    ),
  };

  function visit(node: Node, parent: Node | undefined): void {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push({ specifier, names: importedNames(node), line: lineOf(node) });
    if (isIdentifier(node) && parent) {
      if (isDeclaredBy(node, parent)) declared.add(node.text);
      else if (isValue(node, parent)) used.push({ name: usedName(node, parent), line: lineOf(node) });
    }
    node.forEachChild((child) => visit(child, node));
  }
}

function specifierOf(node: Node): string | undefined {
  const target =
    isImportDeclaration(node) || isExportDeclaration(node)
      ? node.moduleSpecifier
      : // import("…"), in values and in types
        node.kind === SyntaxKind.CallExpression || node.kind === SyntaxKind.ImportType
        ? dynamicTarget(node)
        : undefined;
  return target && isStringLiteral(target) ? target.text : undefined;
}

function dynamicTarget(node: Node): Node | undefined {
  const children: Node[] = [];
  node.forEachChild((child) => {
    children.push(child);
  });
  if (node.kind === SyntaxKind.ImportType) {
    let literal: Node | undefined;
    children[0]?.forEachChild((child) => {
      literal ??= child;
    });
    return literal;
  }
  return children[0]?.kind === SyntaxKind.ImportKeyword ? children[1] : undefined;
}

function importedNames(node: Node): readonly string[] {
  if (!isImportDeclaration(node)) return [];
  const bindings = node.importClause?.namedBindings;
  if (!bindings || !isNamedImports(bindings)) return [];
  return bindings.elements.map((element) => (element.propertyName ?? element.name).text);
}

/** Whether `parent` declares this name: a variable, parameter, function, class, type or import. */
function isDeclaredBy(node: Identifier, parent: Node): boolean {
  return "name" in parent && parent.name === node && !memberKinds.has(parent.kind);
}

/** Kinds of which the name is a member's: it neither declares a binding nor uses one. */
const memberKinds: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.PropertyAccessExpression,
  SyntaxKind.PropertyAssignment,
  SyntaxKind.PropertySignature,
  SyntaxKind.PropertyDeclaration,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.MethodSignature,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
  SyntaxKind.ShorthandPropertyAssignment,
]);

function isValue(node: Identifier, parent: Node): boolean {
  if (parent.kind === SyntaxKind.ShorthandPropertyAssignment) return true;
  if (parent.kind === SyntaxKind.TypeReference || parent.kind === SyntaxKind.QualifiedName) return false;
  return !("name" in parent && parent.name === node) && !("propertyName" in parent && parent.propertyName === node);
}

/** `Date.now` where a property is read, `new Date()` where nothing is given to the constructor, else the name alone. */
function usedName(node: Identifier, parent: Node): string {
  if (isPropertyAccessExpression(parent)) return `${node.text}.${parent.name.text}`;
  if (isNewExpression(parent) && parent.expression === node && !parent.arguments?.length) return `new ${node.text}()`;
  return node.text;
}

function exportsOf(statement: Statement): readonly Omit<Export, "line">[] {
  if (isExportAssignment(statement)) return [{ name: "default", documented: true }];
  if (!("modifiers" in statement) || !Array.isArray(statement.modifiers)) return [];
  // Every modifier is a node of its own
  const kinds = new Set((statement.modifiers as readonly Node[]).map((modifier) => modifier.kind));
  if (!kinds.has(SyntaxKind.ExportKeyword)) return [];
  const documented = (statement.jsDoc?.length ?? 0) > 0;
  if (kinds.has(SyntaxKind.DefaultKeyword)) return [{ name: "default", documented }];
  return declaredNames(statement).map((name) => ({ name, documented }));
}

function declaredNames(statement: Statement): readonly string[] {
  if (isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => (isIdentifier(name) ? name.text : "…"));
  }
  const named =
    isFunctionDeclaration(statement) ||
    isClassDeclaration(statement) ||
    isInterfaceDeclaration(statement) ||
    isTypeAliasDeclaration(statement);
  return [named ? (statement.name?.text ?? "…") : "…"];
}
