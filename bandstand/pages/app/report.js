// Telling the stewards about a message.

import { byId, setText } from "./words.js";

let asked = null; // What the dialog is about; an answer to an earlier question is none to this one.

// send(why) resolves when it has arrived.
export function askReport(item, send) {
  asked = item;
  const dialog = byId("report-dialog");
  const answer = (said, again) => {
    if (asked !== item) return;
    button.disabled = !again;
    setText(byId("report-said"), said);
  };
  const button = byId("report-send");
  byId("report-more").value = "";
  button.disabled = false;
  setText(byId("report-said"), "");
  byId("report-form").onsubmit = async (event) => {
    event.preventDefault();
    const why = [byId("report-why").value, byId("report-more").value.trim()].filter(Boolean).join(": ");
    answer("One moment …", false);
    try {
      await send(why);
      answer("Thank you. The stewards have it.", false);
    } catch (error) {
      answer(error.message || "That did not work: you are offline.", true);
    }
  };
  dialog.showModal();
}
