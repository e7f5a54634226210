"""SQL that the ORM writes once and the service sends many times.

Building the SQL of a queryset takes Django 0.3 to 0.7 ms, more than the rest of a booking request. A statement here
keeps the text that the ORM wrote; PostgreSQL also keeps its plan. `send` sends several statements in one round trip.

This is the only module that uses private interfaces of Django's SQL compiler;
tests/infrastructure/test_statements.py says which.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import cached_property
from threading import RLock
from typing import Any, ClassVar, NamedTuple

from django.db import NotSupportedError, connection
from django.db.models import AutoField, Expression, Field, Model, QuerySet, sql
from django.db.models.constants import OnConflict
from django.db.models.query import ModelIterable, get_related_populators

# Django's compiler changes the queryset that it compiles, so no two threads may compile at once.
_compiling = RLock()


class Parameter(Expression):
    """A value that is given each time the statement is sent."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self]


class Parameters:
    """Makes the parameters that a queryset uses: `p.show_id` is the one named show_id."""

    def __getattr__(self, name: str) -> Any:
        return Parameter(name)

    def several(self, name: str, number: int) -> list[Any]:
        """The parameters name_0, name_1, …, as `in_order` names their values."""
        return [Parameter(f"{name}_{n}") for n in range(number)]


def in_order(name: str, values: Iterable[Any]) -> dict[str, Any]:
    """The values of parameters that `Parameters.several` made."""
    return {f"{name}_{n}": value for n, value in enumerate(values)}


class Call(NamedTuple):
    """A statement with the values of its parameters."""

    statement: "Statement"
    values: list[Any]


class Statement(ABC):
    """SQL text with named parameters. Calling it sends it alone and returns its rows."""

    _all: ClassVar[list["Statement"]] = []

    def __new__(cls, *_: Any, **__: Any) -> Any:
        statement = super().__new__(cls)
        cls._all.append(statement)
        return statement

    @classmethod
    def compile_all(cls) -> None:
        """Compiles all statements now, so that the first requests don't wait for it."""
        for statement in cls._all:
            statement.compile()

    def compile(self) -> None:
        _ = self.text

    def __call__(self, **values: Any) -> list[Any]:
        call = self.bind(**values)
        try:
            [result] = send(call)
        except NotSupportedError:
            # PostgreSQL planned it before a migration changed a column's type; a new connection plans it again.
            if connection.in_atomic_block:
                raise
            connection.close()
            [result] = send(call)
        return result

    def bind(self, **values: Any) -> Call:
        """The statement with these values of its parameters. Raises TypeError where one is missing or unknown."""
        if values.keys() != self._names:
            raise TypeError(f"The statement takes {sorted(self._names)}, not {sorted(values)}.")
        return self.choose(values)

    def choose(self, values: dict[str, Any]) -> Call:
        """As `bind`, with those of the values that the statement takes."""
        return Call(self, [values[p.name] if isinstance(p, Parameter) else p for p in self._places])

    def results(self, rows: list[Any]) -> list[Any]:
        """What the caller gets for the rows that the database returned."""
        return rows

    @abstractmethod
    def compiled(self) -> tuple[str, list[Any]]:
        """The SQL with %s for each parameter, and what stands there: a Parameter, or a constant value."""

    @property
    def text(self) -> str:
        """The SQL as the backend's `send` takes it: with $1, $2, … on PostgreSQL, with %s on SQLite."""
        return self._final[0]

    @property
    def _places(self) -> list[Any]:
        return self._final[1]

    @cached_property
    def _names(self) -> set[str]:
        return {place.name for place in self._places if isinstance(place, Parameter)}

    @cached_property
    def _final(self) -> tuple[str, list[Any]]:
        with _compiling:
            text, places = self.compiled()
        if connection.vendor == "sqlite":
            return text, places
        # A constant is written into the text: PostgreSQL sees that a partial index serves a prepared statement only
        # where the index's condition stands there. A parameter that occurs twice is sent once.
        numbers: dict[str, int] = {}
        tokens, parameters = [], []
        for place in places:
            if not isinstance(place, Parameter):
                tokens.append(connection.literal(place))  # type: ignore[attr-defined]
                continue
            if place.name not in numbers:
                numbers[place.name] = len(numbers) + 1
                parameters.append(place)
            tokens.append(f"${numbers[place.name]}")
        return text % tuple(tokens), parameters


def send(*calls: Call, commit: bool = False) -> list[list[Any]]:
    """Sends the calls in one round trip and returns the results of each; SQLite runs them one by one.

    Within `transaction.atomic()`, the BEGIN that is due goes with them, and with `commit` the COMMIT too. After a
    statement that failed the later ones are not carried out. Raises what Django raises.
    """
    rows = connection.send([(call.statement.text, call.values) for call in calls], commit=commit)  # type: ignore[attr-defined]
    return [call.statement.results(own) for call, own in zip(calls, rows, strict=True)]


class Text(Statement):
    """SQL that is written by hand: `{name}` stands for a parameter or, in `within`, for a statement."""

    def __init__(self, template: str, **within: Statement) -> None:
        self._template = template
        self._within = within

    def compiled(self) -> tuple[str, list[Any]]:
        places: list[Any] = []
        within = self._within

        class Names(dict[str, str]):
            def __missing__(self, name: str) -> str:
                text, own = within[name].compiled() if name in within else ("%s", [Parameter(name)])
                places.extend(own)
                return text

        return self._template.format_map(Names()), places


