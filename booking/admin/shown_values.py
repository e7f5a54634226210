"""Forms that save only what was changed on the page, because a colleague may have changed the rest since."""

from typing import Any

from django import forms
from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest


class _ShownChoices(forms.MultipleHiddenInput):
    """Also posts that no choice was shown; Django's input is then missing on the page."""

    def format_value(self, value: Any) -> Any:
        return super().format_value(value) or [""]

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return [value for value in super().value_from_datadict(data, files, name) or [] if value]


class ShownValuesMixin(forms.BaseForm):
    """A form whose page contains the values that it showed; a field has changed if its value is another one.

    Fields that have not changed keep the value in the database. If two people change the same field, the last one wins.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if field.hidden_widget is forms.MultipleHiddenInput:
                field.hidden_widget = _ShownChoices
            # A script may post a form without the shown values. It is compared with the database: Django would compare
            # with nothing, and if the form is shown again, it would take what was posted for what was shown.
            is_posted = self.add_initial_prefix(name) in self.data
            field.show_hidden_initial = not field.disabled and (is_posted or not self.is_bound)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        data: dict[str, Any] = self.cleaned_data if cleaned is None else cleaned
        # Django would assign the values of all fields to the row, and save all its selections of other rows.
        return {name: value for name, value in data.items() if name not in self.fields or name in self.changed_data}


class ShownValuesAdmin(admin.ModelAdmin):
    """Compares the form that changes a row with the values that the page showed."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm]:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (ShownValuesMixin, form), {}) if change else form
