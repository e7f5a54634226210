"""The forms of pages, as a browser posts them when nothing was changed."""

from html.parser import HTMLParser


def posted_form(response, form_id):
    """Return the data of the form with this id on the page, its hidden inputs too."""
    parser = _Form(form_id)
    parser.feed(response.content.decode())
    assert parser.was_found, f"The page has no form #{form_id}."
    # A browser posts the lines of a text with CRLF.
    return {name: [value.replace("\n", "\r\n") for value in values] for name, values in parser.data.items()}


class _Form(HTMLParser):
    def __init__(self, form_id):
        super().__init__()
        self.form_id = form_id
        self.data = {}
        self.is_inside = self.was_found = False
        self.select = self.textarea = None
        self.options = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "form":
            self.is_inside = values.get("id") == self.form_id
            self.was_found |= self.is_inside
        if not self.is_inside:
            return
        if tag == "input" and values.get("name"):
            is_sent = {"checkbox": "checked" in values, "radio": "checked" in values, "submit": False}
            if is_sent.get(values.get("type"), True):
                self.add(values["name"], values.get("value", "on" if values["type"] == "checkbox" else ""))
        elif tag == "select" and values.get("name"):
            self.select, self.options = values, []
        elif tag == "option":
            self.options.append((values["value"], "selected" in values))
        elif tag == "textarea":
            self.textarea, self.text = values["name"], ""

    def handle_endtag(self, tag):
        if tag == "form":
            self.is_inside = False
        elif tag == "select" and self.select:
            chosen = [value for value, is_selected in self.options if is_selected]
            if "multiple" not in self.select:
                chosen = chosen[-1:] or [value for value, _ in self.options[:1]]
            for value in chosen:
                self.add(self.select["name"], value)
            self.select = None
        elif tag == "textarea" and self.textarea:
            self.add(self.textarea, self.text.removeprefix("\r").removeprefix("\n"))
            self.textarea = None

    def handle_data(self, data):
        if self.textarea:
            self.text += data

    def add(self, name, value):
        self.data.setdefault(name, []).append(value)
