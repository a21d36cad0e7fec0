// The alerts in force: above everything else on the page, over reloads and reconnects, until they are withdrawn or expire.

import { closing, dress, face, graver, statusWord, wordsOf } from "./face.js";
import { LONGEST_TIMER_MS } from "./link.js";
import { Receipts } from "./receipts.js";
import { recall, remember } from "./store.js";
import { byId, make, setText, show } from "./words.js";

const WHY = { cancelled: "It was cancelled.", expired: "Its time is over.", cleared: "All clear." };
const OVER_MS = 60_000;
const NOTE = 200;

// A record: {frame, ends, told: [states], read, help: "" | "asked" | "answered", note}. `note`: what is being written for the
// call for help, which outlives a new revision. `ends`: its expiry by this device's own clock,
// so that it is known without a server too.
export class Alerts {
  constructor(link) {
    this.link = link;
    this.receipts = new Receipts(link, (receipt, refused) => this.answered(receipt, refused));
    this.box = byId("alerts");
    this.over = byId("alert-over");
    this.views = new Map();
    this.held = new Map(Object.entries(recall("alerts", {})).filter(([, record]) => record?.frame?.id));
    this.unconfirmed = new Set(this.held.keys());
    this.seen = new IntersectionObserver((entries) => entries.forEach((each) => each.isIntersecting && this.look()), { threshold: 0.1 });
    document.addEventListener("visibilitychange", () => this.look());
    byId("alert-over-close").addEventListener("click", () => show(this.over, false));
    this.draw();
    this.watchTheClock();
  }

  // What the connection tells

  ready(alerts) {
    this.unconfirmed = new Set(this.held.keys());
    this.listed(alerts);
    this.receipts.deliver();
    this.watchTheClock();
  }

  listed(alerts = []) {
    for (const frame of alerts) this.take(frame);
  }

  // The server has listed what is in force here: what it did not name was withdrawn meanwhile.
  joined(alerts) {
    this.listed(alerts);
    for (const id of this.unconfirmed) this.end(id, "");
    this.unconfirmed.clear();
  }

  // True: the frame was about an alert.
  frame(frame) {
    if (frame.type === "alert") this.take(frame);
    else if (frame.type === "alert_over") this.withdrawn(frame);
    else return false;
    return true;
  }

  take(frame) {
    if (typeof frame?.id !== "string" || !Number.isInteger(frame.rev)) return;
    const known = this.held.get(frame.id);
    this.unconfirmed.delete(frame.id);
    const ends = this.endOf(frame);
    if (ends <= Date.now()) return;
    if (known && known.frame.rev > frame.rev) return;
    if (known && known.frame.rev === frame.rev) {
      known.ends = ends;
      this.remind(known);
      return;
    }
    this.receipts.drop(frame.id, (kept) => kept.rev < frame.rev && kept.state !== "help");
    this.held.set(frame.id, { frame, ends, told: ["received"], read: false, help: known?.help ?? "", note: known?.note ?? "" });
    this.receipts.add(frame, "received");
    this.keep();
    this.watchTheClock();
  }

  // Told again because we have not answered: nothing is read aloud twice, the edge is lit once.
  remind(record) {
    const view = this.views.get(record.frame.id);
    if (!view || record.read) return;
    view.classList.remove("again");
    requestAnimationFrame(() => view.classList.add("again"));
  }

  withdrawn({ id, rev, why }) {
    const record = this.held.get(id);
    if (!record || record.frame.rev > rev) return;
    // "Cancelled" and "all clear" are words to be read: they stay until they were.
    if (closing(record.frame) && !record.read && why !== "expired") record.ended = true;
    else this.end(id, WHY[why] ?? "");
    this.keep();
  }

  end(id, why) {
    const record = this.held.get(id);
    if (!record) return;
    this.held.delete(id);
    this.receipts.drop(id, (kept) => kept.state === "received" || kept.state === "seen");
    if (why && !closing(record.frame)) {
      const drill = statusWord(record.frame);
      setText(byId("alert-over-text"), `${drill ? `${drill}: ` : ""}“${wordsOf(record.frame).headline}” is no longer in force. ${why}`);
      show(this.over, true);
      clearTimeout(this.overTimer);
      this.overTimer = setTimeout(() => show(this.over, false), OVER_MS);
    }
    this.keep();
  }

  endOf(frame) {
    return Number.isFinite(frame.expires) ? frame.expires * 1000 - this.link.skew : Infinity;
  }

  watchTheClock() {
    clearTimeout(this.clock);
    for (const [id, { ends }] of this.held) if (ends !== null && ends <= Date.now()) this.end(id, WHY.expired);
    const next = Math.min(...[...this.held.values()].map(({ ends }) => ends ?? Infinity));
    if (next < Infinity) this.clock = setTimeout(() => this.watchTheClock(), Math.min(next - Date.now() + 50, LONGEST_TIMER_MS));
  }

