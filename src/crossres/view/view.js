"use strict";
/* The map: two layers side by side, any others on top, and the values under the pointer. */
const part = (name) => document.querySelector(`[data-part="${name}"]`);
const element = (name, text = "", attributes = {}) => Object.assign(document.createElement(name), { textContent: text, ...attributes });
const places = { number: 0, names: [] };
let map, place, shown = {}, cut = 50;

async function ask(path) {
  const answer = await fetch(path), content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

const say = (text) => { part("status").textContent = text; };
const label = (layer) => (layer.group ? `${layer.group}: ${layer.name}` : layer.name) + (layer.resolution && place.metres ? `, ${Number(layer.resolution.toPrecision(3))} m` : "");

/* The place's own grid: a unit of it is a unit of its CRS, y up. */
const crsOf = ({ bounds: [left, , , top], resolution, zoom }) => L.extend({}, L.CRS.Simple, {
  transformation: new L.Transformation(1, -left, -1, top),
  scale: (z) => 2 ** (z - zoom) / resolution,
  zoom: (scale) => zoom + Math.log2(scale * resolution),
});
const box = ([left, bottom, right, top]) => L.latLngBounds([[bottom, left], [top, right]]);

function tiles(number, pane) {
  const composite = part("composite").value;
  const layer = L.tileLayer(`places/${places.number}/${number}/${composite}/{z}/{x}/{y}.png`, {
    pane, bounds: box(place.layers[number].bounds), minZoom: -4, maxZoom: place.zoom + 5, minNativeZoom: 0, maxNativeZoom: place.zoom,
  });
  return layer.on("tileerror", () => say("A tile could not be read; the terminal says why.")).addTo(map);
}

/* Show what the table has chosen; layers that stay are left as they are. */
function draw() {
  const wanted = {};
  for (const side of ["left", "right"]) {
    const number = Number(document.querySelector(`input[name="${side}"]:checked`).value);
    wanted[`${side} ${number} ${part("composite").value}`] = [number, side];
    part(`${side}-tag`).textContent = label(place.layers[number]);
  }
  for (const box of document.querySelectorAll('input[name="over"]:checked')) wanted[`over ${box.value} ${part("composite").value}`] = [Number(box.value), "over"];
  for (const key of Object.keys(shown)) if (!(key in wanted)) { shown[key].remove(); delete shown[key]; }
  for (const [key, chosen] of Object.entries(wanted)) shown[key] ??= tiles(...chosen);
  const over = Object.values(wanted).some(([, pane]) => pane === "over");
  part("strength-row").hidden = !over;
  part("key").hidden = !Object.values(wanted).some(([number]) => place.layers[number].kind === "doubt");
  map.getPane("over").style.opacity = part("strength").value / 100;
}

function clip() {
  const size = map.getSize(), from = map.containerPointToLayerPoint([0, 0]), x = (size.x * cut) / 100;
  const between = (a, b) => `polygon(${[[a, 0], [b, 0], [b, size.y], [a, size.y]].map(([u, v]) => `${from.x + u}px ${from.y + v}px`).join()})`;
  map.getPane("left").style.clipPath = between(0, x);
  map.getPane("right").style.clipPath = between(x, size.x);
  part("line").style.left = `${cut}%`;
}

function table() {
  part("head").replaceChildren(...["left", "right", "on top"].map((text) => element("th", text, { className: "choice", scope: "col" })), element("th", "layer", { scope: "col" }), ...place.bands.map((band) => element("th", band, { scope: "col" })));
  const bodies = [];
  place.layers.forEach((layer, number) => {
    if (!number || layer.group !== place.layers[number - 1].group) {
      const body = bodies[bodies.push(element("tbody")) - 1];
      if (layer.group) body.insertRow().append(element("th", layer.group, { colSpan: 4 + place.bands.length, scope: "rowgroup" })), body.rows[0].className = "group";
    }
    const row = bodies.at(-1).insertRow();
    for (const [name, type] of [["left", "radio"], ["right", "radio"], ["over", "checkbox"]]) {
      const cell = row.insertCell(), input = element("input", "", { type, name, value: number });
      cell.className = "choice";
      input.setAttribute("aria-label", `${label(layer)}: ${name === "over" ? "on top" : name}`);
      cell.append(input);
    }
    row.append(element("th", layer.group ? layer.name : label(layer), { scope: "row" }));
    const own = layer.bands.join() === place.bands.join();
    row.dataset.own = own;
    for (const _ of own ? place.bands : [0]) row.append(element("td", "", own ? {} : { colSpan: place.bands.length, className: "parts" }));
    row.dataset.layer = number;
  });
  document.querySelectorAll("tbody").forEach((body) => body.remove());
  document.querySelector("table").append(...bodies);
  const first = (wanted) => place.layers.findIndex(wanted);
  const image = Math.max(0, first((layer) => layer.kind === "image"));
  const right = [first((l) => l.name === "mean"), first((l) => l.name === "HR"), first((l) => l.kind === "image" && l !== place.layers[image])].find((n) => n >= 0) ?? image;
  document.querySelector(`input[name="left"][value="${image}"]`).checked = true;
  document.querySelector(`input[name="right"][value="${right}"]`).checked = true;
}

const degrees = (value, [plus, minus]) => `${Math.abs(value).toFixed(6)}° ${value < 0 ? minus : plus}`;
const figure = (value) => (value === null ? "–" : Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(4));
const inquiry = { busy: false, next: null };

/* Ask for the values at a point; while an answer is awaited, only the last point is kept. */
async function look(at) {
  inquiry.next = at;
  if (inquiry.busy) return;
  inquiry.busy = true;
  while (inquiry.next) {
    const { x, y, of } = inquiry.next;
    inquiry.next = null;
    try {
      const found = await ask(`places/${of}/values.json?x=${x}&y=${y}`);
      if (of === places.number) tell(x, y, found);
    } catch (error) { say(error.message); }
  }
  inquiry.busy = false;
}

function tell(x, y, { lonLat, values }) {
  const grid = place.degrees ? "" : `\nx ${x.toFixed(1)}, y ${y.toFixed(1)} in ${place.crs}`;
  const [left, , , top] = place.bounds, pixel = [(top - y) / place.resolution, (x - left) / place.resolution].map(Math.floor);
  part("where").textContent = `${lonLat ? `${degrees(lonLat[1], "NS")}, ${degrees(lonLat[0], "EW")}` : "outside the CRS"}${grid}\nrow ${pixel[0]}, column ${pixel[1]} of the finest layer`;
  for (const row of document.querySelectorAll("tr[data-layer]")) {
    const found = values[row.dataset.layer], bands = place.layers[row.dataset.layer].bands, cells = row.querySelectorAll("td:not(.choice)");
    if (row.dataset.own === "true") found.forEach((value, i) => { cells[i].textContent = figure(value); });
    else cells[0].textContent = found.map((value, i) => `${bands[i]} ${figure(value)}`).join(", ");
  }
}

async function open(number) {
  say(`Reading ${places.names[number]} …`);
  const opened = await ask(`places/${number}.json`);
  map?.remove();
  [place, shown, places.number] = [opened, {}, number];
  part("composite").replaceChildren(...Object.entries(place.composites).map(([value, text]) => element("option", text, { value })));
  part("top").textContent = `${place.doubtHigh.toFixed(4)}${place.doubtHigh < 1 ? " reflectance" : ""}`;
  table();
  map = L.map("map", { crs: crsOf(place), attributionControl: false, minZoom: -4, maxZoom: place.zoom + 5 });
  for (const [name, zIndex] of [["left", 300], ["right", 310], ["over", 320]]) map.createPane(name).style.zIndex = zIndex;
  if (place.metres) L.control.scale({ imperial: false }).addTo(map);
  map.fitBounds(box(place.bounds));
  map.on("move zoom resize", clip).on("mousemove", ({ latlng }) => look({ x: latlng.lng, y: latlng.lat, of: places.number }));
  clip();
  draw();
  say("");
}

const tried = (work) => work.catch((error) => say(error.message));
part("place").addEventListener("change", () => tried(open(part("place").selectedIndex)));
part("composite").addEventListener("change", draw);
part("strength").addEventListener("input", draw);
document.querySelector("table").addEventListener("change", draw);
part("cut").addEventListener("input", () => { cut = Number(part("cut").value); clip(); });
tried(ask("places.json").then((names) => {
  places.names = names;
  part("place").replaceChildren(...names.map((name) => element("option", name)));
  return open(0);
}));
