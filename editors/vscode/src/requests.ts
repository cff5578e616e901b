// What a person can ask of the server, and how they get to see the answer.
import * as vscode from "vscode";
import type { Pages } from "./pages";

/** Runs one of the server's commands and gives back the text that it answers with. */
export type Server = (command: string, table: Record<string, unknown>) => Promise<string>;

/** Why the last requests of this document showed what they did, or nothing: on a page of its own. */
export async function why(server: Server, pages: Pages): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  const uri = document === undefined || pages.has(document) ? undefined : document.uri.toString();
  await pages.show("why nothing?", await server("fim.why", { uri }));
}

export async function status(server: Server): Promise<void> {
  const text = await server("fim.status", {});
  void vscode.window.showInformationMessage(text.replaceAll(/\.?\n/g, "; "));
}

/** Let the person choose among the models that the endpoint lists; without a list, the answer says why. */
export async function chooseModel(server: Server): Promise<void> {
  const listed = await server("fim.chooseModel", {});
  const names = listed.split("\n");
  if (names.length === 1 && listed.includes(" ")) {
    void vscode.window.showInformationMessage(listed);
    return;
  }
  const model = await vscode.window.showQuickPick(names, { title: "fim-lsp: which model?" });
  if (model !== undefined) {
    void vscode.window.showInformationMessage(await server("fim.chooseModel", { model }));
  }
}

export async function forget(server: Server): Promise<void> {
  vscode.window.setStatusBarMessage(await server("fim.clearMemory", {}), 5000);
}
