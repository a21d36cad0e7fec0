// Giving an order: a dialog that says what will happen and to how many, asks for a reason and, where it matters, for words
// typed by hand; then a line that says what was done, with its undo.

import { byId, make, setText, show } from "/app/words.js";
import { button, clockTime, figure } from "./lists.js";

const UNDO = {
  exact: (until) => `Can be undone${until ? ` until ${clockTime(until)}` : ""}.`,
  compensating: () => "Another command makes up for it; what people saw they have seen.",
  none: () => "Cannot be undone.",
};
const TTL = [["", "until somebody changes it"], ["300", "5 minutes"], ["900", "15 minutes"], ["3600", "1 hour"], ["21600", "6 hours"]];
const TOAST_MS = 8_000;
const UNDO_MS = 60_000;

export class Orders {
  constructor(desk) {
    this.desk = desk;
    this.dialog = byId("order");
    this.form = byId("order-form");
    this.given = new Set();
    this.dialog.addEventListener("close", () => this.answer?.(null));
    document.querySelectorAll("dialog").forEach((dialog) => dialog.addEventListener("close", () => this.surface()));
    byId("order-close").addEventListener("click", () => this.dialog.close());
  }

  // fields: [{name, label, kind: text|number|select|area, value, options, required, max}]; ttl: may be given for a time.
  // word: to be typed by hand, or (args) -> it. Resolves with the ok, or null when nothing was ordered.
  // extra: what goes along with the order besides. shape: from what was filled in to the arguments.
  give(command, args, { title, says = "", fields = [], word = "", ttl = false, danger = false, reason = true, extra = {}, shape = (filled) => filled } = {}) {
    this.answer?.(null);
    setText(byId("order-title"), title);
    setText(byId("order-says"), says);
    setText(byId("order-effect"), "");
    setText(byId("order-problem"), "");
    const inputs = new Map(fields.map((field) => [field.name, control(field)]));
    const why = reason ? control({ name: "reason", label: "Reason (kept in the record)", value: "", required: true, max: 200 }) : null;
    const time = ttl ? control({ name: "ttl", label: "For how long", kind: "select", options: TTL, value: "" }) : null;
    const typed = control({ name: "confirm", label: "", value: "", max: 120 });
    typed.row.classList.add("confirm-row");
    byId("order-fields").replaceChildren(...[...inputs.values(), why, time, typed].filter(Boolean).map((each) => each.row));
    const send = byId("order-send");
    send.classList.toggle("danger", danger);
    setText(send, title.replace(/[?…]$/, ""));
    const gather = () => {
      const filled = { ...args };
      for (const [key, { input, field }] of inputs) {
        const value = field.kind === "number" ? Number(input.value) : input.value.trim();
        if (value !== "" || field.keepEmpty) filled[key] = field.list ? String(value).split(/[\s,]+/).filter(Boolean) : value;
      }
      return shape(filled);
    };
    const more = () => ({ ...(why && { reason: why.input.value.trim() }), ...(time?.input.value && { ttl_s: Number(time.input.value) }) });
    const wordNow = () => (typeof word === "function" ? word(gather()) : word);
    const drawWord = () => {
      const words = wordNow();
      show(typed.row, Boolean(words));
      setText(typed.label, `Type ${words} to confirm`);
    };
    drawWord();
    this.preview(command, gather, more, inputs, drawWord);
    this.form.onsubmit = (event) => {
      event.preventDefault();
      this.submit({ command, args: gather(), more: more(), word: wordNow(), typed: typed.input.value.trim(), why, inputs, extra });
    };
    return new Promise((done) => {
      this.answer = (ok) => {
        this.answer = null;
        done(ok);
      };
      this.dialog.showModal();
      (inputs.values().next().value ?? why ?? typed).input.focus();
    });
  }

  // What it would do, asked again a moment after the last change.
  preview(command, gather, more, inputs, drawWord) {
    const ask = async () => {
      clearTimeout(this.timer);
      if ([...inputs.values()].some(({ input, field }) => field.required && !input.value.trim())) return;
      const round = (this.round = (this.round ?? 0) + 1);
      const say = (text) => round === this.round && setText(byId("order-effect"), text);
      try {
        const ok = await this.desk.order(command, gather(), { ...more(), reason: more().reason || "preview", dry_run: true });
        say(`Touches ${figure(ok.affected ?? 0)} ${ok.affected === 1 ? "person" : "people"}. ${UNDO[ok.undo ?? "none"]?.(ok.undo_until) ?? ""}`);
      } catch (error) {
        say(error.message ? `Not possible like this: ${error.message}` : "");
      }
    };
    byId("order-fields").oninput = () => {
      drawWord();
      clearTimeout(this.timer);
      this.timer = setTimeout(ask, 400);
    };
    ask();
  }

