// Automatic (as the device says), dark, or sunlight: black on white with strong edges, to be read outdoors.

import { recall, remember } from "./store.js";

const LOOKS = { auto: "automatic", dark: "dark", sun: "sunlight" };

export function startLook() {
  apply(recall("look", "auto"));
  document.querySelectorAll("[data-theme-toggle]").forEach((button) =>
    button.addEventListener("click", () => {
      const names = Object.keys(LOOKS);
      apply(names[(names.indexOf(document.documentElement.dataset.look) + 1) % names.length]);
    }),
  );
}

function apply(look) {
  const name = look in LOOKS ? look : "auto";
  document.documentElement.dataset.look = name;
  remember("look", name);
  document.querySelectorAll("[data-theme-name]").forEach((each) => (each.textContent = LOOKS[name]));
  const bright = name === "sun" || (name === "auto" && matchMedia("(prefers-color-scheme: light)").matches);
  document.querySelector('meta[name="theme-color"]').setAttribute("content", bright ? "#ffffff" : "#14142b");
}
