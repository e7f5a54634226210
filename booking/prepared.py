"""Statements whose SQL is made once.

Django builds the SQL of a statement anew each time, which is most of what a statement costs it; on the way
of a booking it is more than all else together. The ORM still writes these statements, and only the text is
kept; PostgreSQL keeps its plan besides. They serve the few that every booking runs and nothing else.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Field, Model, QuerySet, sql
from django.db.models.query import ModelIterable, get_related_populators

M = TypeVar("M", bound=Model)

# Stands for the first argument while a query is compiled: no number that a query would hold itself, and one
# that fits a 32-bit column, as Django drops a comparison with a number that a column can't hold.
STAND_IN = 1_741_852_963


def _cursor() -> Any:
    # Both backends, in movieticket/, have it.
    return connection.prepared_cursor()  # type: ignore[attr-defined]


class PreparedQuery:
    """A queryset as a function of whole numbers, such as ids; it gives a list of instances, or of rows of values.

    `build` makes the queryset from as many arguments. Where it locks rows, the first call has to be in
    a transaction, as every later one.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], arguments: int) -> None:
        self._build = build
        self._stand_ins = range(STAND_IN, STAND_IN + arguments)

    def __call__(self, *numbers: int) -> list[Any]:
        values = dict(zip(self._stand_ins, numbers, strict=True))
        plan = self._plan
        with _cursor() as cursor:
            cursor.execute(plan.text, [values.get(parameter, parameter) for parameter in plan.parameters])
            return plan.results(cursor.fetchall())

    @cached_property
    def _plan(self) -> "_Plan":
        plan = _Plan(self._build(*self._stand_ins))
        if not set(self._stand_ins) <= set(plan.parameters):
            raise ValueError(f"An argument went missing in {plan.text}")
        return plan


class _Plan:
    """What Django's ModelIterable works out from a queryset on each run, worked out once."""

    def __init__(self, queryset: QuerySet[Any, Any]) -> None:
        compiler = queryset.query.get_compiler(queryset.db)
        self.text, self.parameters = compiler.as_sql()
        select: Any = compiler.select
        klass_info: Any = compiler.klass_info
        if queryset._iterable_class is not ModelIterable:
            self.results: Callable[[Any], list[Any]] = list
            return
        self.results = self._instances
        positions = klass_info["select_fields"]
        self._model = queryset.model
        self._own = slice(positions[0], positions[-1] + 1)
        self._names = [column[0].target.attname for column in select[self._own]]
        self._related = get_related_populators(klass_info, select, queryset.db)  # type: ignore[call-arg]
        self._converters = compiler.get_converters([column[0] for column in select])
        self._apply_converters = compiler.apply_converters
        self._alias = queryset.db

    def _instances(self, rows: Iterable[Sequence[Any]]) -> list[Any]:
        if self._converters:
            rows = self._apply_converters(rows, self._converters)
        return [self._instance(row) for row in rows]

    def _instance(self, row: Sequence[Any]) -> Any:
        instance = self._model.from_db(self._alias, self._names, row[self._own])
        for related in self._related:
            related.populate(row, instance)
        return instance


class PreparedInsert(Generic[M]):
    """Inserts instances of a model one by one. Signals are not sent."""

    def __init__(self, model: type[M]) -> None:
        self._model = model

    def insert(self, instance: M) -> M:
        """Saves a new instance and sets its id."""
        values = [field.get_db_prep_save(field.pre_save(instance, True), connection) for field in self._fields]
        with _cursor() as cursor:
            cursor.execute(self._text, values)
            instance.pk = cursor.fetchone()[0]
        instance._state.adding, instance._state.db = False, connection.alias
        return instance

    @cached_property
    def _fields(self) -> "list[Field[Any, Any]]":
        return [field for field in self._model._meta.local_concrete_fields if not field.primary_key]

    @cached_property
    def _text(self) -> str:
        query = sql.InsertQuery(self._model)
        query.insert_values(self._fields, [self._model()])
        compiler = query.get_compiler(connection.alias)
        compiler.returning_fields = [self._model._meta.pk]
        [(text, _)] = compiler.as_sql()
        return str(text)
