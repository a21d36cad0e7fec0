// An alert as a phone will show it, drawn with the attendees' own code.

import { dress, face } from "/app/face.js";
import { make } from "/app/words.js";

export function alertOf(frame, skew, languages) {
  const shown = make("article", { class: "alert" });
  dress(shown, frame);
  const still = (label, kind) => make("span", { class: `alert-button ${kind}` }, label);
  shown.append(
    make("div", { class: "alert-top" }, face(frame, { spoken: false, skew, languages })),
    make("div", { class: "alert-buttons", "aria-hidden": "true" }, still("I have read this", "alert-read"), still("I need help", "alert-need")),
  );
  return shown;
}

export const phoneOf = (frame, skew, languages) =>
  make("div", { class: "phone", role: "group", "aria-label": "As phones will show it" }, make("div", { class: "phone-screen" }, alertOf(frame, skew, languages)));
