// One room: its rules, the people in it, its last messages, and what can be done about each.

import { badgeOf, byId, make, setText, show, titled } from "/app/words.js";
import { button, clockTime, figure, keyed, name } from "./lists.js";
import { memberButtons } from "./person.js";
import { stateOf } from "./rooms.js";

export class Drawer {
  constructor(desk, orders, people) {
    Object.assign(this, { desk, orders, people });
    this.dialog = byId("drawer");
    this.room = "";
    byId("drawer-close").addEventListener("click", () => this.dialog.close());
    byId("drawer-more").addEventListener("click", () => this.more());
    this.dialog.addEventListener("close", () => this.stop?.());
  }

  open(room) {
    this.stop?.();
    this.room = room;
    this.row = null;
    this.fresh = []; // People of the last snapshot.
    this.read = []; // People asked for.
    this.next = "";
    byId("drawer-messages").replaceChildren();
    byId("drawer-members").replaceChildren();
    byId("drawer-messages").kept = byId("drawer-members").kept = undefined;
    setText(byId("drawer-title"), titled(room));
    setText(byId("drawer-state"), "One moment …");
    byId("drawer-acts").replaceChildren();
    const unwatch = this.desk.watch(`room:${room}`, (frame) => this.take(frame));
    this.stop = () => {
      this.stop = null;
      unwatch();
    };
    if (!this.dialog.open) this.dialog.showModal();
  }

  take(frame) {
    if (frame.refused) {
      setText(byId("drawer-state"), frame.refused);
      return;
    }
    const row = frame.row ?? {};
    this.row = { ...row, ...(frame.policy?.frozen !== undefined && { frozen: frame.policy.frozen, slow_s: frame.policy.slow_s, closed: frame.policy.closed ?? row.closed }) };
    setText(byId("drawer-title"), row.title || titled(this.room));
    const reason = frame.policy?.reason ? ` Reason: ${frame.policy.reason}` : "";
    setText(
      byId("drawer-state"),
      `${figure(row.online)} ${row.online === 1 ? "person" : "people"}, ${stateOf(this.row)}.${row.code ? ` Code ${row.code}.` : ""}${row.zone ? ` Zone ${row.zone}.` : ""}${reason}`,
    );
    this.acts();
    keyed(
      byId("drawer-messages"),
      [...(frame.messages ?? [])].reverse().slice(0, 100),
      (message) => message.seq,
      (message) => this.message(message),
      (element, message) => this.updateMessage(element, message),
    );
    this.fresh = frame.members ?? [];
    this.drawPeople();
  }

  // A snapshot brings the first ones; the others are read page by page, and those are no longer news.
  drawPeople() {
    const shown = this.read.length ? this.read : this.fresh;
    keyed(
      byId("drawer-members"),
      shown,
      (member) => member.member,
      (member) => make("li", {}, make("span", { class: "line-words" }, name(member.nickname), badgeOf(member.badge)), memberButtons(this.desk, this.people, member, this.room)),
    );
    show(byId("drawer-nobody"), !shown.length && !this.row.online);
    const rest = this.read.length ? this.next !== null : this.row.online > shown.length;
    const as = this.read.length ? `, as of ${clockTime(this.readAt)}` : "";
    setText(byId("drawer-rest"), rest || as ? `${figure(shown.length)} of ${figure(Math.max(this.row.online ?? 0, shown.length))} people are shown${as}.` : "");
    show(byId("drawer-more"), rest && this.desk.may("member.list"));
  }

  async more() {
    const { room } = this;
    try {
      const detail = await this.desk.read("member.list", { room, limit: 200, ...(this.next && { after: this.next }) });
      if (room !== this.room) return;
      this.read = [...this.read, ...(detail.items ?? [])];
      this.readAt = this.desk.now / 1000;
      this.next = detail.more ? detail.next : null;
      this.drawPeople();
    } catch (error) {
      setText(byId("drawer-rest"), error.message || "You are offline.");
    }
  }

  acts() {
    const { frozen, closed, slow_s } = this.row;
    const state = `${frozen}|${closed}|${slow_s}`;
    const box = byId("drawer-acts");
    if (box.dataset.state === state && box.childElementCount) return;
    box.dataset.state = state;
    const held = document.activeElement?.closest("#drawer-acts") ? document.activeElement.dataset.act : null;
    const list = [
      frozen ? ["room.thaw", "Thaw", this.quick("room.thaw", "Let everybody write again")] : ["room.freeze", "Freeze", this.freeze()],
      ["room.slow", slow_s ? `Slow: ${figure(slow_s)} s` : "Slow", this.slow()],
      closed ? ["room.reopen", "Reopen", this.quick("room.reopen", "Let people come in again")] : ["room.close", "Close the doors", this.close()],
      ["message.unpin", "Unpin", this.quick("message.unpin", "Pin nothing")],
      ["room.update", "Settings", () => this.change()],
      ["room.export", "Export", () => this.export()],
      ["room.return", "Call back", this.quick("room.return", "Call back who was sent elsewhere")],
      ["room.evacuate", "Evacuate", this.evacuate()],
      ["room.clear", "Clear", this.clear()],
      ["room.delete", "Delete room", this.remove()],
    ].filter(([command]) => this.desk.may(command));
    const grave = new Set(["room.evacuate", "room.clear", "room.delete"]);
    box.replaceChildren(...list.map(([command, label, run]) => button(label, run, { "data-act": command, class: grave.has(command) ? "small grave" : "small" })));
    if (held) (box.querySelector(`[data-act="${CSS.escape(held)}"]`) ?? box.firstElementChild)?.focus();
  }

