// Giving an order: a dialog that says what will happen and to how many, asks for a reason and, where it matters, for words
// typed by hand; then a line that says what was done, with its undo.

import { byId, make, setText, show } from "/app/words.js";
import { control, counts, valueOf } from "./fields.js";
import { button, clockTime, figure, hourOf } from "./lists.js";

const UNDO = {
  exact: (until) => `Can be undone${until ? ` until ${hourOf(until)}` : ""}.`,
  compensating: () => "Another command makes up for it; what people saw they have seen.",
  none: () => "Cannot be undone.",
};
const TTL = [["", "until somebody changes it"], ["300", "5 minutes"], ["900", "15 minutes"], ["3600", "1 hour"], ["21600", "6 hours"]];
const TOAST_MS = 8_000;
const UNDO_MS = 30_000; // The acts have their undo for longer.
const TOASTS = 3;
const SECRET = "************"; // What a dry run is told of a password.
// What makes up for an act that has no exact undo: the command and its arguments.
const MAKES_UP = {
  "room.create": ["room.delete", ({ room }) => ({ room })],
  "room.evacuate": ["room.return", ({ room }) => ({ room })],
  "operator.add": ["operator.remove", ({ name }) => ({ name })],
  "token.create": ["token.revoke", ({ name }) => ({ token: name })],
};

const about = (command, args) => [command, args.room, args.level && `level ${args.level}`].filter(Boolean).join(" ");

export class Orders {
  constructor(desk) {
    this.desk = desk;
    this.dialog = byId("order");
    this.form = byId("order-form");
    this.given = new Set();
    this.asked = new Set();
    // That event comes later: the dialog may be open again, for another order.
    this.dialog.addEventListener("close", () => this.dialog.open || this.answer?.(null));
    document.querySelectorAll("dialog").forEach((dialog) => dialog.addEventListener("close", () => this.surface()));
    byId("order-close").addEventListener("click", () => this.dialog.close());
  }

  // fields: as in fields.js; ttl: may be given for a time. word: to be typed by hand, or (args) -> it; what the server asks
  // for counts in any case. Resolves with the ok, or null when nothing was ordered. extra: what goes along with the order
  // besides. send: the label of the button. shape: from what was filled in to the arguments. shown: an element to be seen beforehand. why: a reason to begin with.
  give(command, args, { title, says = "", fields = [], word = "", send: label = title.replace(/[?…]$/, ""), ttl = false, danger = false, why = "", extra = {}, shape = (filled) => filled, shown = null } = {}) {
    this.answer?.(null);
    setText(byId("order-title"), title);
    setText(byId("order-says"), says);
    setText(byId("order-effect"), "");
    setText(byId("order-problem"), "");
    byId("order-shown").replaceChildren(...[shown].filter(Boolean));
    const inputs = fields.map(control);
    const reason = control({ name: "reason", label: "Reason (kept in the record)", value: why, required: true, max: 200 });
    const time = ttl ? control({ name: "ttl", label: "For how long", kind: "select", options: TTL, value: "" }) : null;
    const typed = control({ name: "confirm", label: "", max: 120 });
    byId("order-fields").replaceChildren(...[...inputs, reason, time, typed].filter(Boolean).map((each) => each.row));
    const send = byId("order-send");
    send.classList.toggle("danger", danger);
    send.disabled = false;
    setText(send, label);
    const gather = (secret = (value) => value) => {
      const filled = { ...args };
      for (const each of inputs) if (counts(each)) filled[each.field.name] = each.field.kind === "password" ? secret(valueOf(each)) : valueOf(each);
      return shape(filled);
    };
    const form = { command, inputs, reason, time, typed, extra, gather, server: "" };
    form.word = () => (typeof word === "function" ? word(gather()) : word) || form.server;
    form.draw = () => {
      const words = form.word();
      show(typed.row, Boolean(words));
      setText(typed.label, `Type ${words} to confirm`);
    };
    form.idle = () => inputs.length > 0 && inputs.every(({ field }) => field.changed) && !inputs.some(counts);
    form.more = () => ({ reason: reason.input.value.trim(), ...(time?.input.value && { ttl_s: Number(time.input.value) }) });
    form.draw();
    this.shown = form;
    this.preview(form);
    this.form.onsubmit = (event) => {
      event.preventDefault();
      this.submit(form);
    };
    return new Promise((done) => {
      const answer = (ok) => {
        if (this.answer === answer) this.answer = null;
        done(ok);
      };
      this.answer = answer;
      this.dialog.showModal();
      this.dialog.scrollTop = 0;
      (inputs[0] ?? reason).input.focus();
    });
  }

