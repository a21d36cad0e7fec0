// The last minute as three lines, drawn by hand on a canvas: deliveries and messages a second, and people.

import { byId } from "/app/words.js";
import { figure } from "./lists.js";

const LINES = [
  ["deliveries", "Deliveries/s", "--h1"],
  ["messages", "Messages/s", "--h0"],
  ["online", "People", "--h2"],
];

export class Plot {
  constructor() {
    this.canvas = byId("plot");
    this.series = {};
    this.stale = true;
    new ResizeObserver(() => this.draw()).observe(this.canvas.parentElement);
  }

  take(series = {}) {
    this.series = series;
    this.draw();
    const said = LINES.map(([key, label]) => `${label} ${figure(series[key]?.at(-1))}`).join(", ");
    this.canvas.setAttribute("aria-label", `The last minute. Now: ${said}.`);
  }

  old(stale) {
    if (stale === this.stale) return;
    this.stale = stale;
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const width = canvas.parentElement.clientWidth;
    const height = 216;
    if (!width) return;
    const scale = devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const look = getComputedStyle(document.documentElement);
    const colour = (named) => look.getPropertyValue(named).trim();
    pen.font = "600 13px system-ui, sans-serif";
    const band = height / LINES.length;
    LINES.forEach(([key, label, hue], at) => {
      const values = (this.series[key] ?? []).filter(Number.isFinite).slice(-60);
      const top = at * band;
      const most = Math.max(1, ...values);
      const x = (n) => 8 + ((width - 16) * (n + 60 - values.length)) / 59;
      const y = (value) => top + band - 6 - ((band - 30) * value) / most;
      pen.strokeStyle = colour("--line");
      pen.lineWidth = 1;
      pen.strokeRect(0.5, top + 0.5, width - 1, band - 1);
      pen.fillStyle = colour("--ink-soft");
      pen.textAlign = "left";
      pen.fillText(label, 8, top + 18);
      pen.textAlign = "right";
      pen.fillStyle = this.stale ? colour("--ink-soft") : colour("--ink");
      pen.fillText(`${figure(values.at(-1))}  ·  most ${figure(most)}`, width - 8, top + 18);
      if (values.length < 2) return;
      pen.strokeStyle = this.stale ? colour("--ink-soft") : colour(hue);
      pen.lineWidth = 2;
      pen.lineJoin = "round";
      pen.beginPath();
      values.forEach((value, n) => (n ? pen.lineTo(x(n), y(value)) : pen.moveTo(x(n), y(value))));
      pen.stroke();
      pen.lineTo(x(values.length - 1), top + band - 2);
      pen.lineTo(x(0), top + band - 2);
      pen.globalAlpha = 0.14;
      pen.fillStyle = this.stale ? colour("--ink-soft") : colour(hue);
      pen.fill();
      pen.globalAlpha = 1;
    });
  }
}
