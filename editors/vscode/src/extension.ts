// fim-lsp in VS Code: starts the language server, and gives a person a switch, a key and a status.
//
// Ghost text itself is VS Code's and vscode-languageclient's; nothing about it is decided here.
import * as vscode from "vscode";
import { CloseAction, ErrorAction, LanguageClient, MessageType, RevealOutputChannelOn, State } from "vscode-languageclient/node";
import type { LanguageClientOptions } from "vscode-languageclient/node";
import { examine } from "./doctor";
import { LateRequests } from "./late";
import { Pages } from "./pages";
import { chooseModel, forget, status, why } from "./requests";
import type { Server } from "./requests";
import { askForKey, environment, findCommand, install, update } from "./server";
import { serverSettings } from "./settings";
import { Status } from "./status";
import type { ServerStatus } from "./status";
import { Suggestions } from "./suggestions";

const MAX_RESTARTS = 3;
const RESTART_AFTER_MS = 1000;
const SHOWN_MS = 5000;
/** What the server's process is started with: its program, and the key of whose endpoint it is. */
const START_SETTINGS = ["command", "preset", "provider", "apiKeyEnv"];

/** A client that never shows a toast: a guess that does not come is no reason to interrupt anyone. */
class QuietClient extends LanguageClient {
  override error(message: string, details?: unknown): void {
    super.error(message, details, false);
  }
}

class Extension {
  private client: QuietClient | undefined;
  private restarts = 0;
  private readonly log = vscode.window.createOutputChannel("fim-lsp", { log: true });
  private readonly suggestions = new Suggestions();
  private readonly status = new Status(this.suggestions);
  private readonly pages = new Pages();
  private readonly late = new LateRequests(
    (language) => this.client?.state === State.Running && this.suggestions.isOnFor(language),
  );

  constructor(private readonly context: vscode.ExtensionContext) {
    context.subscriptions.push(
      this.log,
      this.suggestions,
      this.status,
      this.pages,
      this.late,
      this.suggestions.onDidChange(() => this.status.show()),
      vscode.window.onDidChangeActiveTextEditor(() => this.status.show()),
      vscode.workspace.onDidChangeConfiguration((event) => this.configured(event)),
    );
    const commands: Record<string, () => unknown> = {
      menu: () => this.menu(),
      toggle: () => this.suggestions.toggle(),
      toggleLanguage: () => this.toggleLanguage(),
      snooze: () => this.suggestions.snooze(),
      why: () => this.asked((server) => why(server, this.pages)),
      status: () => this.asked(status),
      chooseModel: () => this.asked(chooseModel),
      forget: () => this.asked(forget),
      setKey: async () => (await askForKey(context)) && this.restart(),
      doctor: () => this.doctor(),
      log: () => this.log.show(),
      install: async () => (await install(context, this.log)) && this.restart(),
      restart: () => this.restart(),
    };
    for (const [name, action] of Object.entries(commands)) {
      context.subscriptions.push(vscode.commands.registerCommand(`fim-lsp.${name}`, action));
    }
  }

