// The payment on an order's page: shows the change while staff type the cash that the customer gave.

import { showChange } from "./amounts.js";

const form = document.getElementById("take-payment");
const [given, output] = [form.elements.given, form.querySelector(".change")];

const draw = () => showChange(given, output, form.dataset.due, form.dataset.currency);

given.addEventListener("input", draw);
draw();
