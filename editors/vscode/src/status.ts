// The item in the status bar: what is going on, and a menu behind it.
import * as vscode from "vscode";
import type { Suggestions } from "./suggestions";

/** What the server says of itself with `fim/status`. */
export interface ServerStatus {
  state: "starting" | "idle" | "thinking" | "limited" | "offline" | "error" | "off";
  message?: string;
  /** Seconds until it goes on by itself. */
  until_s?: number | null;
  provider?: string;
  model?: string;
  /** 0 to 1, the part of the minute's tokens; null where there is no limit. */
  budget_used?: number | null;
}

/** From here on the status bar shows how much of the minute's tokens is used: the server is sparing then. */
const BUDGET_SHOWN_FROM = 0.5;

/** So much of what is wrong stands in the status bar itself; pointing at it tells the rest. */
const CAUSE_CHARS = 72;

const ICONS = {
  starting: "loading~spin",
  idle: "sparkle",
  thinking: "loading~spin",
  limited: "watch",
  offline: "debug-disconnect",
  error: "warning",
  off: "circle-slash",
};

export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("fim-lsp", vscode.StatusBarAlignment.Right, 100);
  private server: ServerStatus = { state: "starting" };
  private until = "";
  private timer: NodeJS.Timeout | undefined;
  private pending = 0;

  constructor(private readonly suggestions: Suggestions) {
    this.item.name = "fim-lsp";
    this.item.command = "fim-lsp.menu";
    this.show();
    this.item.show();
  }

  /** What a person should know first, in one line. */
  get headline(): string {
    return this.server.message || this.budget || "Ghost text while you type";
  }

  get message(): string | undefined {
    return this.server.message;
  }

  /** The server's state, until it says another, or until the time comes at which it goes on. */
  set(status: ServerStatus): void {
    clearTimeout(this.timer);
    this.server = status;
    this.until = "";
    if (status.until_s) {
      this.until = ` until ${new Date(Date.now() + status.until_s * 1000).toLocaleTimeString()}`;
      const then: ServerStatus = status.state === "offline" ? status : { ...status, state: "idle", message: "" };
      this.timer = setTimeout(() => this.set({ ...then, until_s: null }), status.until_s * 1000);
    }
    this.show();
  }

  /** The server runs; what it has said while it started stays. */
  started(): void {
    if (this.server.state === "starting") {
      this.set({ state: "idle" });
    }
  }

  /** Something only a person can mend: never a toast, because it is about a guess, not about work. */
  fail(message: string): void {
    this.set({ state: "error", message });
  }

  /** Show that an answer is awaited while `work` lasts. */
  async during<T>(work: PromiseLike<T>): Promise<T> {
    this.pending++;
    this.show();
    try {
      return await work;
    } finally {
      this.pending--;
      this.show();
    }
  }

  show(): void {
    const language = vscode.window.activeTextEditor?.document.languageId;
    const on = language === undefined ? this.suggestions.on : this.suggestions.isOnFor(language);
    const state = !on ? "off" : this.server.state === "idle" && this.pending > 0 ? "thinking" : this.server.state;
    const isMuch = state !== "off" && (this.server.budget_used ?? 0) >= BUDGET_SHOWN_FROM;
    const misses = state === "idle" && Boolean(this.server.message); // it works, but a setting does not
    const fails = misses || state === "error" || state === "offline";
    const said = (isMuch ? ` ${this.percent}` : "") + (fails ? this.cause : "");
    this.item.text = `$(${ICONS[misses ? "error" : state]}) fim${said}`;
    this.item.tooltip = this.tooltip(state, language);
    this.item.backgroundColor = fails || state === "limited" ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.item.dispose();
  }

  private get cause(): string {
    const message = this.server.message ?? "";
    return message && `: ${message.length > CAUSE_CHARS ? `${message.slice(0, CAUSE_CHARS - 1)}…` : message}`;
  }

  private get percent(): string {
    return `${Math.round((this.server.budget_used ?? 0) * 100)} %`;
  }

  private get budget(): string {
    return typeof this.server.budget_used !== "number" ? "" : `${this.percent} of the minute's tokens used`;
  }

  private tooltip(state: string, language: string | undefined): string {
    if (this.suggestions.snoozed) {
      return `fim-lsp: snoozing until ${this.suggestions.snoozeEnd}`;
    }
    if (state === "off" && this.server.state !== "off") {
      return this.suggestions.on ? `fim-lsp: off for ${language}` : "fim-lsp: off";
    }
    const message = this.server.message ? `: ${this.server.message}` : "";
    const model = [this.server.provider, this.server.model].filter(Boolean).join(" ");
    return [`fim-lsp: ${state}${this.until}${message}`, model, this.budget].filter(Boolean).join("\n");
  }
}
