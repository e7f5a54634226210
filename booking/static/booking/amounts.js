// Amounts of money: text as the server writes it, such as "9.50", is added and subtracted without rounding.

const decimalsOf = (amount) => amount?.split(".")[1]?.length ?? 0;

// Returns the sum of amounts that have the same number of decimals.
export function sumOf(amounts) {
  const decimals = decimalsOf(amounts[0]);
  return textOf(amounts.reduce((sum, amount) => sum + unitsOf(amount, decimals), 0n), decimals);
}

// Returns an amount that staff typed, with a decimal comma or point, as the server writes amounts, or null if the text is
// none. As on the server, neither separators of thousands nor more than `decimals` decimals are allowed.
function readAmount(text, decimals) {
  const [, whole = "", fraction = ""] = /^(\d*)(?:[.,](\d*))?$/.exec(text.trim()) ?? [];
  return whole + fraction && fraction.length <= decimals ? `${whole}.${fraction}` : null;
}

// Returns what is left of the cash that the customer gave, as staff typed it, for what is `due`: { isEnough, amount }, or
// null if the text is no amount.
export function changeOf(typed, due) {
  const decimals = decimalsOf(due);
  const gave = readAmount(typed, decimals);
  if (gave === null) return null;
  const left = unitsOf(gave, decimals) - unitsOf(due, decimals);
  return { isEnough: left >= 0n, amount: textOf(left < 0n ? -left : left, decimals) };
}

// Shows in `output` what change the customer gets of the cash in `input` for what is `due`.
export function showChange(input, output, due, currency) {
  const change = changeOf(input.value, due);
  const text = change ? `${change.isEnough ? "Change" : "Missing"} ${change.amount} ${currency}` : "";
  if (output.textContent !== text) output.textContent = text;
  output.classList.toggle("is-missing", change !== null && !change.isEnough);
}

// The amount in the smallest units of the currency.
function unitsOf(amount, decimals) {
  const [whole, fraction = ""] = amount.split(".");
  return BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, "0"));
}

function textOf(units, decimals) {
  const digits = String(units).padStart(decimals + 1, "0");
  return decimals ? `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}` : digits;
}
