// What the page says about the connection and the rules: one dot, one line, and a strip for what matters.

import { strip } from "./rules.js";
import { badgeOf, byId, make, moment, people, refusal, seconds, setText, show } from "./words.js";

const SOON_MS = 60_000;

export class Status {
  constructor(link, retry) {
    this.link = link;
    this.room = null;
    this.typists = new Map();
    byId("retry").addEventListener("click", retry);
    byId("people").addEventListener("click", () => this.showPeople());
    setInterval(() => this.draw(), 1_000);
  }

  draw() {
    if (!this.room || byId("inside").hidden) return;
    const { name } = this.link.state;
    const settled = name === "online" && this.room.joined;
    const state = name === "online" && !settled ? "connecting" : name;
    const inside = byId("inside");
    if (inside.dataset.state !== state) inside.dataset.state = state;
    const offline = this.link.state.refused ? "Waiting" : "Offline";
    const words = { online: "Live", connecting: "Connecting", offline, over: "Ended" };
    setText(byId("connection-text"), words[state]);
    const said = !byId("offline").hidden; // What is said stays until it is over, and whoever tries again keeps their place.
    const late = state !== "online" && (state !== "connecting" || said || Date.now() - this.link.state.since > 2_000);
    show(byId("offline"), late);
    if (late) this.drawOffline(state);
    this.drawMode();
    this.drawTyping();
    setText(byId("people"), people(late ? 0 : this.room.online));
  }

  drawOffline(state) {
    // A button that is disabled loses the keyboard's place; a click on this one does nothing while it connects (retryNow).
    byId("retry").setAttribute("aria-disabled", state === "connecting");
    setText(byId("retry"), state === "over" ? "Load again" : "Try now");
    byId("offline").dataset.code = this.link.state.code ?? "";
    const { why, until } = this.outside();
    const queue = this.room.outbox.waiting ? `${this.room.outbox.waiting} waiting` : "";
    const left = state === "over" || !until ? 0 : until - Date.now();
    const next = left > 1_000 && left <= SOON_MS ? `next try in ${seconds(left / 1000)}` : "";
    const text = byId("offline-text");
    setText(text, [why, queue, next].filter(Boolean).join(why.endsWith(".") ? " " : ", "));
    // The countdown is for the eyes; ears are told once.
    text.setAttribute("role", next ? "none" : "status");
  }

  // Why this person is not in the room just now, and when it is tried again.
  outside() {
    const { name, since, why, refused, retryAt } = this.link.state;
    const late = (until) => (until - Date.now() > SOON_MS ? until : null);
    if (name === "over") return { why };
    if (name === "online") {
      const { held } = this.room;
      return held ? { why: refusal(held.why, late(held.until)), until: held.until } : { why: "On the way into the room" };
    }
    const far = late(retryAt);
    const offline = `Offline since ${moment(since)}${far ? `, next try after ${moment(far)}` : ""}`;
    return { why: refused ? refusal(why, far) : offline, until: retryAt };
  }

  async showPeople() {
    const { room } = this;
    byId("people-list").replaceChildren();
    setText(byId("people-rest"), "One moment …");
    byId("people-dialog").showModal();
    try {
      if (!room.joined) throw new Error();
      const page = await room.request({ type: "members", page: 1 });
      const cards = page.members.map(({ member, nickname, badge }) =>
        make("li", {}, make("bdi", {}, nickname), badgeOf(badge), member === this.link.member ? " (you)" : ""),
      );
      byId("people-list").replaceChildren(...cards);
      const rest = page.online - page.members.length;
      setText(byId("people-rest"), rest > 0 ? `and ${rest.toLocaleString()} more` : "");
    } catch (error) {
      setText(byId("people-rest"), error.message || "You are offline: nobody can tell who is here just now.");
    }
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
