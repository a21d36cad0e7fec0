// What the page says about the connection and the rules: one dot, one line, and a strip for what matters.

import { strip } from "./rules.js";
import { at, byId, people, seconds, setText, show } from "./words.js";

export class Status {
  constructor(link, retry) {
    this.link = link;
    this.room = null;
    this.typists = new Map();
    byId("retry").addEventListener("click", retry);
    setInterval(() => this.draw(), 1_000);
  }

  draw() {
    if (!this.room || byId("inside").hidden) return;
    const { name } = this.link.state;
    const settled = name === "online" && this.room.joined;
    const state = name === "online" && !settled ? "connecting" : name;
    const inside = byId("inside");
    if (inside.dataset.state !== state) inside.dataset.state = state;
    const words = { online: "Live", connecting: "Connecting", offline: "Offline", over: "Ended" };
    setText(byId("connection-text"), words[state]);
    this.drawOffline(state);
    this.drawMode();
    this.drawTyping();
    setText(byId("people"), people(this.room.online || 1));
  }

  drawOffline(state) {
    const { since, retryAt, code, why } = this.link.state;
    const waiting = this.room.outbox?.waiting ?? 0;
    const queue = waiting ? `, ${waiting} waiting` : "";
    const late = state !== "online" && (state !== "connecting" || Date.now() - since > 2_000);
    show(byId("offline"), late);
    byId("retry").disabled = state === "connecting";
    setText(byId("retry"), state === "over" ? "Load again" : "Try now");
    if (!late) return;
    const left = retryAt ? (retryAt - Date.now()) / 1000 : 0;
    const next = state === "offline" && left > 1 ? `, next try in ${seconds(left)}` : "";
    const text = byId("offline-text");
    // The countdown is for the eyes; ears are told once.
    const said = state === "over" ? why : `Offline since ${at(since)}${queue}`;
    setText(text, `${said}${next}`);
    text.setAttribute("role", next ? "none" : "status");
    byId("offline").dataset.code = code ?? "";
  }

  drawMode() {
    const { room } = this;
    const said = strip(room.policy, {
      skew: this.link.skew,
      expired: room.expired,
      paused: room.paused,
      slow: room.slowSeconds,
      turn: (room.slowUntil - Date.now()) / 1000,
    });
    show(byId("mode"), Boolean(said.text));
    setText(byId("mode"), said.text);
    byId("mode").dataset.kind = said.kind;
  }

  typing(nickname, member) {
    this.typists.set(member, { nickname, until: Date.now() + 5_000 });
    if (this.typists.size > 50) this.typists.delete(this.typists.keys().next().value);
    this.drawTyping();
  }

  stopped(member) {
    if (this.typists.delete(member)) this.drawTyping();
  }

  drawTyping() {
    for (const [member, { until }] of this.typists) if (until < Date.now()) this.typists.delete(member);
    const names = [...this.typists.values()].map(({ nickname }) => `\u2068${nickname}\u2069`);
    const said = ["", `${names[0]} is writing …`, `${names[0]} and ${names[1]} are writing …`];
    setText(byId("typing"), said[names.length] ?? `${names.length} people are writing …`);
  }
}
