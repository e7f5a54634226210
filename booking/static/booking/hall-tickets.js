// The tickets of the chosen seats in a hall with prices: a list with the ticket type and the price of each seat, buttons
// that change the type of all of them, and the total.

import { sumOf } from "./amounts.js";

export class Tickets {
  #grid;
  #list;
  #buttons;
  #changed;
  #types = []; // [{ id, name }] by position
  #prices = {}; // amounts by category and id of the ticket type
  #chosen = new Map(); // seat numbers, each with the id of its ticket type; undefined if it is not for sale
  #items = new Map(); // the items of the list by seat number

  // `changed` is called when ticket types were changed, with a sentence about those that could not be.
  constructor(grid, list, buttons, changed) {
    this.#grid = grid;
    this.#list = list;
    this.#buttons = buttons;
    this.#changed = changed;
    list.addEventListener("change", (event) => {
      this.#chosen.set(Number(event.target.closest("[data-seat]").dataset.seat), Number(event.target.value));
      changed("");
    });
    buttons.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.choose(Number(button.dataset.place));
    });
  }

  // Takes the ticket types and prices of the show as they are now; there are none on a free show.
  offer(types, prices) {
    if (JSON.stringify([types, prices]) === JSON.stringify([this.#types, this.#prices])) return;
    this.#types = types;
    this.#prices = prices;
    this.#items.clear();
    this.#buttons.replaceChildren(...(types.length > 1 ? types.map(newButton) : []));
  }

  get areSold() {
    return this.#types.length > 0 && this.#chosen.size > 0;
  }

  get total() {
    const amounts = [...this.#chosen].map(([seat, type]) => this.#price(seat, type));
    return sumOf(amounts.filter((amount) => amount !== undefined));
  }

  // Shows the tickets of these seats. A seat that is new, or whose ticket type is not sold any more, gets the first type.
  draw(seats) {
    const isSold = (seat, type) => this.#price(seat, type) !== undefined;
    const first = (seat) => this.#types.find(({ id }) => isSold(seat, id))?.id;
    const before = this.#chosen;
    this.#chosen = new Map(
      seats.map((seat) => [seat, isSold(seat, before.get(seat)) ? before.get(seat) : first(seat)]),
    );
    this.#list.hidden = this.#buttons.hidden = !this.areSold;
    this.#drawList();
  }

  // Gives the seats the ticket type in this place, from 1; without seats, all of them. Returns whether there is one.
  choose(place, seats = [...this.#chosen.keys()]) {
    const type = this.#types[place - 1];
    if (!type || !seats.length || !this.areSold) return false;
    const refused = seats.filter((seat) => this.#price(seat, type.id) === undefined);
    for (const seat of seats) if (!refused.includes(seat)) this.#chosen.set(seat, type.id);
    this.#changed(refused.length ? `${type.name} is not sold for ${this.#labels(refused)}.` : "");
    return true;
  }

  // Returns what a sale sends.
  values() {
    if (!this.areSold) return {};
    const types = [...this.#chosen].filter(([, type]) => type !== undefined);
    return { ticket_types: types.map((pair) => pair.join(":")).join(), expected_total: this.total };
  }

  #labels(seats) {
    return seats.map((seat) => this.#grid.label(seat)).join(", ");
  }

  #price(seat, type) {
    return this.#prices[this.#grid.code(seat)]?.[type];
  }

  // Keeps the items of seats that stay chosen, because one of them may have the focus.
  #drawList() {
    const chosen = this.areSold ? this.#chosen : new Map();
    for (const seat of this.#items.keys()) if (!chosen.has(seat)) this.#items.delete(seat);
    const items = [...chosen].map(([seat, type]) => {
      if (!this.#items.has(seat)) this.#items.set(seat, this.#newItem(seat));
      const item = this.#items.get(seat);
      const select = item.querySelector("select");
      if (select) select.value = type;
      item.lastElementChild.textContent = this.#price(seat, type) ?? "";
      return item;
    });
    const isSame = items.length === this.#list.children.length && items.every((item, at) => item === this.#list.children[at]);
    if (!isSame) this.#list.replaceChildren(...items);
  }

  #newItem(seat) {
    const [item, label, price] = ["li", "b", "span"].map((name) => document.createElement(name));
    item.dataset.seat = seat;
    label.textContent = this.#grid.label(seat);
    item.append(label, this.#newChoice(seat), price);
    return item;
  }

  #newChoice(seat) {
    const types = this.#types.filter(({ id }) => this.#price(seat, id) !== undefined);
    const choice = document.createElement(types.length > 1 ? "select" : "span");
    if (types.length > 1) {
      choice.setAttribute("aria-label", `Ticket type of ${this.#grid.label(seat)}`);
      choice.append(...types.map(({ id, name }) => new Option(name, id)));
    } else {
      choice.textContent = types[0]?.name ?? "not for sale";
    }
    return choice;
  }
}

function newButton({ name }, index) {
  const [button, key] = [document.createElement("button"), document.createElement("kbd")];
  button.type = "button";
  button.className = "button";
  button.dataset.place = index + 1;
  key.textContent = index + 1;
  button.append(key, ` ${name}`);
  return button;
}
