// A text field for a username with a list of the customers who match what was typed.

import { ask } from "./request.js";

// `say` shows a sentence to the user. Enter picks the only customer who matches; a second Enter submits the form.
export function completeCustomers(input, list, say) {
  let turn = 0;
  let search = null; // the running search

  const options = () => [...list.children];
  const active = () => options().find((option) => option.getAttribute("aria-selected") === "true");

  input.addEventListener("input", () => {
    const typed = input.value.trim();
    if (typed) search = find(typed, ++turn);
    else close();
  });

  async function find(typed, ownTurn) {
    try {
      const response = await ask(`${input.dataset.customers}?${new URLSearchParams({ q: typed })}`);
      // Ignore the response to an earlier input.
      if (ownTurn === turn) open(response.customers ?? []);
    } catch (error) {
      say(error.message, "is-refused");
    } finally {
      if (ownTurn === turn) search = null;
    }
  }

  function open(customers) {
    list.replaceChildren(...customers.map(newOption));
    list.hidden = !customers.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    input.removeAttribute("aria-activedescendant");
  }

  function newOption({ username, name, email }, index) {
    const option = document.createElement("li");
    option.id = `${list.id}-${index}`;
    option.dataset.username = username;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    const details = [name, email].filter(Boolean).join(", ");
    option.append(newElement("strong", username), " ", newElement("small", details));
    return option;
  }

  function newElement(name, text) {
    const element = document.createElement(name);
    element.textContent = text;
    return element;
  }

  function close() {
    turn++;
    search = null;
    open([]);
  }

  function pick(option) {
    input.value = option.dataset.username;
    close();
    input.dispatchEvent(new Event("change"));
  }

  async function enter() {
    await search;
    const typed = input.value.trim().toLowerCase();
    const found = options();
    const same = found.find((option) => option.dataset.username.toLowerCase() === typed);
    if (!same && found.length === 1) {
      pick(found[0]);
    } else if (!same && found.length > 1) {
      say("Several customers match. Choose one with the arrow keys.");
    } else {
      close();
      input.form.requestSubmit();
    }
  }

  function step(by) {
    const all = options();
    const at = all.indexOf(active());
    const next = all[at < 0 && by < 0 ? all.length - 1 : (at + by + all.length) % all.length];
    active()?.setAttribute("aria-selected", "false");
    next.setAttribute("aria-selected", "true");
    input.setAttribute("aria-activedescendant", next.id);
  }

  input.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" && (search || !list.hidden)) {
      event.preventDefault();
      if (active()) pick(active());
      else enter();
    } else if (event.key === "Escape" && !list.hidden) {
      event.stopPropagation();
      close();
    } else if (by && !list.hidden) {
      event.preventDefault();
      step(by);
    }
  });

  // mousedown comes before the field's blur, which closes the list.
  list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const option = event.target.closest("[role=option]");
    if (option) pick(option);
  });

  input.addEventListener("blur", close);
  input.form.addEventListener("submit", close);
}
