"""Statements whose SQL is made once.

Django builds the SQL of a statement anew each time, which is most of what a statement costs it; on the way
of a booking it is more than all else together. The ORM still writes these statements, and only the text is
kept; PostgreSQL keeps its plan besides. They serve the few that every booking runs and nothing else.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import NotSupportedError, connection
from django.db.models import Field, Model, QuerySet, sql
from django.db.models.query import ModelIterable, get_related_populators

M = TypeVar("M", bound=Model)

# Stands for the first argument while a query is compiled: no number that a query would hold itself, and one
# that fits a 32-bit column, as Django drops a comparison with a number that a column can't hold.
STAND_IN = 1_741_852_963
STAND_IN_TIME = datetime(1741, 8, 5, 2, 9, 6, 3, tzinfo=timezone.utc)


def _cursor() -> Any:
    # Both backends, in movieticket/, have it.
    return connection.prepared_cursor()  # type: ignore[attr-defined]


def _adapted(argument: int | datetime) -> Any:
    """An argument as a statement's parameter."""
    return connection.ops.adapt_datetimefield_value(argument) if isinstance(argument, datetime) else argument


def _typed(values: dict[Any, Any], parameter: Any) -> Any:
    """The value that `parameter` stands for, in the type of its column.

    By the size of a plain number psycopg would take it for one type or another, each with a plan of its own.
    """
    if parameter not in values:
        return parameter
    value = values[parameter]
    return type(parameter)(value) if isinstance(parameter, int) else value


class PreparedQuery:
    """A queryset as a function of whole numbers, such as ids, and times; it gives a list of instances, or of rows.

    `build` makes the queryset from so many `numbers` and then so many `times`. Where it locks rows, the
    first call has to be in a transaction, as every later one.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], numbers: int, times: int = 0) -> None:
        self._build = build
        self._stand_ins: list[int | datetime] = [
            *(STAND_IN + n for n in range(numbers)),
            *(STAND_IN_TIME + timedelta(microseconds=n) for n in range(times)),
        ]

    def __call__(self, *arguments: int | datetime) -> list[Any]:
        try:
            return self._run(*arguments)
        except NotSupportedError:
            # PostgreSQL planned it before a migration changed a column's type; a new connection plans anew.
            if connection.in_atomic_block:
                raise
            connection.close()
            return self._run(*arguments)

    def _run(self, *arguments: int | datetime) -> list[Any]:
        plan = self._plan
        values = dict(zip(plan.stand_ins, map(_adapted, arguments), strict=True))
        with _cursor() as cursor:
            cursor.execute(plan.text, [_typed(values, parameter) for parameter in plan.parameters])
            return plan.results(cursor.fetchall())

    @cached_property
    def _plan(self) -> "_Plan":
        plan = _Plan(self._build(*self._stand_ins), [_adapted(stand_in) for stand_in in self._stand_ins])
        if not set(plan.stand_ins) <= set(plan.parameters):
            raise ValueError(f"An argument went missing in {plan.text}")
        return plan


class _Plan:
    """What Django's ModelIterable works out from a queryset on each run, worked out once."""

    def __init__(self, queryset: QuerySet[Any, Any], stand_ins: list[Any]) -> None:
        compiler = queryset.query.get_compiler(queryset.db)
        self.stand_ins = stand_ins
        text, parameters = compiler.as_sql()
        self.text, self.parameters = _with_constants(text, parameters, stand_ins)
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


def _with_constants(text: str, parameters: Sequence[Any], stand_ins: list[Any]) -> tuple[str, list[Any]]:
    """The statement with the parameters that never change written into its text, where PostgreSQL is to plan it.

    It plans a prepared statement once and for all only if the plan is as good as one for the very values; and it
    sees that a partial index serves the statement only if the index's condition stands in the text.
    """
    if connection.vendor == "sqlite":
        return text, list(parameters)
    constants = ["%s" if value in stand_ins else _literal(value) for value in parameters]
    return text.replace("%%", "%%%%") % tuple(constants), [value for value in parameters if value in stand_ins]


def _literal(value: Any) -> str:
    literal: str = connection.ops.compose_sql("%s", [value])  # type: ignore[attr-defined]
    return literal.replace("%", "%%")


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
