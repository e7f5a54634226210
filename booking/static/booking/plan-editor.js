// The editor of a screen's seat plan: draws the hall of the text while staff type, and writes into the text what they
// click in the drawing. The server reads the text and says what is wrong with it.

import { Grid, rowsOf } from "./hall-grid.js";
import { ask } from "./request.js";
import { cellsToLayout } from "./spreadsheet.js";

const PAUSE_MS = 200;
const MAX_STEPS = 500;
const GAP = ".";
// More than the cells of a row: tells the cells of different lines apart.
const LINE = 1000;

const find = (id) => document.getElementById(id);
const editor = find("plan-editor");
const area = editor.querySelector("textarea");
const categories = new Map(
  [...editor.querySelectorAll("[data-code]")].map((entry) => [entry.dataset.code, { ...entry.dataset, entry }]),
);
const grid = new Grid(find("plan-grid"), (cell) => {
  grid.focus(cell);
  change(cell);
});

let cells = new Map(); // the drawn seats and gaps, each with its line and column in the text
let isMapped = false; // whether `cells` belong to the text
let error = null; // the last answer of the server, if it refused the text
let asked = null; // the text that was sent last
let following = null; // the promise of the requests that are going on
let steps = []; // earlier texts, to go back to
let last = area.value;

// --- The text ---------------------------------------------------------------------------------

// Stores the text before the last change as a step to go back to.
function remember() {
  if (area.value === last) return;
  steps = [...steps.slice(-MAX_STEPS), last];
  last = area.value;
  find("plan-undo").disabled = false;
}

function write(text) {
  remember();
  const top = area.scrollTop;
  area.value = text;
  area.scrollTop = top;
  remember();
  follow();
}

function undo() {
  remember();
  if (!steps.length) return;
  last = area.value = steps.pop();
  find("plan-undo").disabled = !steps.length;
  isMapped = false;
  follow();
}

area.addEventListener("input", () => {
  isMapped = false;
  follow();
});

// Cells of a spreadsheet come as text with tabs between them.
area.addEventListener("paste", (event) => {
  const text = event.clipboardData.getData("text/plain");
  if (!text.includes("\t")) return;
  event.preventDefault();
  const { layout, numbered } = cellsToLayout(text, new Set(categories.keys()), standard());
  // Unlike a new value, this can be undone with the browser's own keys.
  if (!document.execCommand("insertText", false, layout)) area.setRangeText(layout);
  const rows = layout.split("\n").length;
  const seats = numbered ? ` ${numbered} cells with a number became seats of ${categories.get(standard()).name}.` : "";
  say(`Pasted ${rows} ${rows === 1 ? "row" : "rows"}.${seats}`);
});

const standard = () => find("plan-category").value;

// --- Requests ---------------------------------------------------------------------------------

// Has the text drawn, again and again until it is up to date, with pauses.
function follow() {
  drawLines();
  following ??= catchUp().finally(() => {
    following = null;
  });
  return following;
}

async function catchUp() {
  while (asked !== area.value) {
    asked = area.value;
    remember();
    try {
      const answer = await draw(asked);
      if (asked === area.value) show(answer);
    } catch (failure) {
      showError({ detail: failure.message });
    }
    await new Promise((resolve) => {
      setTimeout(resolve, PAUSE_MS);
    });
  }
}

function draw(layout) {
  const csrf = area.form.querySelector("[name=csrfmiddlewaretoken]").value;
  return ask(editor.dataset.draw, { method: "POST", body: new URLSearchParams({ layout }), headers: { "X-CSRFToken": csrf } });
}

// --- Drawing ----------------------------------------------------------------------------------

function show(answer) {
  const isEmpty = !area.value.trim();
  showError(answer.ok || isEmpty ? null : answer);
  if (answer.ok) {
    const rows = withGaps(answer);
    cells = new Map(rows.flatMap((row) => row.seats.map((cell) => [cell.number, cell])));
    grid.build(rows);
    grid.draw((cell) => ({ state: cells.get(cell).code ? "free" : "gap", title: title(cell) }));
    isMapped = true;
  }
  if (answer.ok || isEmpty) count(answer.ok ? answer : { total_seats: 0, rows: [] });
  find("plan-hall").hidden = isEmpty || !cells.size;
}

function title(number) {
  const { label, category } = cells.get(number);
  return `${label}, ${category}`;
}

// Returns the rows of the drawing with their gaps, which can be clicked like seats. Gaps left of all rows are drawn,
// too, so that nothing moves while the text is edited.
function withGaps(hall) {
  const drawn = rowsOf(hall);
  const width = hall.margin + Math.max(...drawn.map((row) => row.seats.at(-1).x)) + 1;
  return drawn.map((row, index) => {
    const { line, column } = hall.rows[index];
    const offsets = new Map(row.seats.map((seat) => [seat.x + hall.margin, seat]));
    const rowCells = Array.from({ length: width }, (_, offset) => {
      const at = { number: line * LINE + offset, line, column: column + offset, x: offset, gap: 0 };
      const seat = offsets.get(offset);
      if (!seat) return { ...at, label: `Row ${row.label}, column ${offset + 1}`, category: "gap", text: "", colour: "" };
      return { ...seat, ...at, category: categories.get(seat.code).name };
    });
    return { ...row, seats: rowCells };
  });
}

