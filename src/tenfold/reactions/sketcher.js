// A small editor for drawing molecules: an SVG canvas whose value is a Molfile (V2000), so that RDKit reads what was drawn.
// It runs as `js_on_load` of a gr.HTML, which hands it `element`, `props`, `trigger` and `watch`.

const LENGTH = 40, REACH = 15, WIDTH = 520, HEIGHT = 300, MOST_ATOMS = 200;
const VALENCE = { C: 4, N: 3, O: 2, S: 2, F: 1, Cl: 1, Br: 1, I: 1, P: 3, B: 3 };
const RINGS = { ring5: 5, ring6: 6, benzene: 6 };
const KEYS = { c: "C", n: "N", o: "O", s: "S", f: "F", l: "Cl", r: "Br", i: "I", p: "P", b: "B" };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CHARGES = { plus: 1, minus: -1 };
const PROPERTIES = { CHG: "charge", ISO: "isotope", RAD: "radical" };

const canvas = element.querySelector("svg"), spoken = element.querySelector("[aria-live]");
let atoms = [], bonds = [], past = [];
let tool = "C", newSymbol = "C", selected = -1, press = null;

// ---- geometry

const distance = (p, q) => Math.hypot(p.x - q.x, p.y - q.y);
const towards = (p, angle, length) => ({ x: p.x + length * Math.cos(angle), y: p.y + length * Math.sin(angle) });
const angleOf = (p, q) => Math.atan2(q.y - p.y, q.x - p.x);
const apart = (a, b) => Math.abs(Math.atan2(Math.sin(a - b), Math.cos(a - b)));
const middle = (bond) => ({ x: (atoms[bond.a].x + atoms[bond.b].x) / 2, y: (atoms[bond.a].y + atoms[bond.b].y) / 2 });

function nearestAtom(point, reach = REACH) {
  let best = -1;
  atoms.forEach((atom, i) => {
    if (distance(atom, point) < (best < 0 ? reach : distance(atoms[best], point))) best = i;
  });
  return best;
}

function nearestBond(point) {
  return bonds.findIndex(({ a, b }) => {
    const p = atoms[a], q = atoms[b], length = distance(p, q) || 1;
    const along = ((point.x - p.x) * (q.x - p.x) + (point.y - p.y) * (q.y - p.y)) / length;
    const beside = ((point.x - p.x) * (q.y - p.y) - (point.y - p.y) * (q.x - p.x)) / length;
    return along > 0 && along < length && Math.abs(beside) < 9;
  });
}

function neighbours(i) {
  return bonds.filter((bond) => bond.a === i || bond.b === i).map((bond) => (bond.a === i ? bond.b : bond.a));
}

/** The direction in which an atom has most room for a new bond: a zigzag behind a single neighbour. */
function freeAngle(i) {
  const taken = neighbours(i).map((j) => angleOf(atoms[i], atoms[j]));
  if (!taken.length) return -Math.PI / 6;
  const steps = taken.length === 1 ? [2, -2] : [...Array(12).keys()].map((k) => k / 2);
  const room = (angle) => Math.min(
    ...taken.map((other) => apart(angle, other)),
    ...atoms.filter((_, j) => j !== i).map((atom) => distance(atom, towards(atoms[i], angle, LENGTH)) / LENGTH)
  );
  return steps.map((k) => taken[0] + (k * Math.PI) / 3).reduce((best, angle) => (room(angle) > room(best) + 1e-6 ? angle : best));
}

// ---- edits

function edit(change) {
  past.push(JSON.stringify({ atoms, bonds }));
  if (past.length > 100) past.shift();
  change();
  publish();
}

function addAtom(point, symbol = newSymbol) {
  if (atoms.length >= MOST_ATOMS) return -1;
  return atoms.push({ x: point.x, y: point.y, symbol, charge: 0, isotope: 0, radical: 0, valence: 0 }) - 1;
}

const setSymbol = (atom, symbol) => Object.assign(atom, { symbol, isotope: 0, radical: 0, valence: 0 });

function join(a, b, order = 1) {
  if (a < 0 || b < 0 || a === b || bonds.some((bond) => (bond.a === a && bond.b === b) || (bond.a === b && bond.b === a))) return;
  bonds.push({ a, b, order, stereo: 0 });
}

function remove(i) {
  atoms.splice(i, 1);
  bonds = bonds.filter((bond) => bond.a !== i && bond.b !== i);
  for (const bond of bonds) for (const end of ["a", "b"]) if (bond[end] > i) bond[end] -= 1;
  selected = Math.min(selected, atoms.length - 1);
}

function cycleOrder(bond) {
  bond.order = (bond.order % 3) + 1;
  bond.stereo = 0;
}

