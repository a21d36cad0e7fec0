// The line to write in: a message, an answer to one, or a new text for one's own. What was typed and not sent is kept on
// this device; a new text stays in the line until it is known to be stored.

import { forget, forgottenElsewhere, recall, remember } from "./store.js";
import { byId, setText, show } from "./words.js";

const TYPING_MS = 3_000;
const LINES = 5;

// acts: say(text, replyTo), edit(item, text) resolves when it is stored, typing(), busy() -> why nothing can be said now, or ""
export class Composer {
  constructor(acts) {
    this.acts = acts;
    this.form = byId("composer");
    this.field = byId("say");
    this.problem = byId("composer-problem");
    this.limit = 2_000;
    this.about = null;
    this.draft = ""; // What an edit has taken the place of.
    this.typedAt = 0;
    this.kept = this.field.value = recall("draft", ""); // What this tab holds of the draft that all tabs share.
    forgottenElsewhere("draft", () => this.keep());
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
    this.keep();
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

  write(text) {
    this.field.value = text;
    this.keep();
    this.grow();
  }

  // A phone closes a page in the background when it likes to. What an edit has in the line is no draft: it would come back as
  // a new message. What another tab has kept since is not for this one to forget.
  keep() {
    const text = this.about?.kind === "edit" ? this.draft : this.field.value;
    if (text) remember("draft", text);
    else if (recall("draft", "") === this.kept) forget("draft");
    this.kept = text;
  }

  submit() {
    const text = this.field.value.trim();
    if (!text || this.about?.underway) return;
    const length = [...text].length;
    if (length > this.limit) {
      setText(this.problem, `At most ${this.limit} characters; this is ${length}.`);
      return;
    }
    if (this.about?.kind === "edit") {
      this.change(this.about, text);
      return;
    }
    const why = this.acts.busy();
    if (why) {
      setText(this.problem, why);
      return;
    }
    this.acts.say(text, this.about?.item.entry.seq);
    this.write("");
    this.setAbout(null);
    this.typedAt = 0;
  }

  async change(about, text) {
    about.underway = true;
    this.drawAbout();
    const why = await this.acts.edit(about.item, text).then(
      () => "",
      (error) => error.message,
    );
    about.underway = false;
    if (this.about !== about) return; // Given up meanwhile.
    if (why) {
      this.drawAbout();
      this.complain(why);
    } else this.setAbout(null);
  }

  // In a room: what was begun about a message of another one is over, the words stay.
  entered() {
    this.setAbout(null);
    this.grow();
  }

  reply(item) {
    this.setAbout({ kind: "reply", item });
  }

  edit(item) {
    if (this.about?.kind !== "edit") this.draft = this.field.value;
    this.about = { kind: "edit", item };
    this.field.value = item.entry.text;
    this.grow();
    this.setAbout(this.about);
  }

  setAbout(about) {
    const edited = this.about?.kind === "edit" && about?.kind !== "edit";
    this.about = about;
    if (edited) {
      const { draft } = this;
      this.draft = "";
      this.write(draft);
      setText(this.problem, "");
    }
    this.drawAbout();
    this.field.focus();
  }

  drawAbout() {
    const { about } = this;
    show(byId("context"), Boolean(about));
    this.field.readOnly = Boolean(about?.underway);
    if (!about) return;
    const changing = about.underway ? "Changing your message …" : "Changing your message";
    setText(byId("context-kind"), about.kind === "edit" ? changing : "To");
    setText(byId("context-name"), about.kind === "edit" ? "" : about.item.entry.nickname);
    setText(byId("context-text"), about.item.entry.text);
  }

  complain(text) {
    setText(this.problem, text);
  }
}