  quick(command, title) {
    return () => this.orders.give(command, { room: this.room }, { title });
  }

  freeze() {
    const says = "Nobody but staff can write here. Words that people have written wait on their phones.";
    return () => this.orders.give("room.freeze", { room: this.room }, { title: "Freeze this room", says, ttl: true });
  }

  slow() {
    const fields = [{ name: "seconds", label: "Seconds between two messages of one person (0 = as usual)", kind: "number", min: 0, most: 3600, value: "10", required: true, keepEmpty: true }];
    return () => this.orders.give("room.slow", { room: this.room }, { title: "Slow mode", fields, ttl: true });
  }

  close() {
    return () => this.orders.give("room.close", { room: this.room }, { title: "Close the doors", says: "Nobody comes in; who is here stays.", ttl: true });
  }

  // Prefilled with what holds now; only what was changed goes out.
  async change() {
    const { room } = this;
    const now = await this.desk.read("room.show", { room }).catch((error) => this.orders.toast(`${room}: ${error.message || "you are offline"}`, { bad: true }) && null);
    if (!now) return;
    const fields = [
      { name: "title", label: "Title", value: now.title, placeholder: titled(room), max: 120, changed: true },
      { name: "code", label: "Code (word-word-00)", value: now.code, max: 64, changed: true, hint: "Posters with the old code no longer lead here." },
      { name: "zone", label: "Zone", value: now.zone, max: 48, changed: true },
      { name: "capacity", label: "Most people at a time (0: no limit)", kind: "number", min: 0, most: 1_000_000, value: now.capacity, changed: true },
      { name: "official", label: "An official room of the event", kind: "check", value: now.official, changed: true },
    ];
    await this.orders.give("room.update", { room }, { title: `Settings of ${now.title || titled(room)}`, send: "Save", fields, ttl: true });
  }

  clear() {
    const says = "All messages go out of sight at once and are erased in ten minutes.";
    return () => this.orders.give("room.clear", { room: this.room }, { title: "Clear this room", says, danger: true });
  }

  evacuate() {
    const fields = [{ name: "to", label: "To which room", required: true, max: 48 }];
    const says = "Everybody here is sent to another room, and this one is closed.";
    return () => this.orders.give("room.evacuate", { room: this.room }, { title: "Evacuate this room", says, fields, word: this.room, danger: true });
  }

  remove() {
    const says = "The room disappears at once and is erased in ten minutes.";
    return () => this.orders.give("room.delete", { room: this.room }, { title: "Delete this room", says, danger: true });
  }

  async export() {
    const { exportRoom } = await import("./exports.js");
    exportRoom(this.desk, this.orders, this.room);
  }

  message(message) {
    const text = make("p", { class: "line-text", dir: "auto" });
    const { seq } = message;
    const at = { room: this.room, seq };
    const buttons = make("span", { class: "line-buttons" });
    const hide = button("Hide", () => this.orders.quick(hide.dataset.act, at, { reason: "not fit for this room" }));
    buttons.append(hide, button("Pin", () => this.orders.quick("message.pin", at, { reason: "worth knowing" }), { "data-act": "message.pin" }));
    show(buttons, this.desk.may("message.hide"));
    return make(
      "li",
      { "data-seq": seq },
      make("div", { class: "line-words" }, make("time", {}, clockTime(message.ts)), " ", name(message.nickname), badgeOf(message.badge), text),
      buttons,
    );
  }

  updateMessage(element, message) {
    const gone = message.deleted ? "deleted by its author" : "";
    setText(element.querySelector(".line-text"), gone || message.text || (message.hidden ? "hidden" : ""));
    element.classList.toggle("line-hidden", Boolean(message.hidden || message.deleted));
    const [hide, pin] = element.querySelectorAll(".line-buttons button");
    hide.dataset.act = message.hidden ? "message.restore" : "message.hide";
    setText(hide, message.hidden ? "Restore" : "Hide");
    hide.setAttribute("aria-label", `${message.hidden ? "Restore" : "Hide"} the message of ${message.nickname || "somebody"}`);
    pin.setAttribute("aria-label", `Pin the message of ${message.nickname || "somebody"}`);
    show(hide, !message.deleted);
    show(pin, !message.deleted && !message.hidden);
  }
}
