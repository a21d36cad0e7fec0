// What was done, with its undo; and what people have reported.

import { byId, make, setText, show } from "/app/words.js";
import { aboutOf, button, clockTime, figure, hourOf, keyed } from "./lists.js";

// Read anew, a list is as long as it was, within a page's most.
const asMany = (items) => ({ limit: Math.min(200, Math.max(100, items.length)) });

export class Acts {
  constructor(desk, orders) {
    this.desk = desk;
    this.orders = orders;
    this.items = [];
    this.next = null;
    byId("acts-more").addEventListener("click", () => this.load(this.next));
    orders.given.add(() => this.active && this.load());
  }

  async load(before = null) {
    this.active = true;
    try {
      const detail = await this.desk.read("act.list", before ? { before } : asMany(this.items));
      this.items = before ? [...this.items, ...(detail.items ?? [])] : (detail.items ?? []);
      this.next = detail.more ? detail.next : null;
      setText(byId("acts-none"), this.items.length ? "" : "Nothing was done yet.");
    } catch (error) {
      setText(byId("acts-none"), error.message || "You are offline.");
    }
    this.draw();
  }

  draw() {
    show(byId("acts-more"), this.next !== null);
    keyed(
      byId("acts-list"),
      this.items,
      (act) => act.act,
      (act) => this.line(act),
      (element, act) => {
        const open = !act.undone && !(act.undo_until && act.undo_until * 1000 < this.desk.now);
        show(element.querySelector("button"), open && this.desk.may("act.undo") && Boolean(this.wayBack(act).run));
        setText(element.querySelector(".act-state"), act.undone ? "undone" : open && act.undo === "exact" && act.undo_until ? `can be undone until ${hourOf(act.undo_until)}` : "");
      },
    );
  }

  line(act) {
    const command = act.name ?? act.command ?? "";
    const said = [aboutOf(act.args ?? {}), act.reason].filter(Boolean).join(" · ");
    return make(
      "li",
      {},
      make(
        "div",
        { class: "line-words" },
        make("time", {}, clockTime(act.at)),
        make("strong", {}, ` ${command} `),
        make("span", {}, `by ${act.operator ?? "somebody"}${act.affected ? `, ${figure(act.affected)} people` : ""}`),
        make("p", { class: "line-text", dir: "auto" }, said),
        make("p", { class: "act-state hint" }),
      ),
      button("Undo", async () => (await this.wayBack(act).run()) && this.load(), { "aria-label": `Undo ${command}`, "data-act": "act.undo" }),
    );
  }

  wayBack(act) {
    return this.orders.wayBack({ command: act.name ?? act.command ?? "", args: act.args ?? {}, act: act.act, undo: act.undo });
  }
}

export class Reports {
  constructor(desk, orders, openRoom) {
    Object.assign(this, { desk, orders, openRoom });
    Object.assign(this, { items: [], next: null });
    byId("reports-closed").addEventListener("change", () => this.load());
    byId("reports-more").addEventListener("click", () => this.load(this.next));
  }

  async load(before = null) {
    try {
      const detail = await this.desk.read("report.list", { open: !byId("reports-closed").checked, ...(before ? { before } : asMany(this.items)) });
      this.items = before ? [...this.items, ...(detail.items ?? [])] : (detail.items ?? []);
      this.next = detail.more ? detail.next : null;
      this.draw(this.items);
      setText(byId("reports-none"), this.items.length ? "" : "Nothing is waiting.");
    } catch (error) {
      setText(byId("reports-none"), error.message || "You are offline.");
    }
    show(byId("reports-more"), this.next !== null);
  }

  draw(items) {
    keyed(
      byId("reports-list"),
      items,
      (report) => report.report ?? report.id,
      (report) => this.line(report),
    );
  }

  line(report) {
    const id = report.report ?? report.id;
    const at = { room: report.room, seq: report.seq };
    const resolve = async (outcome) => (await this.orders.quick("report.resolve", { report: id, outcome }, { reason: outcome })) && this.load();
    return make(
      "li",
      {},
      make(
        "div",
        { class: "line-words" },
        make("time", {}, clockTime(report.at)),
        ` ${report.room}, message ${report.seq}`,
        make("p", { class: "line-text", dir: "auto" }, report.why ?? ""),
        report.text ? make("blockquote", { dir: "auto" }, report.text) : null,
        report.outcome ? make("p", { class: "hint" }, `was ${report.outcome}`) : null,
      ),
      report.outcome
        ? null
        : make(
            "span",
            { class: "line-buttons" },
            button("Open room", () => this.openRoom(report.room)),
            this.desk.may("message.hide") ? button("Hide message", () => this.orders.quick("message.hide", at, { reason: report.why || "reported" }), { "data-act": "message.hide" }) : null,
            ...(this.desk.may("report.resolve") ? [button("Done", () => resolve("done"), { "data-act": "report.resolve" }), button("Dismiss", () => resolve("dismissed"), { "data-act": "report.resolve" })] : []),
          ),
    );
  }
}