/** Plain, wedge from one end, dashes from that end, and the same from the other. */
function cycleStereo(bond) {
  if (bond.stereo === 6) [bond.a, bond.b] = [bond.b, bond.a];
  bond.stereo = bond.stereo === 0 ? 1 : bond.stereo === 1 ? 6 : 0;
  bond.order = 1;
}

/** A ring whose first side is from `first` to `second`, its other corners on the left of it or on the right. */
function ringCorners(first, second, size, left) {
  const corners = [first, second], turn = ((left ? -1 : 1) * 2 * Math.PI) / size;
  for (let k = 2; k < size; k += 1) {
    const [p, q] = corners.slice(-2);
    corners.push(towards(q, angleOf(p, q) + turn, distance(first, second)));
  }
  return corners;
}

/** A ring on a bond, as part of a chain's end, bonded to a crowded atom, or by itself. */
function addRing(name, point) {
  const size = RINGS[name], i = nearestAtom(point), bond = i < 0 ? bonds[nearestBond(point)] : undefined;
  let corners;
  if (bond) {
    const sides = [true, false].map((left) => ringCorners(atoms[bond.a], atoms[bond.b], size, left));
    const crowd = (ring) => ring.slice(2).filter((corner) => nearestAtom(corner, LENGTH / 2) >= 0).length;
    corners = crowd(sides[0]) <= crowd(sides[1]) ? sides[0] : sides[1];
  } else {
    const alone = { x: point.x - LENGTH / 2, y: point.y + LENGTH }, isCrowded = i >= 0 && neighbours(i).length > 1;
    const start = i < 0 ? alone : isCrowded ? towards(atoms[i], freeAngle(i), LENGTH) : atoms[i];
    const inner = Math.PI * (0.5 - 1 / size), out = i >= 0 ? freeAngle(i) - inner : 0;
    corners = ringCorners(start, towards(start, out, LENGTH), size, i < 0);
  }
  if (atoms.length + size > MOST_ATOMS) return;
  const ring = corners.map((corner) => {
    const there = nearestAtom(corner, LENGTH / 4);
    return there >= 0 ? there : addAtom(corner, "C");
  });
  join(i, ring[0]);
  ring.forEach((atom, k) => join(atom, ring[(k + 1) % size], name === "benzene" && k % 2 === 0 ? 2 : 1));
}

/** Do what the chosen tool does at a place; a press without a drag. */
function apply(point) {
  const i = nearestAtom(point), bond = i < 0 ? bonds[nearestBond(point)] : undefined;
  if (tool in RINGS) return addRing(tool, point);
  if (tool in CHARGES && i >= 0) atoms[i].charge = Math.max(-3, Math.min(3, atoms[i].charge + CHARGES[tool]));
  else if (tool === "erase" && i >= 0) remove(i);
  else if (tool === "erase" && bond) bonds.splice(bonds.indexOf(bond), 1);
  else if (tool === "wedge" && bond) cycleStereo(bond);
  else if (tool in VALENCE && bond) cycleOrder(bond);
  else if (tool in VALENCE && i >= 0) setSymbol(atoms[i], tool);
  else if (tool in VALENCE) selected = addAtom(point);
}

/** A new atom behind another. */
function grow(i, point = towards(atoms[i], freeAngle(i), LENGTH)) {
  const there = nearestAtom(point), j = there >= 0 ? there : addAtom(point);
  join(i, j);
  return j;
}

// ---- Molfile (V2000)

function molfile() {
  if (!atoms.length) return "";
  const pad = (value, width) => String(value).padStart(width), number = (value) => pad(value.toFixed(4), 10);
  const property = ([tag, key]) => atoms.flatMap((a, i) => (a[key] ? [`M  ${tag}  1${pad(i + 1, 4)}${pad(a[key], 4)}`] : []));
  const place = (a) => `${number(a.x / LENGTH)}${number(-a.y / LENGTH)}${number(0)}`;
  return [
    "", "  tenfold", "", `${pad(atoms.length, 3)}${pad(bonds.length, 3)}  0  0  0  0  0  0  0  0999 V2000`,
    ...atoms.map((a) => `${place(a)} ${a.symbol.padEnd(3)} 0  0  0  0  0${pad(a.valence, 3)}`),
    ...bonds.map((bond) => `${pad(bond.a + 1, 3)}${pad(bond.b + 1, 3)}${pad(bond.order, 3)}${pad(bond.stereo, 3)}`),
    ...Object.entries(PROPERTIES).flatMap(property), "M  END", "",
  ].join("\n");
}

