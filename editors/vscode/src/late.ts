// Asks for what VS Code did not ask: the keys that came before the server was there and, now and then, the first ones in
// a window that has just opened. Otherwise nothing would come before the next key.
import * as vscode from "vscode";

/** VS Code asks within 100 ms of a key, if it asks. */
const PATIENCE_MS = 400;
/** A key, or a bracket and the one that closes it. */
const MOST_CHARS = 2;

export class LateRequests implements vscode.Disposable {
  private readonly asked = new WeakSet<vscode.TextDocument>();
  private typedInto: vscode.TextDocument | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly listener = vscode.workspace.onDidChangeTextDocument((event) => this.changed(event));

  /** `wants` tells whether there is somebody to ask in this language. */
  constructor(private readonly wants: (languageId: string) => boolean) {}

  /** VS Code asks for this document. */
  note(document: vscode.TextDocument): void {
    this.asked.add(document);
  }

  /** Ask in a moment, if nobody has until then. */
  plan(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ask(), PATIENCE_MS);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.listener.dispose();
  }

  private changed({ document, contentChanges, reason }: vscode.TextDocumentChangeEvent): void {
    const [change, ...more] = contentChanges;
    const isKey = change !== undefined && more.length === 0 && reason === undefined && change.rangeLength === 0;
    if (isKey && change.text.length <= MOST_CHARS && !this.asked.has(document)) {
      this.typedInto = document;
      this.plan();
    }
  }

  private async ask(): Promise<void> {
    const document = vscode.window.activeTextEditor?.document;
    if (document === undefined || document !== this.typedInto || this.asked.has(document)) {
      return;
    }
    const shows = vscode.workspace.getConfiguration("editor", document).get<boolean>("inlineSuggest.enabled", true);
    if (shows && this.wants(document.languageId)) {
      await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
    }
  }
}
