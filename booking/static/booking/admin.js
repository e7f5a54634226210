// Names controls of Django's pages that have none for screen readers.
function nameControls() {
  document.getElementById("searchbar")?.setAttribute("aria-label", "Search");
  for (const select of document.querySelectorAll("select.admin-autocomplete")) {
    const label = document.querySelector(`label[for="${select.id}"]`);
    if (!label || !select.nextElementSibling) continue;
    label.id ||= `${select.id}-label`;
    for (const part of select.nextElementSibling.querySelectorAll("[role='combobox'], [role='textbox']")) {
      part.setAttribute("aria-labelledby", `${label.id} select2-${select.id}-container`);
    }
  }
}

nameControls();
// Select2 adds its controls once jQuery is ready.
if (document.querySelector("select.admin-autocomplete")) {
  new MutationObserver(nameControls).observe(document.body, { childList: true, subtree: true });
}