/** Show a Molfile, scaled to our bonds, in the middle of the canvas. */
function read(text) {
  const lines = text.split("\n"), field = (line, from, to) => Number(line.slice(from, to));
  const [count, ties] = [field(lines[3] || "", 0, 3), field(lines[3] || "", 3, 6)];
  atoms = lines.slice(4, 4 + count).map((line) => ({
    x: field(line, 0, 10), y: -field(line, 10, 20), symbol: line.slice(31, 34).replace(/[^A-Za-z]/g, ""),
    charge: 0, isotope: 0, radical: 0, valence: field(line, 48, 51),
  }));
  bonds = lines.slice(4 + count, 4 + count + ties).map((line) => ({
    a: field(line, 0, 3) - 1, b: field(line, 3, 6) - 1, order: field(line, 6, 9), stereo: field(line, 9, 12),
  }));
  for (const line of lines.filter((one) => one.startsWith("M  ") && one.slice(3, 6) in PROPERTIES)) {
    const values = line.slice(9).trim().split(/\s+/).map(Number);
    for (let k = 0; k + 1 < values.length; k += 2) atoms[values[k] - 1][PROPERTIES[line.slice(3, 6)]] = values[k + 1];
  }
  const bond = bonds.length ? bonds.reduce((sum, { a, b }) => sum + distance(atoms[a], atoms[b]), 0) / bonds.length : 1;
  const centre = (key) => (Math.min(...atoms.map((a) => a[key])) + Math.max(...atoms.map((a) => a[key]))) / 2;
  const [x, y] = [centre("x"), centre("y")];
  for (const atom of atoms) {
    atom.x = WIDTH / 2 + ((atom.x - x) * LENGTH) / bond;
    atom.y = HEIGHT / 2 + ((atom.y - y) * LENGTH) / bond;
  }
}

// ---- drawing

function label(atom, i) {
  const used = bonds.filter((bond) => bond.a === i || bond.b === i).reduce((sum, bond) => sum + bond.order, 0);
  if (atom.symbol === "C" && !atom.charge && !atom.isotope && used) return "";
  const shift = atom.symbol === "C" ? -Math.abs(atom.charge) : atom.symbol === "B" ? -atom.charge : atom.charge;
  const hydrogens = atom.symbol in VALENCE && !atom.valence ? Math.max(0, VALENCE[atom.symbol] + shift - used) : 0;
  const amount = Math.abs(atom.charge) > 1 ? Math.abs(atom.charge) : "";
  const charge = atom.charge ? `<tspan class="up" dy="-5">${amount}${atom.charge > 0 ? "+" : "−"}</tspan>` : "";
  const count = hydrogens > 1 ? `<tspan class="down" dy="4">${hydrogens}</tspan>` : "";
  const after = hydrogens ? `<tspan>H</tspan>${count}` : "";
  const mass = atom.isotope ? `<tspan class="up" dy="-5">${atom.isotope}</tspan><tspan dy="5"></tspan>` : "";
  return `${mass}<tspan>${atom.symbol}</tspan>${after}${count && charge ? charge.replace("-5", "-9") : charge}`;
}

function line(p, q, shift = 0, style = "") {
  const angle = angleOf(p, q) + Math.PI / 2, from = towards(p, angle, shift), to = towards(q, angle, shift);
  return `<line class="${style}" x1="${from.x}" y1="${from.y}" x2="${to.x}" y2="${to.y}"/>`;
}

function bondMarkup({ a, b, order, stereo }) {
  const p = atoms[a], q = atoms[b], across = angleOf(p, q) + Math.PI / 2;
  const ends = [p, towards(q, across, 5), towards(q, across, -5)].map(({ x, y }) => `${x},${y}`).join(" ");
  if (stereo === 1) return `<polygon class="wedge" points="${ends}"/>`;
  if (stereo === 6) return line(p, q, 0, "dashes");
  return { 1: [0], 2: [-2.5, 2.5], 3: [-4, 0, 4] }[order].map((shift) => line(p, q, shift)).join("");
}

function atomMarkup(atom, i) {
  const text = label(atom, i), ring = i === selected ? `<circle class="selected" cx="${atom.x}" cy="${atom.y}" r="${REACH - 2}"/>` : "";
  const disc = text ? `<circle class="disc" cx="${atom.x}" cy="${atom.y}" r="9"/>` : `<circle class="corner" cx="${atom.x}" cy="${atom.y}" r="2"/>`;
  return `${ring}${disc}<text x="${atom.x - 5}" y="${atom.y + 5}">${text}</text>`;
}

