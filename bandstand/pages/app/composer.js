// The line to write in: a message, an answer to one, or a new text for one's own.

import { byId, setText, show } from "./words.js";

const TYPING_MS = 3_000;
const LINES = 5;

// acts: say(text, replyTo), edit(item, text), typing(), busy() -> why nothing can be said now, or ""
export class Composer {
  constructor(acts) {
    this.acts = acts;
    this.form = byId("composer");
    this.field = byId("say");
    this.problem = byId("composer-problem");
    this.limit = 2_000;
    this.about = null;
    this.typedAt = 0;
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.field.addEventListener("input", () => this.changed());
    this.field.addEventListener("keydown", (event) => this.key(event));
    byId("context-close").addEventListener("click", () => this.setAbout(null));
  }

  key(event) {
    const coarse = matchMedia("(pointer: coarse)").matches; // There, Enter of the on-screen keyboard may mean a new line.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !(coarse && event.altKey)) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && this.about) this.setAbout(null);
  }

  changed() {
    setText(this.problem, "");
    this.grow();
    const now = Date.now();
    if (this.field.value && now - this.typedAt >= TYPING_MS) {
      this.typedAt = now;
      this.acts.typing();
    }
  }

  grow() {
    this.field.rows = 1;
    const line = parseFloat(getComputedStyle(this.field).lineHeight) || 22;
    const inner = this.field.scrollHeight - 22;
    this.field.rows = Math.max(1, Math.min(LINES, Math.round(inner / line)));
  }

  submit() {
    const text = this.field.value.trim();
    if (!text) return;
    const length = [...text].length;
    if (length > this.limit) {
      setText(this.problem, `At most ${this.limit} characters; this is ${length}.`);
      return;
    }
    const why = this.acts.busy();
    if (why) {
      setText(this.problem, why);
      return;
    }
    if (this.about?.kind === "edit") this.acts.edit(this.about.item, text);
    else this.acts.say(text, this.about?.item.entry.seq);
    this.field.value = "";
    this.setAbout(null);
    this.grow();
    this.typedAt = 0;
  }

  reply(item) {
    this.setAbout({ kind: "reply", item });
  }

  edit(item) {
    this.field.value = item.entry.text;
    this.setAbout({ kind: "edit", item });
    this.grow();
  }

  setAbout(about) {
    if (this.about?.kind === "edit" && about === null) this.field.value = "";
    this.about = about;
    show(byId("context"), Boolean(about));
    if (about) {
      setText(byId("context-kind"), about.kind === "edit" ? "Changing your message" : "To");
      setText(byId("context-name"), about.kind === "edit" ? "" : about.item.entry.nickname);
      setText(byId("context-text"), about.item.entry.text);
    }
    this.field.focus();
  }

  complain(text) {
    setText(this.problem, text);
  }
}