  // What it would do, asked again a moment after the last change.
  preview(form) {
    const ask = async () => {
      clearTimeout(this.timer);
      const round = (this.round = (this.round ?? 0) + 1);
      const say = (text) => round === this.round && setText(byId("order-effect"), text);
      if (form.idle()) say("Nothing is changed yet.");
      if (form.idle() || form.inputs.some(({ input, field }) => field.required && !input.value.trim())) return;
      try {
        const ok = await this.desk.order(form.command, form.gather(() => SECRET), { ...form.more(), reason: form.more().reason || "preview", dry_run: true });
        if (round === this.round) form.server = ok.detail?.confirm ?? "";
        form.draw();
        const second = ok.detail?.second && !form.extra.confirm_of && !form.extra.break_glass ? " Somebody else has to agree within a minute." : "";
        say(`Touches ${figure(ok.affected ?? 0)} ${ok.affected === 1 ? "person" : "people"}. ${UNDO[ok.undo ?? "none"]?.(ok.undo_until) ?? ""}${second}`);
      } catch (error) {
        say(error.message ? `Not possible like this: ${error.message}` : "");
      }
    };
    byId("order-fields").oninput = () => {
      form.draw();
      clearTimeout(this.timer);
      this.timer = setTimeout(ask, 400);
    };
    ask();
  }

  async submit(form) {
    const problem = byId("order-problem");
    const empty = [...form.inputs, form.reason].find(({ field, input }) => field.required && !input.value.trim());
    const word = form.word();
    const typed = form.typed.input.value.trim();
    const wrong = empty
      ? `${empty.field.label} is missing.`
      : form.idle()
        ? "Nothing is changed yet."
        : word && typed !== word
          ? `Type ${word} exactly as it is written, to show that you mean it.`
          : "";
    setText(problem, wrong);
    if (wrong) {
      (empty ?? (form.idle() ? form.inputs[0] : form.typed)).input.focus();
      return;
    }
    clearTimeout(this.timer); // No more questions about what is being ordered.
    const send = byId("order-send");
    send.disabled = true;
    const { answer } = this;
    const about = () => this.shown === form; // An order may wait for a minute, and the dialog be about another one by then.
    try {
      const ok = await this.now(form.command, form.gather(), { ...form.more(), ...(word && { confirm: typed }), ...form.extra });
      answer?.(ok);
      if (about()) this.dialog.close();
    } catch (error) {
      if (about()) setText(problem, error.message || "The connection was lost.");
    } finally {
      if (about()) send.disabled = false;
    }
  }

  // Without a dialog. Says what was done. Rejects when it was not.
  async now(command, args, more = {}) {
    let away = null;
    const waits = () => (away ??= this.toast(`${about(command, args)}: the connection was lost. It is given again as soon as it is back, within a minute.`, { bad: true, lasts: 2 * UNDO_MS }));
    try {
      const ok = await this.desk.order(command, args, more, waits);
      this.said(command, args, more, ok);
      return ok;
    } finally {
      away?.();
    }
  }

  // For buttons: a refusal is said instead of raised.
  async quick(command, args, more = {}) {
    try {
      return await this.now(command, args, more);
    } catch (error) {
      this.toast(`${command}: ${error.message || "the connection was lost"}`, { bad: true });
      return null;
    }
  }

  undo(act) {
    return this.quick("act.undo", { act }, { reason: "undone by hand" });
  }

  // {act, run}: the button that takes back what was done, {} where there is none.
  wayBack({ command, args, act, undo }) {
    if (undo === "exact" && act && command !== "act.undo") return { act: "Undo", run: () => this.undo(act) };
    const [makesUp, shape] = MAKES_UP[command] ?? [];
    if (undo !== "compensating" || !makesUp || !this.desk.may(makesUp)) return {};
    const says = this.desk.commands.get(makesUp)?.summary ?? "";
    return { act: "Undo", run: () => this.give(makesUp, shape(args), { title: `Undo ${command}`, says: `By ${makesUp}: ${says}.` }) };
  }

  said(command, args, more, ok) {
    const what = about(command, args);
    if (ok.pending) {
      const away = this.toast(`${what} waits for a second person until ${clockTime(ok.expires)}. Nothing was done yet.`, { bad: true, lasts: TOAST_MS });
      this.asked.forEach((tell) => tell(command, args, more, ok, away));
      return;
    }
    const people = ok.affected ? ` ${figure(ok.affected)} ${ok.affected === 1 ? "person" : "people"}.` : "";
    this.toast(`Done: ${what}.${people}`, this.wayBack({ command, args, act: ok.act, undo: ok.undo }));
    this.given.forEach((tell) => tell(command, args, ok));
  }

  // Whatever lies under an open dialog can be neither seen nor pressed: what was done, and that nothing is heard any more, is
  // said in the topmost one.
  surface() {
    const top = [...document.querySelectorAll("dialog[open]")].at(-1);
    if (byId("toasts").parentElement !== (top ?? document.body)) (top ?? document.body).append(byId("toasts"));
    const strip = byId("offline");
    if (top && strip.parentElement !== top) top.prepend(strip);
    else if (!top && strip.parentElement !== byId("desk-bar")) byId("desk-bar").prepend(strip);
  }

  toast(text, { act, run, bad = false, lasts = act || bad ? UNDO_MS : TOAST_MS } = {}) {
    const line = make("div", { class: `toast${bad ? " toast-bad" : ""}` }, make("span", { dir: "auto" }, text));
    const away = () => line.remove();
    if (act) {
      const doing = button(act, () => {
        away();
        run();
      });
      line.append(doing);
    }
    line.append(button("✕", away, { class: "small close", "aria-label": "Close" }));
    byId("toasts").append(line);
    this.surface();
    while (byId("toasts").childElementCount > TOASTS) byId("toasts").firstElementChild.remove();
    setTimeout(away, lasts);
    return away;
  }
}
