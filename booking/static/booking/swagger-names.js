// Names what drf-yasg's pages leave without a name for screen readers: their language and their text fields.
document.documentElement.lang = "en";

const NAMES = { "#download-url-input": "Address of the OpenAPI document", "textarea.body-param__text": "Body" };

function nameFields() {
  for (const [selector, name] of Object.entries(NAMES)) {
    for (const field of document.querySelectorAll(`${selector}:not([aria-label])`)) {
      field.setAttribute("aria-label", name);
      // For browsers without `field-sizing`.
      if (field.localName === "textarea") field.rows = field.value.split("\n").length;
    }
  }
}

const root = document.getElementById("swagger-ui");
if (root) new MutationObserver(nameFields).observe(root, { childList: true, subtree: true });
