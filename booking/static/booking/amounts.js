// Amounts of money as the server writes them, such as "9.50": added and subtracted without rounding.

const decimalsOf = (amount) => amount?.split(".")[1]?.length ?? 0;

// Returns the sum of amounts that have the same number of decimals.
export function sumOf(amounts) {
  const decimals = decimalsOf(amounts[0]);
  return textOf(amounts.reduce((sum, amount) => sum + unitsOf(amount, decimals), 0n), decimals);
}

// Returns what is left of the cash that the customer `gave` for what is `due`: { isEnough, amount }, or null if the text
// is no amount.
export function changeOf(gave, due) {
  const decimals = decimalsOf(due);
  if (!new RegExp(`^\\d+(\\.\\d{0,${decimals}}0*)?$`).test(gave)) return null;
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
