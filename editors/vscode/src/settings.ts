// The settings that the person has made, as the server takes them.
import * as vscode from "vscode";

/** Settings of this extension itself, which the server would not know. */
const OURS = new Set(["command", "enabled", "trace"]);

export function configuration(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration("fim");
}

/** An unset setting is null: it does not apply, and one that was set before no longer does. */
export function serverSettings(): Record<string, unknown> {
  const all = JSON.parse(JSON.stringify(configuration())) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(all).filter(([name]) => !OURS.has(name)));
}
