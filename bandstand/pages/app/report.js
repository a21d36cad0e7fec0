// Telling the stewards about a message.

import { byId, setText } from "./words.js";

// send(why) resolves when it has arrived.
export function askReport(item, send) {
  const dialog = byId("report-dialog");
  const button = byId("report-send");
  byId("report-more").value = "";
  button.disabled = false;
  setText(byId("report-said"), "");
  byId("report-form").onsubmit = async (event) => {
    event.preventDefault();
    const why = [byId("report-why").value, byId("report-more").value.trim()].filter(Boolean).join(": ");
    button.disabled = true;
    setText(byId("report-said"), "One moment …");
    try {
      await send(why);
      setText(byId("report-said"), "Thank you. The stewards have it.");
    } catch (error) {
      button.disabled = false;
      setText(byId("report-said"), error.message || "That did not work: you are offline.");
    }
  };
  dialog.showModal();
}
