// Fields for a customer in the admin's forms.

import { completeCustomers } from "./customers.js";

for (const input of document.querySelectorAll("input[data-customers]")) {
  const field = input.closest(".combobox");
  completeCustomers(input, field.querySelector("ul"), (text) => {
    field.querySelector("[role=status]").textContent = text;
  });
}
