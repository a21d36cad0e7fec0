// The record of every order, refusals and dry runs included: newest first, by pages; and whether it is whole.

import { byId, make, setText, show } from "/app/words.js";
import { aboutOf, dayTime, figure, keyed } from "./lists.js";

export class Audit {
  constructor(desk) {
    this.desk = desk;
    this.items = [];
    this.next = null;
    byId("audit-more").addEventListener("click", () => this.load(this.next));
    byId("audit-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.load();
    });
    byId("audit-verify").addEventListener("click", () => this.verify());
  }

  async load(before = null) {
    const wanted = { operator: byId("audit-operator").value.trim(), command: byId("audit-command").value.trim() };
    const filter = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value));
    try {
      const detail = await this.desk.read("audit.page", { limit: 50, ...filter, ...(before && { before }) });
      this.items = before ? [...this.items, ...(detail.items ?? [])] : (detail.items ?? []);
      this.next = detail.more ? detail.next : null;
      setText(byId("audit-said"), this.items.length ? "" : "Nothing like that is on record.");
    } catch (error) {
      setText(byId("audit-said"), error.message || "You are offline.");
    }
    show(byId("audit-more"), this.next !== null);
    keyed(
      byId("audit-list"),
      this.items,
      (row) => row.row,
      (row) => this.line(row),
    );
  }

  line(row) {
    const about = [aboutOf(row.args ?? {}), row.reason].filter(Boolean).join(" · ");
    return make(
      "li",
      { "data-result": row.result },
      make("span", { class: "audit-row" }, `#${row.row}`),
      make("time", {}, dayTime(row.at)),
      make(
        "div",
        { class: "line-words" },
        make("p", { dir: "auto" }, name(row), make("span", { class: "tag" }, String(row.result ?? "").replace("_", " "))),
        about ? make("p", { class: "hint", dir: "auto" }, about) : null,
      ),
    );
  }

  async verify() {
    const said = byId("audit-whole");
    said.dataset.whole = "";
    setText(said, "Reading the whole record …");
    try {
      const { whole, items = [] } = await this.desk.read("audit.verify");
      said.dataset.whole = String(Boolean(whole));
      setText(said, whole ? "The record is whole: no row is missing, none was changed." : `The record is NOT whole: ${figure(items.length)} findings. ${items.slice(0, 5).map((each) => `row ${each.row}: ${each.what}`).join("; ")}`);
    } catch (error) {
      setText(said, error.message || "You are offline.");
    }
  }
}

const name = ({ operator, command, address }) => make("span", {}, make("bdi", {}, operator || "somebody"), ` ${command} `, make("span", { class: "hint" }, `from ${address || "here"} `));
