// What `fim-lsp doctor` finds, for a page. Not in a terminal: its shell would know the key from then on.
import { spawn } from "node:child_process";
import * as vscode from "vscode";
import { serverSettings } from "./settings";

const TIMEOUT_MS = 60_000;

/** Run the doctor with the settings that the server has; what it says. */
export async function examine(command: string[], env: NodeJS.ProcessEnv): Promise<string> {
  const settings = flat(serverSettings()).flatMap(([name, value]) => ["--set", `${name}=${JSON.stringify(value)}`]);
  const options = { location: vscode.ProgressLocation.Window, title: "fim-lsp: looking at everything" };
  return vscode.window.withProgress(options, () => output([...command, "doctor", ...settings], env));
}

/** What a command writes, with its complaints; or why it could not be run. */
function output([program = "", ...args]: string[], env: NodeJS.ProcessEnv): Promise<string> {
  const cwd = vscode.workspace.workspaceFolders?.find((folder) => folder.uri.scheme === "file")?.uri.fsPath;
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"], timeout: TIMEOUT_MS });
    const pieces: Buffer[] = [];
    child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
    child.stderr.on("data", (piece: Buffer) => pieces.push(piece));
    child.on("error", (error) => resolve(`${program} could not be run: ${error.message}\n`));
    child.on("close", () => resolve(Buffer.concat(pieces).toString("utf8")));
  });
}

/** What is set, with dotted names. */
function flat(table: Record<string, unknown>, at = ""): [string, unknown][] {
  return Object.entries(table).flatMap(([name, value]): [string, unknown][] => {
    if (value === null) {
      return [];
    }
    const isTable = typeof value === "object" && !Array.isArray(value);
    return isTable ? flat(value as Record<string, unknown>, `${at}${name}.`) : [[at + name, value]];
  });
}
