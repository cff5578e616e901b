// Texts to be read, each in a tab of its own that nobody has to save.
import * as vscode from "vscode";

const SCHEME = "fim-lsp";

export class Pages implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly registered = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  readonly onDidChange = this.changed.event;

  provideTextDocumentContent(page: vscode.Uri): string {
    return this.texts.get(page.path) ?? "";
  }

  /** Show a text; the one before under the same title goes. */
  async show(title: string, text: string): Promise<void> {
    const page = vscode.Uri.from({ scheme: SCHEME, path: title });
    this.texts.set(page.path, text);
    this.changed.fire(page);
    await vscode.window.showTextDocument(page, { preview: true });
  }

  /** Whether a document is one of these. */
  has(document: vscode.TextDocument): boolean {
    return document.uri.scheme === SCHEME;
  }

  dispose(): void {
    this.registered.dispose();
    this.changed.dispose();
  }
}
