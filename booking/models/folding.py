"""Text without case and accents, which searches and orders in the same way on every database."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models
from django.db.models import Q
from django.db.models.lookups import Contains

if TYPE_CHECKING:
    from typing_extensions import Self

M = TypeVar("M", bound=models.Model)

# Short enough for an index of PostgreSQL, which takes at most 2,700 bytes.
MAX_FOLDED_LENGTH = 400
# Letters that Unicode does not decompose, such as ligatures, and the typographic apostrophe.
LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "þ": "th", "\u0131": "i", "\u2019": "'"}
)


def fold(text: str) -> str:
    """Return the text in lower case and without accents: `fold("Straße")` and `fold("STRASSE")` are equal."""
    # Folding the case may compose characters again, and so decomposes once more.
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    letters = "".join(character for character in folded if not unicodedata.combining(character))
    return " ".join(letters.translate(LETTERS).split())


class FoldedField(models.CharField):  # type: ignore[type-arg]
    """The folded text of another field of the model, set whenever that field is saved.

    It is null in a row that was written without it, by an earlier version or by SQL.
    """

    def __init__(self, source: str, **options: Any) -> None:
        self.source = source
        super().__init__(**{"max_length": MAX_FOLDED_LENGTH, "null": True, "editable": False} | options)

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, [self.source, *args], options

    def db_parameters(self, connection: Any) -> Any:
        # By code point, as SQLite does it by default; other collations differ between servers.
        collation = "C" if connection.vendor == "postgresql" else None
        return {**super().db_parameters(connection), "collation": collation}

    def value_for(self, text: str) -> str:
        return fold(text)[: self.max_length]

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        value = self.value_for(getattr(model_instance, self.source))
        setattr(model_instance, self.attname, value)
        return value


class FoldedContains(Contains):
    """Folds the text that is searched for, too."""

    def get_prep_lookup(self) -> Any:
        return fold(self.rhs) if isinstance(self.rhs, str) else super().get_prep_lookup()


# The lookup of the admin's search_fields.
FoldedField.register_lookup(FoldedContains, "icontains")


def folded_fields(model: type[models.Model]) -> list[FoldedField]:
    return [field for field in model._meta.concrete_fields if isinstance(field, FoldedField)]


def in_folded(model: type[models.Model], word: str) -> Q:
    """Return the condition that the word is in a folded field of the model, ignoring case and accents."""
    if not fold(word):
        # A lone accent, for example, is in no text.
        return Q(pk__in=())
    return reduce(or_, _conditions(model, word))


def _conditions(model: type[models.Model], word: str) -> Iterator[Q]:
    for field in folded_fields(model):
        yield Q(**{f"{field.name}__icontains": word})
        # A row that is not folded yet.
        yield Q(**{f"{field.name}": None, f"{field.source}__icontains": word})


class FoldingQuerySet(models.QuerySet[M]):
    """Searches folded fields, and sets them with their source where Django does not call `Field.pre_save`."""

    def matching(self, text: str) -> Self:
        """Return rows with each word of the text in a field that is folded, ignoring case and accents.

        Words in double quotes have to stand together.
        """
        found = self
        for quoted, word in re.findall(r'"([^"]+)"|(\S+)', text):
            found = found.filter(in_folded(self.model, quoted or word))
        return found

    def perhaps_stale(self) -> Self:
        """Return rows with a text to fold, or with a folded text; of others, nothing can be outdated."""
        fields = folded_fields(self.model)
        texts = [name for field in fields for name in (field.source, field.name)]
        return self.filter(reduce(or_, [Q(**{f"{name}__gt": ""}) for name in texts])).only("pk", *texts)

    def spelled(self, field: str, text: str) -> Self:
        """Return rows whose field, which need not be folded, equals the text, ignoring case and accents."""
        spellings = self.order_by().values_list(field, flat=True).distinct()
        same = [spelling for spelling in spellings if fold(spelling) == fold(text)]
        return self.filter(**{f"{field}__in": same})

    def update(self, **values: Any) -> int:
        for field in folded_fields(self.model):
            if field.source in values:
                text = values[field.source]
                # Of an expression, the value is not known here.
                values.setdefault(field.name, field.value_for(text) if isinstance(text, str) else None)
        return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_update(self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None) -> int:
        instances, names = list(objs), set(fields)
        for field in folded_fields(self.model):
            if field.source in names:
                names.add(field.name)
                for instance in instances:
                    field.pre_save(instance, add=False)
        return super().bulk_update(instances, names, batch_size)

    bulk_update.alters_data = True  # type: ignore[attr-defined]


class Folding(models.Model):
    """A model with folded fields."""

    class Meta:
        abstract = True

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        if update_fields is not None:
            update_fields = set(update_fields)
            update_fields |= {field.name for field in folded_fields(type(self)) if field.source in update_fields}
        super().save(*args, update_fields=update_fields, **kwargs)

    def fold(self) -> None:
        """Set the folded fields, for an instance that is inserted without `save`."""
        for field in folded_fields(type(self)):
            field.pre_save(self, add=True)

    def has_stale_folds(self) -> bool:
        """Return whether a folded field differs from its source, because it was written without it."""
        fields = folded_fields(type(self))
        texts = [(getattr(self, field.attname), field.value_for(getattr(self, field.source))) for field in fields]
        # Nothing has to be folded of an empty text.
        return any(folded != text and not (folded is None and text == "") for folded, text in texts)


def fold_rows(rows: Sequence[Any], manager: Any) -> None:
    """Sets the folded fields of these rows; for migrations, whose models have no methods."""
    fields = folded_fields(manager.model)
    for row in rows:
        for field in fields:
            field.pre_save(row, add=False)
    manager.bulk_update(rows, [field.name for field in fields])
