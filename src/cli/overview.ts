import type { CommandSection } from "./commands.ts";
import { overview } from "./help-text.ts";

/** Help on all commands, or on those whose first word is `group`: loads every one of them for its summary. */
export async function loadOverview(
  sections: readonly CommandSection[],
  group: string | undefined,
  columns: number,
): Promise<string> {
  const loaded = await Promise.all(
    sections.map(async ({ heading, commands }) => {
      const wanted = commands.filter((entry) => group === undefined || entry.name.startsWith(`${group} `));
      const specs = await Promise.all(wanted.map((entry) => entry.load()));
      return { heading, commands: specs.map(({ name, aliases, summary }) => ({ name, aliases, summary })) };
    }),
  );
  return overview(
    loaded.filter((section) => section.commands.length > 0),
    columns,
  );
}
