"""Faster creation of model instances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import models
from django.db.models.base import ModelState

if TYPE_CHECKING:
    from typing_extensions import Self


class LoadsQuickly(models.Model):
    """Creates instances without Model.__init__, which is faster; pre_init and post_init are not sent."""

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, db: str | None, field_names: Sequence[str], values: Sequence[Any]) -> Self:  # type: ignore[override]
        """Like Django's method; columns that were not read are loaded on access."""
        instance = cls.__new__(cls)
        instance.__dict__.update(zip(field_names, values, strict=True))
        instance._state = ModelState()
        instance._state.adding, instance._state.db = False, db
        return instance

    @classmethod
    def build(cls, **values: Any) -> Self:
        """Like the constructor, but takes values by the names of fields only and does not check related instances.

        Raises TypeError for other names.
        """
        fields = _fields(cls)
        if unknown := values.keys() - fields.names:
            raise TypeError(f"{cls.__name__} has no fields {sorted(unknown)}.")
        instance = cls.__new__(cls)
        instance._state = state = ModelState()
        columns = instance.__dict__
        columns.update(fields.defaults)
        columns.update(values)
        for name, column in fields.relations.items():
            related = columns.pop(name, None)
            if related is not None:
                state.fields_cache[name] = related
                columns[column] = related.pk
        for column, default in fields.computed.items():
            if column not in values:
                columns[column] = default()
        return instance


class _Fields(NamedTuple):
    names: set[str]
    # The defaults that are constants, and those that are computed, by column.
    defaults: dict[str, Any]
    computed: dict[str, Callable[[], Any]]
    # The columns of foreign keys, by the name of the field.
    relations: dict[str, str]


@cache
def _fields(model: type[models.Model]) -> _Fields:
    fields = model._meta.concrete_fields
    computed = {field.attname: field.default for field in fields if field.has_default() and callable(field.default)}
    return _Fields(
        names={field.name for field in fields},
        defaults={field.attname: field.get_default() for field in fields if field.attname not in computed},
        computed=computed,
        relations={field.name: field.attname for field in fields if field.is_relation},
    )
