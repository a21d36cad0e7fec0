// Orders that wait for a second person, on top of every view: whoever may give such an order agrees or says no; whoever asked
// sees how long it still waits, takes it back, or breaks the glass.

import { byId, make, setText, show } from "/app/words.js";
import { LEVEL } from "./figures.js";
import { aboutOf, button, keyed } from "./lists.js";
import { phoneOf } from "./preview.js";

const NEVER_ALONE = new Set(["house.wipe"]);
const KIND = { actual: "A real alert", exercise: "A drill", test: "A test" };
const SAYS = {
  "house.lockdown": ({ level }) => `Lockdown ${level}: ${LEVEL[level] ?? ""}`,
  "house.drain": () => "Stop the server",
  "house.wipe": () => "Wipe the house: erase all that was said, in every room",
  "room.evacuate": ({ room, to }) => `Evacuate ${room} to ${to}`,
  "alert.raise": ({ status, headline, all, rooms = [], zones = [] }) => `${KIND[status] ?? status} to ${all ? "everybody" : [...rooms, ...zones].join(", ")}: ${headline ?? "in several languages"}`,
  "alert.import": () => "Raise the alert of a CAP message",
};

export class Second {
  constructor(desk, orders) {
    Object.assign(this, { desk, orders });
    this.waiting = new Map();
    this.words = new Map(); // pending -> what the asker typed by hand
    orders.asked.add((command, args, more, ok, away) => {
      this.words.set(ok.pending, more.confirm);
      this.add({ pending: ok.pending, expires: ok.expires, name: command, args, reason: more.reason, ttl_s: more.ttl_s, by: desk.operator, away });
    });
    desk.watch("activity", (frame) => !frame.refused && this.take(frame.events ?? []));
    setInterval(() => this.draw(), 1_000);
  }

  take(events) {
    for (const { data, operator } of events) {
      if (data?.confirm_of) this.settle(data.confirm_of, `${operator} agreed.`);
      else if (data?.command === "act.refuse") this.settle(data.pending, operator === this.desk.operator ? "" : `${operator} said no.`);
      else if (data?.pending && data.name) this.add({ ...data, by: operator });
    }
  }

  add(order) {
    if (this.waiting.has(order.pending) || order.expires * 1000 <= this.desk.now) return;
    this.waiting.set(order.pending, order);
    // Under an open dialog the strip cannot be seen.
    if (order.by !== this.desk.operator && this.may(order) && document.querySelector("dialog[open]")) {
      order.away = this.orders.toast(`${order.by} asks for a second person: ${this.says(order)}.`, { act: "Look", run: () => this.agree(order), bad: true });
    }
    this.draw();
  }

  settle(pending, said) {
    const order = this.waiting.get(pending);
    if (!order) return;
    this.waiting.delete(pending);
    this.words.delete(pending);
    order.away?.();
    if (said && order.by === this.desk.operator) this.orders.toast(`${this.says(order)}: ${said}`);
    this.draw();
  }

  // A real alert needs more than its command does.
  may(order) {
    return this.desk.may(order.name) && (order.args?.status !== "actual" || this.desk.may("alert.update"));
  }

  says({ name, args = {} }) {
    return SAYS[name]?.(args) ?? `${name} ${aboutOf(args)}`;
  }

  draw() {
    for (const order of [...this.waiting.values()]) {
      if (order.expires * 1000 <= this.desk.now) this.settle(order.pending, "nobody agreed in time. Nothing was done.");
    }
    const list = [...this.waiting.values()];
    show(byId("waiting"), list.length > 0);
    keyed(
      byId("waiting-list"),
      list,
      (order) => order.pending,
      (order) => this.line(order),
      (element, order) => setText(element.querySelector(".waiting-left"), `${Math.max(0, Math.ceil(order.expires - this.desk.now / 1000))} s`),
    );
  }

  line(order) {
    const mine = order.by === this.desk.operator;
    const refuse = button(mine ? "Take it back" : "Say no", () => this.refuse(order), { "data-act": "act.refuse" });
    const glass = button("Break the glass", () => this.breakGlass(order), { "data-act": order.name });
    const agree = button("Agree …", () => this.agree(order), { "data-act": order.name, class: "small primary" });
    return make(
      "li",
      {},
      make(
        "div",
        { class: "line-words" },
        make("p", {}, make("strong", { dir: "auto" }, mine ? "You wait for a second person" : `${order.by} asks for a second person`), " ", make("span", { class: "waiting-left", "aria-hidden": "true" })),
        make("p", { dir: "auto" }, this.says(order)),
        make("p", { class: "hint", dir: "auto" }, `Reason: ${order.reason || "none"}`),
      ),
      make("span", { class: "line-buttons" }, ...(mine ? [refuse, NEVER_ALONE.has(order.name) ? null : glass] : this.may(order) ? [refuse, agree] : []).filter(Boolean)),
    );
  }

  refuse({ pending }) {
    return this.orders.quick("act.refuse", { pending }, { reason: "not agreed" });
  }

  async agree(order) {
    const { pending, name, args, ttl_s, by, reason } = order;
    const shown = name === "alert.raise" ? await this.phone(args) : null;
    if (!this.waiting.has(pending)) return;
    await this.orders.give(name, args, {
      title: `Agree with ${by}?`,
      says: `${this.says(order)}. It is done the moment you agree.`,
      send: "Agree",
      danger: true,
      shown,
      why: `agreed with ${by}: ${reason ?? ""}`.slice(0, 200),
      extra: { confirm_of: pending, ...(ttl_s && { ttl_s }) },
    });
  }

  async phone(args) {
    const { frame } = await this.desk.read("alert.preview", args).catch(() => ({}));
    return frame ? phoneOf(frame, this.desk.link.skew, [args.lang]) : null;
  }

  async breakGlass({ pending, name, args, ttl_s }) {
    const confirm = this.words.get(pending) ?? (await this.wordFor(name, args));
    const ok = await this.orders.give(name, args, {
      title: "Break the glass?",
      says: "It is done without a second person. This is written in the record in capital letters, and everybody who works here sees it.",
      word: "BREAK GLASS",
      danger: true,
      extra: { break_glass: true, ...(confirm && { confirm }), ...(ttl_s && { ttl_s }) },
    });
    // Done: nobody may agree to it a second time.
    if (ok?.act && this.waiting.has(pending)) this.refuse({ pending });
  }

  async wordFor(name, args) {
    const ok = await this.desk.order(name, args, { reason: "preview", dry_run: true }).catch(() => null);
    return ok?.detail?.confirm ?? "";
  }
}
