// The question before bookings are cancelled in the hall, with a field for the sentence in the customers' mail.

export class CancelQuestion {
  #dialog;

  constructor(dialog) {
    this.#dialog = dialog;
  }

  // Returns the sentence, which may be empty, or null if nothing is to be cancelled. `detail` says who will be told.
  ask(seats, button, { detail, asks_note: asksNote }) {
    const find = (selector) => this.#dialog.querySelector(selector);
    find("h2").textContent = `${button}?`;
    find("ul").replaceChildren(...seats.map((seat) => Object.assign(document.createElement("li"), { textContent: seat })));
    find(".reach").textContent = detail;
    find(".note-field").hidden = !asksNote;
    find("[value='yes']").textContent = button;
    find("form").reset();
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    return new Promise((resolve) => {
      const close = () => resolve(this.#dialog.returnValue === "yes" ? find("textarea").value : null);
      this.#dialog.addEventListener("close", close, { once: true });
    });
  }
}