function count(hall) {
  const counts = new Map();
  for (const { category } of hall.rows.flatMap((row) => row.seats)) counts.set(category, (counts.get(category) ?? 0) + 1);
  for (const [code, { entry }] of categories) {
    entry.querySelector("[data-count]").textContent = counts.get(code) ?? 0;
    entry.classList.toggle("is-unused", !counts.has(code));
  }
  const [seats, rows] = [hall.total_seats, hall.rows.length];
  find("plan-total").textContent = seats
    ? `${seats} ${seats === 1 ? "seat" : "seats"} in ${rows} ${rows === 1 ? "row" : "rows"}`
    : "Type the rows, paste cells from a spreadsheet, or start with full rows.";
}

// Screen readers read live texts aloud, so that only what changes is written.
function say(text, element = find("plan-says")) {
  if (element.textContent !== text) element.textContent = text;
}

// --- Errors -----------------------------------------------------------------------------------

function showError(answer) {
  error = answer;
  say(error?.detail ?? "", find("plan-message"));
  find("plan-error").classList.toggle("is-refused", Boolean(error));
  editor.classList.toggle("is-old", Boolean(error));
  area.setAttribute("aria-invalid", String(Boolean(error)));
  const button = find("plan-show");
  button.hidden = !error?.line;
  button.textContent = `Go to line ${error?.line}`;
  drawLines();
}

// Numbers the lines, and marks the one with the error.
function drawLines() {
  const numbers = area.value.split("\n").map((_, index) => {
    const number = document.createElement("span");
    number.textContent = index + 1;
    if (index + 1 === error?.line) number.className = "is-refused";
    return number;
  });
  find("plan-lines").replaceChildren(...numbers);
  find("plan-lines").scrollTop = area.scrollTop;
}

area.addEventListener("scroll", () => {
  find("plan-lines").scrollTop = area.scrollTop;
});

find("plan-show").addEventListener("click", () => {
  const lines = area.value.split("\n");
  const start = lines.slice(0, error.line - 1).join("\n").length + (error.line > 1 ? 1 : 0) + error.column - 1;
  area.focus();
  area.setSelectionRange(start, start + 1);
});

// --- Changing the drawing -----------------------------------------------------------------------

// Changes a seat or gap to the code, or to the one that follows.
async function change(number, code) {
  if (!isMapped) await follow();
  if (!isMapped || !cells.has(number)) {
    say("Correct the text first.");
    return;
  }
  const { line, column, label } = cells.get(number);
  const lines = area.value.split("\n");
  const text = lines[line - 1].trimEnd().padEnd(column, GAP);
  const codes = [...categories.keys(), GAP];
  const next = code ?? codes[(codes.indexOf(text[column - 1]) + 1) % codes.length];
  lines[line - 1] = text.slice(0, column - 1) + next + text.slice(column);
  write(lines.join("\n"));
  say(`${label.replace(/,.*/, "")}: ${next === GAP ? "gap" : categories.get(next).name}.`);
}

find("plan-grid").addEventListener("keydown", (event) => {
  const cell = Number(event.target.dataset.seat);
  if ((event.ctrlKey || event.metaKey) && event.key === "z") undo();
  else if (event.ctrlKey || event.metaKey || event.altKey) return;
  else if (categories.has(event.key)) change(cell, event.key);
  else if ([GAP, "Delete", "Backspace"].includes(event.key)) change(cell, GAP);
  else return;
  event.preventDefault();
});

find("plan-undo").addEventListener("click", undo);

// --- Full rows --------------------------------------------------------------------------------

async function fill() {
  const [rows, seats] = [find("plan-rows"), find("plan-seats")].map((input) => input.valueAsNumber);
  if (!(rows >= 1 && seats >= 1)) {
    say("Enter the number of rows and of seats in each.");
    return;
  }
  if (area.value.trim() && !confirm(`Replace the text by ${rows} rows of ${seats} seats?`)) return;
  try {
    const answer = await draw(Array(rows).fill(standard().repeat(seats)).join("\n"));
    if (answer.ok) {
      isMapped = false;
      write(answer.layout);
    }
    say(answer.ok ? "" : answer.detail.replace(/^.*?: /, ""));
  } catch (failure) {
    say(failure.message);
  }
}

find("plan-fill").addEventListener("click", fill);
for (const input of [find("plan-rows"), find("plan-seats")]) {
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    // Enter would save the screen.
    event.preventDefault();
    fill();
  });
}

// --- Start ------------------------------------------------------------------------------------

for (const element of editor.querySelectorAll("[data-needs-script]")) element.hidden = false;
for (const { entry, colour } of categories.values()) entry.style.setProperty("--seat-colour", colour);
area.setAttribute("aria-describedby", `${area.getAttribute("aria-describedby") ?? ""} plan-message`.trim());
follow();
