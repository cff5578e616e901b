// The server's program: where it is, how to install it, and the key that it gets.
import { execFile } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";
import * as vscode from "vscode";
import { BY_PRESET, BY_PROVIDER, DEFAULT_VARIABLE } from "./key_variables";
import { configuration } from "./settings";

const run = promisify(execFile);
const WINDOWS = process.platform === "win32";
const PROGRAM = WINDOWS ? "fim-lsp.exe" : "fim-lsp";

/** The command that starts the server; undefined where there is none yet. */
export function findCommand(context: vscode.ExtensionContext): string[] | undefined {
  const told = configuration().get<string[]>("command", []);
  if (told.length > 0) {
    return told;
  }
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter(Boolean);
  // a VS Code that was started from a desktop often lacks the folder that pipx and uv install to
  const found = [...folders, path.join(os.homedir(), ".local", "bin"), installedIn(context)]
    .map((folder) => path.join(folder, PROGRAM))
    .find((program) => isProgram(program));
  return found === undefined ? undefined : [found];
}

function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false; // the ordinary case: this folder does not have it
  }
}

function environmentFolder(context: vscode.ExtensionContext): string {
  return path.join(context.globalStorageUri.fsPath, "server");
}

function installedIn(context: vscode.ExtensionContext): string {
  return path.join(environmentFolder(context), WINDOWS ? "Scripts" : "bin");
}

/** The wheel that came with this extension. */
function packaged(context: vscode.ExtensionContext): string {
  const folder = path.join(context.extensionPath, "server");
  return path.join(folder, fs.readdirSync(folder).find((name) => name.endsWith(".whl")) ?? "missing.whl");
}

/** Names the wheel that was installed. */
function note(context: vscode.ExtensionContext): string {
  return path.join(environmentFolder(context), "installed");
}

async function installWheel(context: vscode.ExtensionContext): Promise<void> {
  const pip = path.join(installedIn(context), WINDOWS ? "pip.exe" : "pip");
  await run(pip, ["install", "--upgrade", packaged(context)]);
  fs.writeFileSync(note(context), path.basename(packaged(context)));
}

/** Bring a server that this extension has installed to the version that came with it since. */
export async function update(context: vscode.ExtensionContext, command: string[], log: vscode.LogOutputChannel): Promise<void> {
  if (command[0] !== path.join(installedIn(context), PROGRAM)) {
    return;
  }
  const installed = fs.existsSync(note(context)) ? fs.readFileSync(note(context), "utf8") : "";
  if (installed === path.basename(packaged(context))) {
    return;
  }
  const title = "Updating the fim-lsp server";
  try {
    await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, () => installWheel(context));
  } catch (error) {
    log.error("the update failed; the server stays as it was", error);
  }
}

/** Install the server that came with this extension into a Python environment of its own. */
export async function install(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<boolean> {
  const python = WINDOWS ? "python" : "python3";
  const folder = environmentFolder(context);
  const title = "Installing the fim-lsp server";
  try {
    await vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title }, async () => {
      fs.mkdirSync(path.dirname(folder), { recursive: true });
      await run(python, ["-m", "venv", "--clear", folder]);
      await installWheel(context);
    });
    return true;
  } catch (error) {
    log.error("the installation failed", error);
    void vscode.window.showErrorMessage(
      "fim-lsp could not be installed: it needs Python 3.11 or newer with venv. The log says more.",
    );
    return false;
  }
}

/** The variable that the server takes the key from: each endpoint has its own, and so never another's key. */
function keyVariable(): string {
  const set = (name: string) => configuration().get<string | null>(name, null) ?? "";
  return set("apiKeyEnv") || BY_PRESET[set("preset")] || BY_PROVIDER[set("provider")] || DEFAULT_VARIABLE;
}

/** Ask for the API key and keep it in VS Code's secret storage; false where nothing was entered. */
export async function askForKey(context: vscode.ExtensionContext): Promise<boolean> {
  const variable = keyVariable();
  const key = await vscode.window.showInputBox({
    title: `fim-lsp: API key (${variable})`,
    prompt: "Kept in VS Code's secret storage and given only to the server. Leave it empty to forget the key.",
    password: true,
    ignoreFocusOut: true,
  });
  if (key === undefined) {
    return false;
  }
  await (key.trim() ? context.secrets.store(variable, key.trim()) : context.secrets.delete(variable));
  return true;
}

/** The environment that the server starts in: ours, with the key under the name that it looks for. */
export async function environment(context: vscode.ExtensionContext): Promise<NodeJS.ProcessEnv> {
  const variable = keyVariable();
  const key = await context.secrets.get(variable);
  return key ? { ...process.env, [variable]: key } : process.env;
}
