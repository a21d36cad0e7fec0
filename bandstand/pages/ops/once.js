// A secret that the server tells once: shown until the dialog is closed, and nowhere afterwards.

import { byId, setText, show } from "/app/words.js";

const forget = () => (byId("once-secret").value = "");
byId("once-close").addEventListener("click", () => {
  forget(); // At once: the event of closing comes later.
  byId("once").close();
});
byId("once").addEventListener("close", forget);
byId("once").addEventListener("cancel", (event) => event.preventDefault());
byId("once-copy").addEventListener("click", async () => {
  const field = byId("once-secret");
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    setText(byId("once-said"), "Copied.");
  } catch {
    setText(byId("once-said"), "Selected: copy it with the keyboard.");
  }
});

// `secret` may be missing: the answer was lost on the way, and the server does not say it twice.
export function showOnce(title, says, secret, lost) {
  setText(byId("once-title"), title);
  setText(byId("once-says"), secret ? says : lost);
  byId("once-secret").value = secret ?? "";
  show(byId("once-row"), Boolean(secret));
  show(byId("once-copy"), Boolean(secret));
  setText(byId("once-said"), "");
  byId("once").showModal();
  (secret ? byId("once-secret") : byId("once-close")).focus();
  byId("once-secret").select();
}
