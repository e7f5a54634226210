"""All uses of methods that Django does not document; tests/admin/test_model_forms.py reports if one is missing."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse


class ServiceRulesMixin:
    """Validates the single fields of a form, but not the model's constraints, which the services check."""

    fields: dict[str, forms.Field]
    declared_fields: dict[str, forms.Field]
    instance: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Excluded model fields are not validated by the model, so the form runs their validators.
        for model_field in self.instance._meta.fields:
            if model_field.name in self.fields and model_field.name not in self.declared_fields:
                validators = self.fields[model_field.name].validators
                validators += [validator for validator in model_field.validators if validator not in validators]

    def _get_validation_exclusions(self) -> set[str]:
        # Django skips a constraint if one of its fields is excluded.
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions | set(self.fields)


class OwnTransactionMixin:
    """Gives the views of an admin without the transaction that Django opens for them; the services open their own."""

    def change_in_own_transaction(
        self, request: HttpRequest, object_id: str | None, form_url: str, extra_context: dict[str, Any] | None
    ) -> HttpResponse:
        response: HttpResponse = self._changeform_view(  # type: ignore[attr-defined]
            request, object_id, form_url, extra_context
        )
        return response

    def delete_in_own_transaction(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None
    ) -> HttpResponse:
        response: HttpResponse = self._delete_view(request, object_id, extra_context)  # type: ignore[attr-defined]
        return response
