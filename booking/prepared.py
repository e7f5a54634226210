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
from django.db.models import AutoField, Expression, Field, Model, QuerySet, Value, sql
from django.db.models.query import ModelIterable, get_related_populators

M = TypeVar("M", bound=Model)
Argument = int | datetime | str

# Stands for the first argument while a query is compiled: no number that a query would hold itself, and one
# that fits a 32-bit column, as Django drops a comparison with a number that a column can't hold.
STAND_IN = 1_741_852_963
STAND_IN_TIME = datetime(1741, 8, 5, 2, 9, 6, 3, tzinfo=timezone.utc)
STAND_IN_TEXT = "\N{MEDIUM SHADE}"


def _cursor() -> Any:
    # Both backends, in movieticket/, have it.
    return connection.prepared_cursor()  # type: ignore[attr-defined]


def fetch(text: str, parameters: Sequence[Any]) -> list[Any]:
    """The rows of a statement, with %s for each parameter, that is sent again and again."""
    with _cursor() as cursor:
        cursor.execute(text, parameters)
        rows: list[Any] = cursor.fetchall()
        return rows


# The same for all threads, and not looked up through each one's connection.
_adapt_time = connection.ops.adapt_datetimefield_value


def _adapted(argument: Argument) -> Any:
    """An argument as a statement's parameter."""
    return _adapt_time(argument) if isinstance(argument, datetime) else argument


class PreparedQuery:
    """A queryset as a function of whole numbers, such as ids, times and texts; gives a list of instances, or of rows.

    `build` makes the queryset from so many `numbers`, then so many `times` and `texts`. Where it locks rows, the
    first call has to be in a transaction, as every later one.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], numbers: int, times: int = 0, texts: int = 0) -> None:
        self._build = build
        self._stand_ins: list[Argument] = [
            *(STAND_IN + n for n in range(numbers)),
            *(STAND_IN_TIME + timedelta(microseconds=n) for n in range(times)),
            *(STAND_IN_TEXT + str(n) for n in range(texts)),
        ]

    def __call__(self, *arguments: Argument) -> list[Any]:
        try:
            return self._run(*arguments)
        except NotSupportedError:
            # PostgreSQL planned it before a migration changed a column's type; a new connection plans anew.
            if connection.in_atomic_block:
                raise
            connection.close()
            return self._run(*arguments)

    def _run(self, *arguments: Argument) -> list[Any]:
        return self.results(fetch(self.text, self.parameters(*arguments)))

    @property
    def text(self) -> str:
        """Its SQL, with %s for each parameter."""
        return self._plan.text

    def parameters(self, *arguments: Argument) -> list[Any]:
        """What stands for the text's %s, one after another."""
        plan = self._plan
        if len(arguments) != len(plan.stand_ins):
            raise TypeError(f"{len(arguments)} arguments in the place of {len(plan.stand_ins)}")
        values = [*map(_adapted, arguments), *plan.constants]
        return [values[place] for place in plan.places]

    def results(self, rows: list[Any]) -> list[Any]:
        """What rows that the database gave are to the caller."""
        return self._plan.results(rows)

    @cached_property
    def _plan(self) -> "_Plan":
        plan = _Plan(self._build(*self._stand_ins), [_adapted(stand_in) for stand_in in self._stand_ins])
        if not set(range(len(self._stand_ins))) <= set(plan.places):
            raise ValueError(f"An argument went missing in {plan.text}")
        return plan


class PreparedInsertSelect(PreparedQuery):
    """Inserts an instance of a model where a query finds a row; `build` makes the two.

    `ending` is SQL: what to do on a conflict, and what to give.
    """

    def __init__(
        self,
        model: type[Model],
        build: Callable[..., tuple[Model, QuerySet[Any, Any]]],
        ending: str,
        numbers: int,
        times: int = 0,
        texts: int = 0,
    ) -> None:
        super().__init__(lambda *arguments: _values(*build(*arguments)), numbers, times, texts)
        self._model, self._ending = model, ending

    @cached_property
    def text(self) -> str:
        columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in _written_fields(self._model))
        table = connection.ops.quote_name(self._model._meta.db_table)
        return f"INSERT INTO {table} ({columns}) {self._plan.text} {self._ending}"


def _written_fields(model: type[Model]) -> "list[Field[Any, Any]]":
    return [field for field in model._meta.local_concrete_fields if not isinstance(field, AutoField)]