  async submit({ command, args, more, word, typed, why, inputs, extra }) {
    const problem = byId("order-problem");
    const empty = [...inputs.values(), why].find((each) => each?.field.required && !each.input.value.trim());
    if (empty) {
      setText(problem, `${empty.field.label} is missing.`);
      empty.input.focus();
      return;
    }
    if (word && typed !== word) {
      setText(problem, `Type ${word} exactly as it is written, to show that you mean it.`);
      return;
    }
    const send = byId("order-send");
    send.disabled = true;
    setText(problem, "");
    try {
      const ok = await this.now(command, args, { ...more, ...(word && { confirm: typed }), ...extra });
      const { answer } = this;
      this.answer = null;
      this.dialog.close();
      answer?.(ok);
    } catch (error) {
      setText(problem, error.message || "The connection was lost.");
    } finally {
      send.disabled = false;
    }
  }

  // Without a dialog. Says what was done. Rejects when it was not.
  async now(command, args, more = {}) {
    const ok = await this.desk.order(command, args, more);
    this.said(command, args, more, ok);
    return ok;
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

  said(command, args, more, ok) {
    const about = [command, args.room, args.level && `level ${args.level}`].filter(Boolean).join(" ");
    if (ok.pending) {
      const text = `${about} waits for a second person until ${clockTime(ok.expires)}.`;
      this.toast(text, { act: "Break glass", run: () => this.breakGlass(command, args, more), bad: true });
      return;
    }
    const people = ok.affected ? ` ${figure(ok.affected)} people.` : "";
    const undo = ok.undo === "exact" || ok.undo === "compensating" ? { act: "Undo", run: () => this.undo(ok.act) } : {};
    this.toast(`Done: ${about}.${people}`, command === "act.undo" || !ok.act ? {} : undo);
    this.given.forEach((tell) => tell(command, args, ok));
  }

  breakGlass(command, args, more) {
    this.give(command, args, {
      title: "Break the glass?",
      says: "It is done without a second person. This is written in the record in capital letters, and everybody who works here sees it.",
      word: "BREAK GLASS",
      danger: true,
      extra: { break_glass: true, ...(more.confirm && { confirm: more.confirm }), ...(more.ttl_s && { ttl_s: more.ttl_s }) },
    });
  }

  // Whatever lies under an open dialog can be neither seen nor pressed: what was done is said in the topmost one.
  surface() {
    const top = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
    if (byId("toasts").parentElement !== top) top.append(byId("toasts"));
  }

  toast(text, { act, run, bad = false } = {}) {
    const line = make("div", { class: `toast${bad ? " toast-bad" : ""}` }, make("span", { dir: "auto" }, text));
    const away = () => line.remove();
    if (act) {
      const doing = button(act, () => {
        away();
        run();
      });
      line.append(doing);
    }
    line.append(button("Close", away));
    byId("toasts").append(line);
    this.surface();
    while (byId("toasts").childElementCount > 4) byId("toasts").firstElementChild.remove();
    setTimeout(away, act || bad ? UNDO_MS : TOAST_MS);
  }
}

export function control(field) {
  const id = `field-${field.name}`;
  const common = { id, class: "field", "aria-describedby": field.hint ? `${id}-hint` : null, required: Boolean(field.required) };
  let input;
  if (field.kind === "select") {
    input = make("select", common, ...field.options.map(([value, label]) => make("option", { value, selected: value === field.value }, label)));
  } else if (field.kind === "area") {
    input = make("textarea", { ...common, rows: field.rows ?? 4, maxlength: field.max ?? 2000, dir: "auto" });
    input.value = field.value ?? "";
  } else {
    const number = field.kind === "number" ? { min: field.min, max: field.most, step: "any", inputmode: "decimal" } : { maxlength: field.max ?? 200 };
    input = make("input", { ...common, type: field.kind === "number" ? "number" : "text", autocomplete: "off", dir: "auto", ...number });
    input.value = field.value ?? "";
  }
  const label = make("label", { for: id }, field.label);
  const row = make("div", { class: "row" }, label, input, field.hint ? make("p", { class: "hint", id: `${id}-hint` }, field.hint) : null);
  return { row, input, label, field };
}