class Query(Statement):
    """A queryset as a function of its parameters; returns instances, or rows where it has values_list.

    `build` gets a Parameters and returns the queryset. One that locks rows is called in a transaction.
    """

    def __init__(self, build: Callable[[Parameters], QuerySet[Any, Any]]) -> None:
        self._build = build

    @cached_property
    def _queryset(self) -> QuerySet[Any, Any]:
        return self._build(Parameters())

    def compiled(self) -> tuple[str, list[Any]]:
        text, places = self._compiler().as_sql()
        return text, list(places)

    def _compiler(self) -> Any:
        return self._queryset.query.get_compiler(connection.alias)

    def compile(self) -> None:
        # Django compiles a query that locks rows only in a transaction.
        if not self._queryset.query.select_for_update:
            super().compile()
            _ = self._reader

    def results(self, rows: list[Any]) -> list[Any]:
        return self._reader(rows)

    @cached_property
    def _reader(self) -> Callable[[list[Any]], list[Any]]:
        with _compiling:
            compiler = self._compiler()
            compiler.as_sql()
        if self._queryset._iterable_class is ModelIterable:
            return _InstanceReader(self._queryset, compiler)
        return _RowReader(compiler)


class _RowReader:
    """Turns rows of the database into rows of Python values."""

    def __init__(self, compiler: Any) -> None:
        self._converters = compiler.get_converters([column[0] for column in compiler.select])
        self._apply_converters = compiler.apply_converters

    def __call__(self, rows: list[Any]) -> list[Any]:
        return [*map(tuple, self._apply_converters(rows, self._converters))] if self._converters else rows


class _InstanceReader(_RowReader):
    """Does what Django's ModelIterable does, with what it works out on each run worked out once."""

    def __init__(self, queryset: QuerySet[Any, Any], compiler: Any) -> None:
        super().__init__(compiler)
        positions = compiler.klass_info["select_fields"]
        self._model = queryset.model
        self._own = slice(positions[0], positions[-1] + 1)
        self._names = [column[0].target.attname for column in compiler.select[self._own]]
        self._annotations = compiler.annotation_col_map
        self._related = get_related_populators(compiler.klass_info, compiler.select, queryset.db)  # type: ignore[call-arg]
        self._alias = queryset.db

    def __call__(self, rows: list[Any]) -> list[Any]:
        return [self._instance(row) for row in super().__call__(rows)]

    def _instance(self, row: Sequence[Any]) -> Any:
        instance = self._model.from_db(self._alias, self._names, row[self._own])
        for related in self._related:
            related.populate(row, instance)
        for name, position in self._annotations.items():
            setattr(instance, name, row[position])
        return instance


class Update(Statement):
    """Updates the rows of a queryset; `build` gets a Parameters and returns the queryset and the new values."""

    def __init__(self, build: Callable[[Parameters], tuple[QuerySet[Any, Any], dict[str, Any]]]) -> None:
        self._build = build

    def compiled(self) -> tuple[str, list[Any]]:
        queryset, values = self._build(Parameters())
        query: Any = queryset.order_by().query.chain(sql.UpdateQuery)
        query.add_update_values(values)
        text, places = query.get_compiler(connection.alias).as_sql()
        return text, list(places)


class Insert(Statement):
    """Inserts one instance of a model and returns its id, for `saved`. Signals are not sent.

    Values are sent as they are, so a field that stores another value than its attribute's (JSONField) can't be used.

    With `replace_where_equal`, the fields of a unique constraint, a row that is equal in them is overwritten.
    """

    def __init__(self, model: type[Model], replace_where_equal: Sequence[str] = ()) -> None:
        self._model = model
        self._unique = replace_where_equal

    @cached_property
    def _fields(self) -> "list[Field[Any, Any]]":
        return [field for field in self._model._meta.local_concrete_fields if not isinstance(field, AutoField)]

    def compiled(self) -> tuple[str, list[Any]]:
        conflict: dict[str, Any] = {}
        if self._unique:
            of_name: Any = self._model._meta.get_field
            unique = [of_name(name) for name in self._unique]
            others = [field for field in self._fields if field not in unique]
            conflict = {"on_conflict": OnConflict.UPDATE, "unique_fields": unique, "update_fields": others}
        query = sql.InsertQuery(self._model, **conflict)
        query.insert_values(self._fields, [self._model()])
        compiler = query.get_compiler(connection.alias)
        compiler.returning_fields = [self._model._meta.pk]
        [(text, _)] = compiler.as_sql()
        return str(text), [Parameter(field.attname) for field in self._fields]

    def of(self, instance: Model) -> Call:
        """The insert of this instance."""
        return Call(self, [_plain(getattr(instance, name)) for name in self._attributes])

    @cached_property
    def _attributes(self) -> list[str]:
        return [field.attname for field in self._fields]


def _plain(value: Any) -> Any:
    """The value of a choice; psycopg would send its name."""
    return value.value if isinstance(value, Enum) else value


def saved(instance: Model, pk: Any) -> None:
    """Gives an instance that was inserted its id."""
    instance.pk = pk
    instance._state.adding, instance._state.db = False, connection.alias
