// The bars under the head of the room: what is pinned, and where people are asked to go.

import { byId, setText, show, titled } from "./words.js";

export class Pins {
  // acts: jump(seq), go(room)
  constructor(acts) {
    this.acts = acts;
    byId("pinned-go").addEventListener("click", () => this.target && acts.jump(this.target));
    byId("moved-go").addEventListener("click", () => this.to && acts.go(this.to));
    this.clear();
  }

  clear() {
    this.target = null;
    this.to = null;
    show(byId("pinned"), false);
    show(byId("moved"), false);
  }

  // An entry of the log, new or old; `find(seq)` resolves with the message or null.
  entry(frame, find) {
    if (frame.type === "pinned") this.pin(frame.target ?? null, find);
    else if (frame.type === "moved") this.move(frame.to ?? "", frame.reason ?? "");
    else if ((frame.type === "hidden" || frame.type === "deleted") && frame.target === this.target) this.pin(null);
    else if (frame.type === "cleared" && this.target && this.target <= frame.upto) this.pin(null);
    else if (frame.type === "edited" && frame.target === this.target) this.pin(frame.target, find);
  }

  async pin(target, find) {
    this.target = target;
    if (target === null) {
      show(byId("pinned"), false);
      return;
    }
    const message = await find(target);
    if (this.target !== target) return;
    const text = message && !message.deleted && !message.hidden ? message.text : "";
    setText(byId("pinned-name"), message?.nickname ?? "");
    setText(byId("pinned-text"), text);
    show(byId("pinned"), Boolean(text));
  }

  move(to, reason) {
    this.to = to;
    setText(byId("moved-text"), to ? `This room moves to ${titled(to)}. ${reason}` : "");
    show(byId("moved"), Boolean(to));
  }
}
