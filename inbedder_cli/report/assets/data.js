"use strict";
// The data of the page, and small helpers. Texts only ever become text nodes.

const COLORS = 8;
const SHAPES = ["circle", "square", "triangle", "diamond"];
const WITHOUT_SPACES = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Khmer}\p{Script=Lao}]/u;

const byId = (id) => document.getElementById(id);

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function readData() {
  const element = byId("data");
  if (element.dataset.encoding === "json") return JSON.parse(element.textContent);
  const stream = new Blob([bytesOf(element.textContent)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** A swatch as in the tables: the color and the shape of a cluster, or gray. */
function swatch(cluster, place) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(space, "path");
  const shapes = {
    circle: "M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2z", square: "M2.5 2.5h11v11h-11z",
    triangle: "M8 2 14.5 13.5h-13z", diamond: "M8 1 15 8 8 15 1 8z",
  };
  const isGray = !cluster || cluster.outside;
  shape.setAttribute("d", shapes[isGray ? "circle" : SHAPES[Math.floor(place / COLORS) % SHAPES.length]]);
  svg.setAttribute("class", "swatch " + (isGray ? "gray" : "c" + (place % COLORS)));
  svg.append(shape);
  return svg;
}

const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** A pattern for the words of a query, in folded texts; whole words, but in scripts without spaces any place. */
function patterns(query) {
  const words = fold(query).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  return words.map((word) => (
    WITHOUT_SPACES.test(word) ? new RegExp(word, "u") : new RegExp(`(?<![\\p{L}\\p{N}])${word}(?![\\p{L}\\p{N}])`, "u")
  ));
}

/** Red, green and blue of a color such as #1f6fb5. */
const channels = (color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));

function mix(one, other, share) {
  const [from, to] = [channels(one), channels(other)];
  return "#" + from.map((value, i) => Math.round(value * (1 - share) + to[i] * share).toString(16).padStart(2, "0")).join("");
}

const count = (number) => number.toLocaleString("en-US");

function csvCell(value) {
  let text = value === null || value === undefined ? "" : String(value);
  // A spreadsheet would run such a cell as a formula.
  if (/^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) && !/^[-+]?[\d.,]+$/.test(text)) text = "'" + text;
  return /[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
