// Turns cells copied from a spreadsheet into the text of a seat plan.

const GAP = ".";
const LABEL = /^[A-Za-z0-9]{1,4}$/;

// Returns { layout, numbered }: the text, and how many cells had a number, as spreadsheets number seats. These become
// seats of the category `standard`. `codes` are the letters of all categories.
export function cellsToLayout(text, codes, standard) {
  const rows = text.replace(/(\r?\n)+$/, "").split(/\r?\n/).map((row) => row.split("\t").map((cell) => cell.trim()));
  const isLabelled = firstColumnHasLabels(rows, codes);
  let numbered = 0;
  const toCode = (cell) => {
    if (!cell || cell === GAP) return GAP;
    if (codes.has(cell)) return cell;
    if (/^\d+$/.test(cell)) {
      numbered += 1;
      return standard;
    }
    // Unknown; the server refuses it at its place.
    return [...cell][0];
  };
  const isRepeated = isLabelled && labelsAreRepeated(rows);
  const lines = rows.map((row) => {
    const label = isLabelled ? row[0] : "";
    const end = isRepeated && label ? lastFilled(row) : row.length;
    const cells = row.slice(isLabelled ? 1 : 0, end).map(toCode).join("");
    return cells.replaceAll(GAP, "") ? `${label} ${cells}`.trim() : "";
  });
  return { layout: lines.join("\n"), numbered };
}

// Labels differ from row to row, and not all of them are letters of categories.
function firstColumnHasLabels(rows, codes) {
  const first = rows.map(([cell]) => cell).filter((cell) => cell && cell !== GAP);
  const isUnique = new Set(first.map((cell) => cell.toUpperCase())).size === first.length;
  return isUnique && first.every((cell) => LABEL.test(cell)) && first.some((cell) => !codes.has(cell));
}

// Spreadsheets often have the label at both ends of each row.
function labelsAreRepeated(rows) {
  const labelled = rows.filter(([label]) => label);
  return labelled.length > 1 && labelled.every((row) => lastFilled(row) > 0 && row[lastFilled(row)] === row[0]);
}

const lastFilled = (row) => row.findLastIndex((cell) => cell !== "");
