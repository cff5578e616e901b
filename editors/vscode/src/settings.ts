// The settings that the person has made, as the server takes them.
import * as vscode from "vscode";

/** Settings of this extension itself, which the server would not know. */
const OURS = new Set(["command", "enabled", "trace"]);

export function configuration(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration("fim");
}

/** Only what is set: an unset setting has the value null, so that `config.toml` decides. */
export function serverSettings(): Record<string, unknown> {
  const all = JSON.parse(JSON.stringify(configuration())) as Record<string, unknown>;
  return set(Object.fromEntries(Object.entries(all).filter(([name]) => !OURS.has(name))));
}

function set(table: Record<string, unknown>): Record<string, unknown> {
  const kept = Object.entries(table)
    .map(([name, value]) => [name, isTable(value) ? set(value) : value] as const)
    .filter(([, value]) => value !== null && !(isTable(value) && Object.keys(value).length === 0));
  return Object.fromEntries(kept);
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