function render() {
  const far = (key, size) => [Math.min(0, ...atoms.map((a) => a[key] - 25)), Math.max(size, ...atoms.map((a) => a[key] + 35))];
  const [left, right] = far("x", WIDTH), [top, bottom] = far("y", HEIGHT);
  canvas.setAttribute("viewBox", `${left} ${top} ${right - left} ${bottom - top}`);
  const drag = press?.to ? line(press.from, press.to, 0, "drag") : "";
  canvas.innerHTML = bonds.map(bondMarkup).join("") + drag + atoms.map(atomMarkup).join("");
  element.querySelector(".hint").hidden = atoms.length > 0;
  for (const button of element.querySelectorAll("[data-tool]")) button.setAttribute("aria-pressed", button.dataset.tool === tool);
}

function publish() {
  render();
  props.value = molfile();
}

function select(i) {
  selected = i;
  const atom = atoms[i];
  if (atom) spoken.textContent = `${atom.symbol}, atom ${i + 1} of ${atoms.length}, ${neighbours(i).length} bonds`;
  render();
}

// ---- pointer

function placeOf(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(canvas.getScreenCTM().inverse());
  return { x: point.x, y: point.y };
}

/** Where a drag ends: on an atom, or a bond's length away at a multiple of 30 degrees. */
function dragEnd(point) {
  const there = nearestAtom(point);
  if (there >= 0) return atoms[there];
  const step = Math.PI / 6;
  return towards(press.from, Math.round(angleOf(press.from, point) / step) * step, LENGTH);
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  const point = placeOf(event), i = nearestAtom(point);
  press = { point, atom: i, from: i >= 0 ? atoms[i] : point, to: null };
});

canvas.addEventListener("pointermove", (event) => {
  if (!press || !(tool in VALENCE)) return;
  const point = placeOf(event);
  press.to = distance(point, press.point) > REACH ? dragEnd(point) : null;
  render();
});

canvas.addEventListener("pointerup", () => {
  if (!press) return;
  const { point, atom, from, to } = press;
  press = null;
  edit(() => {
    if (to) selected = grow(atom >= 0 ? atom : addAtom(from), to);
    else apply(point);
  });
});

canvas.addEventListener("pointercancel", () => { press = null; render(); });

// ---- keys and buttons

function undo() {
  if (!past.length) return;
  ({ atoms, bonds } = JSON.parse(past.pop()));
  selected = Math.min(selected, atoms.length - 1);
  publish();
}

function nextIn([dx, dy]) {
  const from = atoms[selected] ?? { x: WIDTH / 2, y: HEIGHT / 2 };
  const cost = (p) => { const ahead = (p.x - from.x) * dx + (p.y - from.y) * dy; return ahead > 1 ? 2 * distance(p, from) - ahead : Infinity; };
  const best = atoms.reduce((found, atom, i) => (cost(atom) < (found < 0 ? Infinity : cost(atoms[found])) ? i : found), -1);
  return best >= 0 ? best : selected >= 0 ? selected : atoms.length - 1;
}

/** Whether a key without a modifier was for us; edits concern the selected atom. */
function typed(key) {
  const atom = atoms[selected], last = bonds.filter((bond) => bond.a === selected || bond.b === selected).at(-1);
  const symbol = KEYS[key.toLowerCase()];
  if (key in ARROWS) select(nextIn(ARROWS[key]));
  else if (symbol) { choose(symbol); if (atom) edit(() => setSymbol(atom, symbol)); }
  else if (key === "Enter" || key === " ") edit(() => { if (atom) apply(atom); else selected = addAtom({ x: WIDTH / 2, y: HEIGHT / 2 }); });
  else if (key === "a" && atom) { edit(() => { selected = grow(selected); }); select(selected); }
  else if ("123".includes(key) && last) edit(() => { last.order = Number(key); last.stereo = 0; });
  else if ("+-".includes(key) && atom) edit(() => { atom.charge = Math.max(-3, Math.min(3, atom.charge + (key === "+" ? 1 : -1))); });
  else if ((key === "Delete" || key === "Backspace") && atom) edit(() => remove(selected));
  else return false;
  return true;
}

canvas.addEventListener("keydown", (event) => {
  const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
  if (isUndo) undo();
  if (isUndo || (!event.ctrlKey && !event.metaKey && !event.altKey && typed(event.key))) event.preventDefault();
});

function choose(name) {
  tool = name;
  if (name in VALENCE) newSymbol = name;
  render();
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { tool: name, act } = button.dataset;
  if (name) choose(name);
  if (act === "undo") undo();
  if (act === "clear") edit(() => { atoms = []; bonds = []; selected = -1; });
  if (act === "use") trigger("submit");
});

watch("value", () => {
  const text = props.value || "";
  if (text === molfile()) return;
  past.push(JSON.stringify({ atoms, bonds }));
  selected = -1;
  read(text);
  publish();
});

render();
