// Draws the seats of a hall by their positions, and moves the keyboard focus over them.

const SEAT_WIDTH_REM = 2.16; // .hall-seat with its margins
const ROW_GAP_REM = 1.2;

// Returns the rows of a seat plan, as /api/seat-plans/ describes it:
// [{ label, gap, seats: [{ number, label, text, x, code, category, colour, gap }] }], with gaps in seat widths or in rows.
export function rowsOf(plan) {
  const categories = new Map(plan.categories.map((category) => [category.code, category]));
  let y = -1;
  return plan.rows.map((row) => {
    let x = -1;
    const seats = row.seats.map((seat) => {
      const { name, colour } = categories.get(seat.category);
      // In a hall of one category, its name says nothing.
      const category = categories.size > 1 ? name : "";
      const drawn = { number: seat.seat_number, label: seat.label, x: seat.x, gap: seat.x - x - 1, category, colour };
      x = seat.x;
      return { ...drawn, code: seat.category, text: seat.label.slice(row.label.length).replace("-", "") };
    });
    const gap = row.seats[0].y - y - 1;
    y = row.seats[0].y;
    return { label: row.label, gap, seats };
  });
}

export class Grid {
  #element;
  #rows = [];
  #drawn = []; // by row, the line with its cells, and the text of the row that it shows
  #seats = new Map(); // by number, each with the index of its row and its cell
  #current = null; // the number of the seat with the keyboard focus

  // `choose` is called with the number of a clicked seat and the event.
  constructor(element, choose) {
    this.#element = element;
    element.addEventListener("click", (event) => {
      const cell = event.target.closest("[data-seat]");
      if (cell) choose(Number(cell.dataset.seat), event);
    });
    element.addEventListener("keydown", (event) => {
      const seat = this.#target(event);
      if (seat === undefined) return;
      event.preventDefault();
      this.focus(seat.number);
    });
  }

  // Draws the rows. Those that have not changed stay as they are.
  build(rows) {
    const hadFocus = this.#element.contains(document.activeElement);
    const before = this.#drawn;
    this.#rows = rows;
    this.#seats.clear();
    this.#drawn = rows.map((row, index) => {
      const text = JSON.stringify(row);
      return before[index]?.text === text ? before[index] : { text, ...newRow(row) };
    });
    this.#drawn.forEach(({ line, cells }, index) => {
      const old = this.#element.children[index];
      if (!old) this.#element.append(line);
      else if (old !== line) old.replaceWith(line);
      rows[index].seats.forEach((seat, place) => this.#seats.set(seat.number, { ...seat, row: index, cell: cells[place] }));
    });
    while (this.#element.children.length > rows.length) this.#element.lastChild.remove();
    const [first] = this.numbers();
    this.#current = this.has(this.#current) ? this.#current : first;
    this.#cell(this.#current).tabIndex = 0;
    if (hadFocus) this.focus();
  }

  has(number) {
    return this.#seats.has(number);
  }

  numbers() {
    return [...this.#seats.keys()];
  }

  label(number) {
    return this.#seats.get(number).label;
  }

  // Returns the code of the seat's category.
  code(number) {
    return this.#seats.get(number).code;
  }

  category(number) {
    return this.#seats.get(number).category;
  }

  #cell(number) {
    return this.#seats.get(number).cell;
  }

  // Shows the state and the title of each seat; `describe` returns both for a seat's number.
  draw(describe) {
    for (const [number, { cell }] of this.#seats) {
      const { state, title } = describe(number);
      if (cell.title === title) continue;
      cell.title = title;
      cell.setAttribute("aria-label", title);
      cell.className = `hall-seat is-${state}`;
    }
  }

  select(numbers) {
    for (const cell of this.#element.querySelectorAll("[aria-selected='true']")) {
      if (!numbers.includes(Number(cell.dataset.seat))) cell.setAttribute("aria-selected", "false");
    }
    for (const number of numbers) this.#cell(number).setAttribute("aria-selected", "true");
  }

  focus(number = this.#current) {
    this.#cell(this.#current).tabIndex = -1;
    this.#current = number;
    this.#cell(number).tabIndex = 0;
    this.#cell(number).focus();
  }

  #target(event) {
    const at = this.#seats.get(this.#current);
    const far = event.ctrlKey || event.metaKey;
    const row = this.#rows[at.row].seats;
    const all = [this.#rows[0].seats[0], this.#rows.at(-1).seats.at(-1)];
    const place = row.findIndex((seat) => seat.number === at.number);
    return {
      ArrowLeft: () => row[Math.max(place - 1, 0)],
      ArrowRight: () => row[Math.min(place + 1, row.length - 1)],
      ArrowUp: () => this.#nearest(at, at.row - 1),
      ArrowDown: () => this.#nearest(at, at.row + 1),
      PageUp: () => this.#nearest(at, at.row - 10),
      PageDown: () => this.#nearest(at, at.row + 10),
      Home: () => (far ? all[0] : row[0]),
      End: () => (far ? all[1] : row.at(-1)),
    }[event.key]?.();
  }

  // Returns the seat of another row that is nearest to this one; beyond the hall's ends, of its first or last row.
  #nearest(at, row) {
    const { seats } = this.#rows[Math.min(Math.max(row, 0), this.#rows.length - 1)];
    return seats.reduce((best, seat) => (Math.abs(seat.x - at.x) < Math.abs(best.x - at.x) ? seat : best));
  }
}

function newRow(row) {
  const line = document.createElement("div");
  line.className = "hall-row";
  line.setAttribute("role", "row");
  if (row.gap) line.style.marginTop = `${row.gap * ROW_GAP_REM}rem`;
  const header = document.createElement("span");
  header.className = "hall-letters";
  header.setAttribute("role", "rowheader");
  header.textContent = row.label;
  const cells = row.seats.map(newCell);
  line.append(header, ...cells);
  return { line, cells };
}

function newCell(seat) {
  const cell = document.createElement("button");
  cell.type = "button";
  cell.tabIndex = -1;
  cell.dataset.seat = seat.number;
  cell.setAttribute("role", "gridcell");
  cell.setAttribute("aria-selected", "false");
  cell.textContent = seat.text;
  cell.style.setProperty("--seat-colour", seat.colour);
  if (seat.code) cell.dataset.code = seat.code;
  if (seat.gap) cell.style.marginLeft = `calc(0.13rem + ${seat.gap * SEAT_WIDTH_REM}rem)`;
  return cell;
}