def _values(instance: Model, rows: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
    """The instance's values in the place of what the rows hold."""
    values = [(getattr(instance, field.attname), field) for field in _written_fields(type(instance))]
    return rows.order_by().values_list(
        *(value if isinstance(value, Expression) else Value(value, output_field=field) for value, field in values)
    )


class PreparedPair:
    """Two statements as one, of which the second may ask what the first one, `found`, gives.

    The first one gives at most one row, of so many `columns`; the second one's have an id, or so, in the first column.
    """

    def __init__(self, first: PreparedQuery, second: PreparedQuery, columns: int) -> None:
        self._first, self._second, self._columns = first, second, columns

    @cached_property
    def text(self) -> str:
        """Its SQL, with %s for each parameter."""
        statements = f"WITH found AS ({self._first.text}), asked AS ({self._second.text})"
        return f"{statements} SELECT * FROM found LEFT JOIN asked ON true"  # noqa: S608

    def parameters(self, first: Sequence[Argument], second: Sequence[Argument]) -> list[Any]:
        """What stands for the text's %s, from the arguments of the one and of the other."""
        return [*self._first.parameters(*first), *self._second.parameters(*second)]

    def results(self, rows: list[Any]) -> tuple[list[Any], list[Any]]:
        """The first one's row, if there is one, and what the second one gives."""
        columns = self._columns
        asked = [row[columns:] for row in rows if row[columns] is not None]
        return [row[:columns] for row in rows[:1]], self._second.results(asked)


class PreparedText:
    """A statement as it stands here, with %s for each argument; gives rows."""

    def __init__(self, text: str) -> None:
        self.text = text

    def parameters(self, *arguments: Argument) -> list[Any]:
        return list(arguments)

    def results(self, rows: list[Any]) -> list[Any]:
        return rows


class PreparedTransaction:
    """Statements that make a whole transaction, which PostgreSQL is sent at once: BEGIN, they, COMMIT.

    It is called within atomic(), before anything else is done there.
    """

    def __init__(self, *statements: PreparedQuery | PreparedText) -> None:
        self._statements = statements

    def __call__(self, *arguments: Sequence[Any]) -> list[Any]:
        """What each of the statements gives, called with these arguments."""
        calls = zip(self._statements, arguments, strict=True)
        parameters = [value for statement, own in calls for value in statement.parameters(*own)]
        with _cursor() as cursor:
            cursor.execute(self._text, parameters)
            rows = cursor.fetch_each()
        return [statement.results(own) for statement, own in zip(self._statements, rows, strict=True)]

    @cached_property
    def _text(self) -> str:
        # Here, as SQLite has no use for it.
        from movieticket.postgresql.cursor import Transaction

        return Transaction(*(statement.text for statement in self._statements))


class _Plan:
    """What Django's ModelIterable works out from a queryset on each run, worked out once."""

    def __init__(self, queryset: QuerySet[Any, Any], stand_ins: list[Any]) -> None:
        compiler = queryset.query.get_compiler(queryset.db)
        self.stand_ins = stand_ins
        text, own = compiler.as_sql()
        self.text, parameters = _with_constants(text, own, stand_ins)
        # The text's parameters are each an argument or a constant; here is which, counted through.
        self.constants = [value for value in parameters if value not in stand_ins]
        constants = iter(range(len(stand_ins), len(stand_ins) + len(self.constants)))
        self.places = [stand_ins.index(value) if value in stand_ins else next(constants) for value in parameters]
        select: Any = compiler.select
        klass_info: Any = compiler.klass_info
        self._converters = compiler.get_converters([column[0] for column in select])
        self._apply_converters = compiler.apply_converters
        if queryset._iterable_class is not ModelIterable:
            self.results: Callable[[Any], list[Any]] = self._rows
            return
        self.results = self._instances
        positions = klass_info["select_fields"]
        self._model = queryset.model
        self._own = slice(positions[0], positions[-1] + 1)
        self._names = [column[0].target.attname for column in select[self._own]]
        self._annotations = compiler.annotation_col_map
        self._related = get_related_populators(klass_info, select, queryset.db)  # type: ignore[call-arg]
        self._alias = queryset.db

    def _converted(self, rows: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
        return self._apply_converters(rows, self._converters) if self._converters else rows

    def _rows(self, rows: Iterable[Sequence[Any]]) -> list[Any]:
        return [*map(tuple, self._converted(rows))]

    def _instances(self, rows: Iterable[Sequence[Any]]) -> list[Any]:
        return [self._instance(row) for row in self._converted(rows)]

    def _instance(self, row: Sequence[Any]) -> Any:
        instance = self._model.from_db(self._alias, self._names, row[self._own])
        for related in self._related:
            related.populate(row, instance)
        for name, position in self._annotations.items():
            setattr(instance, name, row[position])
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
        [(instance.pk,)] = fetch(self._text, values)
        mark_saved(instance)
        return instance

    @cached_property
    def _fields(self) -> "list[Field[Any, Any]]":
        return _written_fields(self._model)

    @cached_property
    def _text(self) -> str:
        query = sql.InsertQuery(self._model)
        query.insert_values(self._fields, [self._model()])
        compiler = query.get_compiler(connection.alias)
        compiler.returning_fields = [self._model._meta.pk]
        [(text, _)] = compiler.as_sql()
        return str(text)


def mark_saved(instance: Model) -> None:
    """Has Django know that the instance is stored."""
    instance._state.adding, instance._state.db = False, connection.alias