  // What the person does

  look() {
    if (document.hidden) return;
    for (const [id, record] of this.held) {
      if (record.told.includes("seen") || !this.views.get(id)?.checkVisibility()) continue;
      record.told.push("seen");
      this.receipts.add(record.frame, "seen");
      this.remembered();
    }
  }

  read(record) {
    record.read = true;
    if (!record.told.includes("acknowledged")) {
      record.told.push("acknowledged", "seen");
      this.receipts.add(record.frame, "acknowledged");
    }
    if (record.ended) this.end(record.frame.id, "");
    this.keep();
    // Not to the line to write in: a phone would open its keyboard over half of the screen.
    this.views.get(record.frame.id)?.querySelector(".alert-unfold").focus({ preventScroll: true });
  }

  callForHelp(record, note) {
    record.help = "asked";
    record.told.push("seen");
    this.receipts.add(record.frame, "help", note);
    this.keep();
  }

  answered(receipt, refused) {
    const record = this.held.get(receipt.alert);
    if (!record || receipt.state !== "help") return;
    record.help = refused ? "" : "answered";
    if (refused) record.note = receipt.note ?? "";
    record.problem = refused ? `Your call did not get through: ${refused.message}` : "";
    this.keep();
  }

  // Drawing

  keep() {
    this.remembered();
    this.draw();
  }

  remembered() {
    remember("alerts", Object.fromEntries(this.held));
  }

  draw() {
    const records = [...this.held.values()].sort((one, other) => graver(one.frame, other.frame));
    for (const [id, view] of this.views) {
      if (this.held.get(id)?.frame.rev === Number(view.dataset.rev)) continue;
      this.seen.unobserve(view);
      view.remove();
      this.views.delete(id);
    }
    for (const [at, record] of records.entries()) {
      const view = this.views.get(record.frame.id) ?? this.view(record);
      this.redraw(view, record);
      if (this.box.children[at] !== view) this.box.insertBefore(view, this.box.children[at] ?? null);
    }
    show(this.box, records.length > 0);
  }

  view(record) {
    const { frame } = record;
    const view = make("article", { class: "alert", "data-rev": frame.rev, "data-alert": frame.id });
    dress(view, frame);
    const note = make("input", { type: "text", maxlength: NOTE, class: "alert-note", "aria-label": "Where are you, what do you need? (optional)", placeholder: "Where are you, what do you need?" });
    note.value = record.note ?? "";
    note.addEventListener("input", () => {
      record.note = note.value;
      this.remembered();
    });
    const form = make(
      "form",
      { class: "alert-help", hidden: !record.note, novalidate: true },
      note,
      make("button", { type: "submit", class: "alert-button alert-send" }, "Call for help"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      show(form, false);
      record.note = "";
      this.callForHelp(record, note.value.trim());
    });
    const help = make("button", { type: "button", class: "alert-button alert-need", "aria-expanded": String(Boolean(record.note)) }, "I need help");
    help.addEventListener("click", () => {
      show(form, form.hidden);
      help.setAttribute("aria-expanded", String(!form.hidden));
      if (!form.hidden) note.focus();
    });
    const unfold = make("button", { type: "button", class: "alert-unfold", "aria-expanded": "false" }, "Show");
    unfold.addEventListener("click", () => {
      view.classList.toggle("unfolded");
      this.redraw(view, record);
    });
    const done = make("button", { type: "button", class: "alert-button alert-read", click: () => this.read(record) }, "I have read this");
    view.append(
      make("div", { class: "alert-top" }, face(frame, { skew: frame.expires * 1000 - (record.ends ?? Infinity) }), unfold),
      make("div", { class: "alert-buttons" }, done, closing(frame) ? null : help),
      form,
      make("p", { class: "alert-said", role: "status" }),
    );
    this.views.set(frame.id, view);
    this.redraw(view, record);
    this.seen.observe(view);
    return view;
  }

  redraw(view, record) {
    view.classList.toggle("read", Boolean(record.read));
    const unfolded = view.classList.contains("unfolded");
    const unfold = view.querySelector(".alert-unfold");
    show(unfold, Boolean(record.read));
    setText(unfold, unfolded ? "Fold" : "Show");
    unfold.setAttribute("aria-expanded", String(unfolded));
    show(view.querySelector(".alert-read"), !record.read);
    const offline = this.link.state.name !== "online";
    const said = {
      asked: offline ? "You are offline. Your call for help goes out the moment you are back." : "Calling for help …",
      answered: "Your call for help has arrived. Stay where you can be found, if that is safe.",
    };
    setText(view.querySelector(".alert-said"), said[record.help] ?? record.problem ?? "");
  }

  connectionChanged() {
    for (const [id, view] of this.views) this.redraw(view, this.held.get(id));
  }
}
