// Payment at the counter in the hall: staff with an open till sell for cash or by card, and see the change.

import { showChange } from "./amounts.js";

export class Payment {
  #box;
  #given;
  #change;
  #till;
  #due = "";
  #currency = "";

  // `sell` is called with what a paid sale sends.
  constructor(box, till, sell) {
    this.#box = box;
    this.#till = till;
    this.#given = box.querySelector("input");
    this.#change = box.querySelector(".change");
    this.#given.addEventListener("input", () => this.#draw());
    this.#given.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      sell(this.#values("cash"));
    });
    for (const button of box.querySelectorAll("[data-method]")) {
      button.addEventListener("click", () => sell(this.#values(button.dataset.method)));
    }
  }

  // Offers the payment of the total, "" without one, to staff who `may` take it and have an open till, or not.
  offer(total, currency, may, hasTill) {
    const costs = may && /[1-9]/.test(total);
    this.#due = total;
    this.#currency = currency;
    this.#box.hidden = !(costs && hasTill);
    this.#till.hidden = !costs || hasTill;
    if (!costs) this.#given.value = "";
    this.#draw();
  }

  get isOffered() {
    return !this.#box.hidden;
  }

  #draw() {
    showChange(this.#given, this.#change, this.#due, this.#currency);
  }

  #values(method) {
    return { method, given: method === "cash" ? this.#given.value : "" };
  }
}
