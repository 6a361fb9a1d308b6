"use strict";
// Draws what the display's process says, once a second. Text is only ever set as text.
const SILENT = 3500; // milliseconds without an event: the display's process is gone
const ROOM = 640; // characters times square of size that fill a screen, by trial at 800 x 480

const part = (id) => document.getElementById(id);
let words = {};
let warning = null; // what is drawn
let ends = 0; // when it ends, by this browser's own steady clock, should nobody say so
let heard = performance.now();

function clock(seconds) {
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function draw(lost) {
  document.body.className = `${warning ? warning.level : "idle"}${lost ? " lost" : ""}`;
  part("text").textContent = warning ? warning.text : words.idle || "";
  const size = Math.min(16, Math.sqrt(ROOM * 10 / Math.max(10, part("text").textContent.length)));
  part("text").style.setProperty("--size", `${size.toFixed(1)}vmin`);
  part("area").textContent = warning ? warning.area : "";
  part("exercise").hidden = !(warning && warning.exercise);
  part("exercise").textContent = words.exercise || "";
  part("left").textContent = warning ? `${words.left} ${clock(warning.left)}` : "";
  part("link").textContent = lost || "";
}

function take(view) {
  heard = performance.now();
  words = view.words;
  warning = view.warning;
  ends = warning ? heard + warning.left * 1000 : 0;
  part("place").textContent = view.place;
  draw(view.agent ? "" : words.no_agent);
  requestAnimationFrame(() => fetch("/drawn", {
    method: "POST", body: JSON.stringify({ life: view.life, number: view.number }),
  }).catch(() => {}));
}

function watch() {
  if (performance.now() - heard < SILENT) return;
  if (warning && performance.now() >= ends) warning = null;
  if (warning) warning.left = Math.ceil((ends - performance.now()) / 1000);
  draw(words.no_display || "…");
}

new EventSource("/events").onmessage = (event) => take(JSON.parse(event.data));
setInterval(watch, 1000);