  async start(): Promise<void> {
    const command = findCommand(this.context);
    if (command === undefined) {
      this.status.fail("the server is not installed");
      void this.offerInstallation(); // a person may take their time to answer
      return;
    }
    this.status.set({ state: "starting" });
    await update(this.context, command, this.log);
    const [program = "", ...args] = command;
    const env = await environment(this.context);
    const isCurrent = (): boolean => this.client === client;
    const server = { command: program, args, options: { env } };
    const client: QuietClient = new QuietClient("fim", "fim-lsp", server, this.options(isCurrent));
    this.client = client;
    client.onNotification("window/showMessage", ({ type, message }: { type: number; message: string }) => {
      this.log.warn(message);
      if (!isCurrent()) {
        return;
      }
      // vscode-languageclient would show a toast
      if (type <= MessageType.Warning) {
        this.status.fail(message);
      } else {
        vscode.window.setStatusBarMessage(message, SHOWN_MS);
      }
    });
    let early: ServerStatus | undefined;
    let show = (status: ServerStatus): void => {
      early = status; // VS Code does not ask for ghost text yet
    };
    client.onNotification("fim/status", (status: ServerStatus) => show(status));
    try {
      await client.start();
      if (!isCurrent()) {
        await client.stop(); // while it was starting it could not be stopped
        return;
      }
      show = (status) => isCurrent() && this.status.set(status);
      if (early !== undefined) {
        show(early);
      }
      this.status.started();
      this.late.plan();
    } catch (error) {
      this.log.error(`${command.join(" ")} does not start`, error);
      if (isCurrent()) {
        this.status.fail(`${command.join(" ")} does not start: see the log`);
      }
    }
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client?.state === State.Running) {
      await client.stop();
    }
  }

  /** `isCurrent` says whether the client is still the one in use. */
  private options(isCurrent: () => boolean): LanguageClientOptions {
    return {
      documentSelector: [{ scheme: "file" }, { scheme: "untitled" }, { scheme: "vscode-notebook-cell" }],
      outputChannel: this.log,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          if (isCurrent()) {
            this.closed(isCurrent);
          }
          return { action: CloseAction.DoNotRestart, handled: true };
        },
      },
      middleware: {
        workspace: { configuration: (params) => params.items.map(() => serverSettings()) },
        provideInlineCompletionItems: async (document, position, context, token, next) => {
          this.late.note(document);
          if (!this.suggestions.isOnFor(document.languageId)) {
            return null;
          }
          const answer = Promise.resolve(next(document, position, context, token));
          return this.status.during(answer.catch((error: unknown) => this.failed(error)));
        },
      },
    };
  }

  /** Do something with the server, where one runs. */
  private async asked(act: (server: Server) => Promise<void>): Promise<void> {
    const client = this.client;
    if (client?.state !== State.Running) {
      void vscode.window.showInformationMessage(`fim-lsp does not run: ${this.status.message || "see the log"}.`);
      return;
    }
    await act((command, table) =>
      client.sendRequest<string>("workspace/executeCommand", { command, arguments: [{ ...table, show: false }] }),
    );
  }

  private failed(error: unknown): null {
    if (!(error instanceof vscode.CancellationError)) {
      this.log.error("a request failed", error);
    }
    return null;
  }

  /** Start an ended server again, but neither one that never ran nor one that keeps ending. */
  private closed(isCurrent: () => boolean): void {
    if (this.client?.state === State.Running && this.restarts < MAX_RESTARTS) {
      this.restarts++;
      this.log.warn("the server ended and is started again");
      setTimeout(() => isCurrent() && void this.start(), RESTART_AFTER_MS);
    } else {
      this.status.fail("the server ended: see the log");
    }
  }

  private async restart(): Promise<void> {
    this.restarts = 0;
    this.status.set({ state: "starting" });
    await this.stop();
    await this.start();
  }

  private async configured(event: vscode.ConfigurationChangeEvent): Promise<void> {
    if (!event.affectsConfiguration("fim")) {
      return;
    }
    this.status.show();
    if (START_SETTINGS.some((name) => event.affectsConfiguration(`fim.${name}`))) {
      await this.restart();
    } else if (this.client?.state === State.Running) {
      await this.client.sendNotification("workspace/didChangeConfiguration", { settings: { fim: serverSettings() } });
    }
  }

  private async offerInstallation(): Promise<void> {
    const chosen = await vscode.window.showInformationMessage(
      "fim-lsp's server is not installed yet. It needs Python 3.11 or newer.",
      "Install",
      "Name the Program",
    );
    if (chosen === "Install") {
      await vscode.commands.executeCommand("fim-lsp.install");
    } else if (chosen !== undefined) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "fim.command");
    }
  }

  private async toggleLanguage(): Promise<void> {
    const language = vscode.window.activeTextEditor?.document.languageId;
    if (language !== undefined) {
      await this.suggestions.toggleLanguage(language);
    }
  }

  private async doctor(): Promise<void> {
    const command = findCommand(this.context);
    if (command === undefined) {
      await this.offerInstallation();
      return;
    }
    await this.pages.show("fim-lsp doctor", await examine(command, await environment(this.context)));
  }

  private async menu(): Promise<void> {
    const language = vscode.window.activeTextEditor?.document.languageId;
    const entries: (vscode.QuickPickItem & { command: string; argument?: string })[] = [
      { label: this.suggestions.on ? "$(circle-slash) Switch off" : "$(sparkle) Switch on", command: "fim-lsp.toggle" },
      { label: "$(clock) Snooze for 10 minutes", command: "fim-lsp.snooze" },
      { label: "$(question) Why nothing?", command: "fim-lsp.why" },
      { label: "$(chip) Choose the model", command: "fim-lsp.chooseModel" },
      { label: "$(gear) Settings", command: "workbench.action.openSettings", argument: "@ext:fim-lsp.fim-lsp" },
      { label: "$(key) Set the API key", command: "fim-lsp.setKey" },
      { label: "$(output) Log", command: "fim-lsp.log" },
      { label: "$(pulse) Find out what is wrong", command: "fim-lsp.doctor" },
    ];
    if (language !== undefined && this.suggestions.on) {
      const on = this.suggestions.isOnFor(language);
      const label = on ? `$(circle-slash) Switch off for ${language}` : `$(sparkle) Switch on for ${language}`;
      entries.splice(1, 0, { label, command: "fim-lsp.toggleLanguage" });
    }
    const chosen = await vscode.window.showQuickPick(entries, { title: "fim-lsp", placeHolder: this.status.headline });
    // The click has left the focus on the status bar, where what a person types next would be lost.
    await vscode.commands.executeCommand("workbench.action.focusActiveEditorGroup");
    if (chosen !== undefined) {
      await vscode.commands.executeCommand(chosen.command, ...(chosen.argument ? [chosen.argument] : []));
    }
  }
}

let extension: Extension | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  extension = new Extension(context);
  await extension.start();
}

export async function deactivate(): Promise<void> {
  await extension?.stop();
}
