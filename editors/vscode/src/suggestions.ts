// Whether to suggest anything here and now.
import * as vscode from "vscode";
import { configuration } from "./settings";

const SNOOZE_MINUTES = 10;

export class Suggestions implements vscode.Disposable {
  private snoozedUntil = 0;
  private timer: NodeJS.Timeout | undefined;
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.changed.event;

  get on(): boolean {
    return configuration().get<boolean>("enabled", true) && !this.snoozed;
  }

  get snoozed(): boolean {
    return Date.now() < this.snoozedUntil;
  }

  get snoozeEnd(): string {
    return new Date(this.snoozedUntil).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  }

  isOnFor(languageId: string): boolean {
    return this.on && !disabledLanguages().includes(languageId);
  }

  async toggle(): Promise<void> {
    const on = this.on;
    this.wake();
    await configuration().update("enabled", !on, vscode.ConfigurationTarget.Global);
  }

  async toggleLanguage(languageId: string): Promise<void> {
    const before = disabledLanguages();
    const after = before.filter((id) => id !== languageId);
    const next = after.length < before.length ? after : [...before, languageId];
    await configuration().update(
      "trigger.disabledLanguages",
      next.length > 0 ? next : undefined,
      vscode.ConfigurationTarget.Global,
    );
  }

  snooze(): void {
    clearTimeout(this.timer);
    this.snoozedUntil = Date.now() + SNOOZE_MINUTES * 60_000;
    this.timer = setTimeout(() => this.wake(), SNOOZE_MINUTES * 60_000);
    this.changed.fire();
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.changed.dispose();
  }

  private wake(): void {
    clearTimeout(this.timer);
    this.snoozedUntil = 0;
    this.changed.fire();
  }
}

function disabledLanguages(): string[] {
  return configuration().get<string[] | null>("trigger.disabledLanguages", null) ?? [];
}
