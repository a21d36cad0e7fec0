// What this person has to tell about an alert: kept on this device until the server has answered, and told again after a
// reconnect. `received` and `seen` wait a random part of the alert's spread, so that ten thousand phones do not speak at once;
// `acknowledged` and `help` go now.

import { Lost } from "./link.js";
import { forget, recall, remember, remembered } from "./store.js";

const SPREAD = new Set(["received", "seen"]);
const AGAIN_MS = 2_000;

export class Receipts {
  // answered(receipt, refused or null)
  constructor(link, answered) {
    this.link = link;
    this.answered = answered;
    this.waiting = new Map();
    this.onTheWay = new Set();
    for (const key of remembered("receipt.")) {
      const kept = recall(key);
      if (kept?.alert && kept.state) this.waiting.set(key, kept);
    }
  }

  add(frame, state, note = "") {
    const spread = SPREAD.has(state) ? Math.random() * (frame.receipt_spread_ms || 0) : 0;
    const receipt = { alert: frame.id, rev: frame.rev, state, due: Date.now() + spread };
    if (note) receipt.note = note;
    // Whoever has read it has received and seen it: those need not be told any more.
    if (!SPREAD.has(state)) this.drop(frame.id, (kept) => SPREAD.has(kept.state));
    const key = `receipt.${frame.id}.${frame.rev}.${state}`;
    this.waiting.set(key, receipt);
    remember(key, receipt);
    this.deliver();
  }

  drop(alert, which) {
    for (const [key, kept] of this.waiting) if (kept.alert === alert && which(kept)) this.settle(key);
  }

  settle(key) {
    this.waiting.delete(key);
    forget(key);
  }

  deliver() {
    clearTimeout(this.timer);
    if (this.link.state.name !== "online") return;
    let next = Infinity;
    for (const [key, receipt] of this.waiting) {
      if (this.onTheWay.has(key)) continue;
      if (receipt.due <= Date.now()) this.tell(key, receipt);
      else next = Math.min(next, receipt.due);
    }
    if (next < Infinity) this.timer = setTimeout(() => this.deliver(), Math.min(next - Date.now() + 5, 60_000));
  }

  async tell(key, receipt) {
    const { alert, rev, state, note } = receipt;
    this.onTheWay.add(key);
    try {
      await this.link.ask({ type: "alert_receipt", alert, rev, state, ...(note && { note }) });
      if (this.waiting.get(key) === receipt) this.settle(key);
      this.answered(receipt, null);
    } catch (error) {
      if (!(error instanceof Lost)) this.refused(key, receipt, error);
    } finally {
      this.onTheWay.delete(key);
      this.deliver();
    }
  }

  refused(key, receipt, error) {
    if (error.retry) receipt.due = Date.now() + (error.after ?? AGAIN_MS);
    else {
      this.settle(key);
      this.answered(receipt, error);
    }
  }
}
