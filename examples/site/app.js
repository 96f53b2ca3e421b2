// Fills the table of limits from data.json, then asks the server that sent this page a few
// questions and writes what it saw into the list "This page, as served". Tests read that list.
"use strict";

const text = (element, value) => { element.textContent = value; return element; };
const make = (name, value) => text(document.createElement(name), value);

async function fillLimits() {
  const { limits } = await (await fetch("data.json")).json();
  const rows = limits.map(({ what, limit, then, why }) => {
    const row = document.createElement("tr");
    const head = make("th", what);
    head.scope = "row";
    row.append(head, make("td", limit), make("td", then), make("td", why));
    ["Limit", "Then", "Why"].forEach((label, i) => { row.cells[i + 1].dataset.label = label; });
    return row;
  });
  document.getElementById("limits").replaceChildren(...rows);
  return [rows.length > 0, `${rows.length} limits read`];
}

function seeStyle() {
  const display = getComputedStyle(document.getElementById("checks")).display;
  return [display === "grid", `list laid out as ${display}`];
}

async function seeImage(id) {
  const image = document.getElementById(id);
  await image.decode();
  return [image.naturalWidth > 0, `${image.naturalWidth} × ${image.naturalHeight}`];
}

async function seeRange() {
  const answer = await fetch("turns.png", { headers: { range: "bytes=1-3" }, cache: "no-store" });
  const bytes = await answer.text();
  return [answer.status === 206 && bytes === "PNG", `${answer.status}, ${answer.headers.get("content-range") || "whole file"}`];
}

async function seeRedirect() {
  const answer = await fetch("guide", { cache: "no-store" });
  const path = new URL(answer.url).pathname;
  return [answer.ok && answer.redirected && path.endsWith("/guide/"), `guide → ${path}`];
}

// What the browser has it asks for again with If-None-Match; a 304 costs a head and no body.
async function seeRevalidation() {
  await (await fetch("data.json", { cache: "no-cache" })).text();
  const file = performance.getEntriesByName(new URL("data.json", location).href).at(-1);
  const spared = file.encodedBodySize > 0 && file.transferSize < file.encodedBodySize;
  return [spared, spared ? "304, taken from the cache" : "sent again in full"];
}

function seeConnection() {
  const [page] = performance.getEntriesByType("navigation");
  const files = performance.getEntriesByType("resource");
  const reused = files.filter((file) => file.connectStart === file.connectEnd).length;
  return [page.nextHopProtocol === "http/1.1" && reused > 0, `${page.nextHopProtocol}, ${reused} of ${files.length} requests reused one`];
}

async function check(name, see) {
  const item = document.getElementById(`check-${name}`);
  let ok = false, said;
  try {
    [ok, said] = await see();
  } catch (error) {
    said = String(error);
  }
  item.dataset.state = ok ? "ok" : "bad";
  text(item.querySelector("output"), said);
  return ok;
}

async function main() {
  const results = [
    await check("data", fillLimits),
    await check("style", seeStyle),
    await check("png", () => seeImage("turns")),
    await check("svg", () => seeImage("logo")),
    await check("range", seeRange),
    await check("redirect", seeRedirect),
    await check("revalidation", seeRevalidation),
    await check("connection", seeConnection),
  ];
  const passed = results.filter(Boolean).length;
  text(document.getElementById("verdict"), `${passed} of ${results.length} as they should be`);
  document.documentElement.dataset.ready = "yes";
}

main();
