"""The methods of Django that booking/admin/model_forms.py uses though they are not documented."""

import inspect

import pytest
from django.contrib.admin import ModelAdmin
from django.forms import ModelForm


@pytest.mark.parametrize(
    ("method_of", "name", "parameters"),
    [
        (ModelForm, "_get_validation_exclusions", ["self"]),
        (ModelAdmin, "_changeform_view", ["self", "request", "object_id", "form_url", "extra_context"]),
        (ModelAdmin, "_delete_view", ["self", "request", "object_id", "extra_context"]),
    ],
)
def test_django_has_the_method(method_of, name, parameters):
    missing = f"Django has no {method_of.__name__}.{name}({', '.join(parameters)}). Adapt booking/admin/model_forms.py."
    assert hasattr(method_of, name), missing
    assert list(inspect.signature(getattr(method_of, name)).parameters) == parameters, missing
