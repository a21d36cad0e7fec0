// Coming in: with a name and a password, or on the very first time with the one-time code of the set-up link.

import { byId, setText, show } from "/app/words.js";

export class Sign {
  constructor(desk) {
    this.desk = desk;
    this.code = location.pathname.startsWith("/ops/setup") ? location.hash.slice(1) : "";
    // The code is worth a house: it does not stay in the address, where it would be remembered.
    if (this.code) history.replaceState(null, "", "/ops/setup");
    byId("sign-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
  }

  get setup() {
    return location.pathname.startsWith("/ops/setup");
  }

  ask(problem = "") {
    byId("sign-send").disabled = false;
    show(byId("desk"), false);
    show(byId("sign"), true);
    show(byId("sign-again-row"), this.setup);
    show(byId("sign-code-row"), this.setup && !this.code);
    byId("sign-password").autocomplete = this.setup ? "new-password" : "current-password";
    setText(byId("sign-title"), this.setup ? "Set up the first operator" : "Sign in");
    setText(byId("sign-lead"), this.setup ? "Choose your name and a password of at least 10 characters. This link works once." : "For those who run the house.");
    setText(byId("sign-send"), this.setup ? "Set up" : "Sign in");
    setText(byId("sign-problem"), problem);
    (byId("sign-name").value ? byId("sign-password") : byId("sign-name")).focus();
  }

  submit() {
    const operator = byId("sign-name").value.trim();
    const password = byId("sign-password").value;
    const code = this.code || byId("sign-code").value.trim();
    const problem = !operator
      ? "Your name is missing."
      : !password
        ? "The password is missing."
        : this.setup && password !== byId("sign-again").value
          ? "The two passwords differ."
          : this.setup && !code
            ? "The code of the set-up link is missing."
            : "";
    setText(byId("sign-problem"), problem);
    if (problem) return;
    byId("sign-send").disabled = true;
    this.desk.enter(this.setup ? { setup: code, operator, password } : { operator, password });
  }

  entered() {
    byId("sign-password").value = byId("sign-again").value = "";
    if (this.setup) history.replaceState(null, "", "/ops");
    this.code = "";
    show(byId("sign"), false);
    show(byId("desk"), true);
  }
}
