import { isLibraryError } from "../../src/core/error.ts";
import { isBrokenPipe, makeTerminal } from "../../src/runtime/terminal.ts";

// A process for the tests of the terminal: what it does is its only argument.

const terminal = makeTerminal();
const ask = () => terminal.ask("Question? ");
switch (process.argv[2]) {
  case "ask":
    await terminal.writeStdout(JSON.stringify([await ask(), await ask(), await ask(), await ask()]));
    break;
  case "ask-then-rest":
    await terminal.writeStdout(JSON.stringify([await ask(), Buffer.from(await terminal.readStdin(100)).toString()]));
    break;
  case "limit":
    try {
      await terminal.writeStdout(String((await terminal.readStdin(5)).byteLength));
    } catch (error) {
      await terminal.writeStdout(isLibraryError(error) ? error.code : String(error));
    }
    break;
  case "count": {
    let size = 0;
    for await (const chunk of terminal.stdin()) size += chunk.byteLength;
    await terminal.writeStdout(String(size));
    break;
  }
  case "hidden": {
    const answer = await terminal.ask("Question? ", { hidden: true });
    await terminal.writeStdout(`length ${answer?.length}, right ${answer === "secret"}\n`);
    break;
  }
  case "write":
    try {
      for (let count = 0; count < 128; count++) await terminal.writeStdout(new Uint8Array(1 << 16).fill(120));
    } catch (error) {
      process.stderr.write(isBrokenPipe(error) ? "broken pipe" : String(error));
    }
    break;
  default:
    throw new Error("no such mode");
}
process.exit(0);
