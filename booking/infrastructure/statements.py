"""Cached SQL statements, which the ORM compiles once and the service sends many times.

Compiling a queryset takes Django 0.3 to 0.7 ms, more than the rest of a booking request. A Statement caches the SQL
that the ORM compiled; PostgreSQL caches its plan. `send` sends several statements in one round trip.

This is the only module that uses private interfaces of Django's SQL compiler;
tests/infrastructure/test_statements.py tests them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from threading import RLock
from typing import Any, ClassVar, NamedTuple

from django.db import DEFAULT_DB_ALIAS, NotSupportedError, connection
from django.db.models import AutoField, Expression, Field, JSONField, Model, QuerySet, UUIDField, sql
from django.db.models.constants import OnConflict
from django.db.models.query import ModelIterable, get_related_populators

# Django's compiler modifies the queryset that it compiles, so only one thread may compile at a time.
_compiling = RLock()


class Parameter(Expression):
    """A parameter of a statement, whose value is passed when the statement is sent."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return "%s", [self]


class Parameters:
    """Creates the parameters of a queryset: `p.show_id` is the parameter show_id."""

    def __getattr__(self, name: str) -> Any:
        return Parameter(name)

    def several(self, name: str, number: int) -> list[Any]:
        """Return the parameters name_0, name_1, …; `numbered_values` makes their values."""
        return [Parameter(f"{name}_{n}") for n in range(number)]


def numbered_values(name: str, values: Iterable[Any]) -> dict[str, Any]:
    """Return the values of the parameters of `Parameters.several`."""
    return {f"{name}_{n}": value for n, value in enumerate(values)}


class Call(NamedTuple):
    """A statement and the values of its parameters."""

    statement: "Statement"
    values: list[Any]


class Statement(ABC):
    """SQL with named parameters. Calling a statement sends it alone and returns its results."""

    _all: ClassVar[list["Statement"]] = []

    def __new__(cls, *_: Any, **__: Any) -> Any:
        statement = super().__new__(cls)
        cls._all.append(statement)
        return statement

    @classmethod
    def compile_all(cls) -> None:
        """Compiles all statements, so that the first requests don't have to."""
        for statement in cls._all:
            statement.compile()

    def compile(self) -> None:
        _ = self.text

    def __call__(self, **values: Any) -> list[Any]:
        call = self.bind(**values)
        try:
            [result] = send(call)
        except NotSupportedError:
            # A migration has changed a column's type since PostgreSQL cached the plan; a new connection plans again.
            if connection.in_atomic_block:
                raise
            connection.close()
            [result] = send(call)
        return result

    def bind(self, **values: Any) -> Call:
        """Return the call with these values. Raises TypeError if a parameter is missing or unknown."""
        if values.keys() != self._names:
            raise TypeError(f"The statement takes {sorted(self._names)}, not {sorted(values)}.")
        return self.choose(values)

    def choose(self, values: dict[str, Any]) -> Call:
        """Like `bind`, but ignores values for unknown parameters."""
        return Call(self, [values[p.name] if isinstance(p, Parameter) else p for p in self._places])

    def results(self, rows: list[Any]) -> list[Any]:
        """Convert the rows of the database to the results of the call."""
        return rows

    @abstractmethod
    def compiled(self) -> tuple[str, list[Any]]:
        """Return the SQL with %s placeholders, and for each of them a Parameter or a constant value."""

    @property
    def text(self) -> str:
        """The SQL for the backend's `send`, with placeholders $1, $2, … on PostgreSQL and %s on SQLite."""
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
        # Constants become part of the SQL, because PostgreSQL uses a partial index in a prepared statement only if the
        # statement contains the index's condition. A parameter that occurs twice is sent once.
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
    """Sends the calls in one round trip and returns the results of each. On SQLite they run one by one.

    In `transaction.atomic()`, a pending BEGIN is sent with them, and with `commit` also the COMMIT. After a failed
    statement, later ones are skipped. Raises Django's database exceptions.
    """
    rows = connection.send([(call.statement.text, call.values) for call in calls], commit=commit)  # type: ignore[attr-defined]
    return [call.statement.results(own) for call, own in zip(calls, rows, strict=True)]


class Text(Statement):
    """Raw SQL, in which `{name}` stands for a parameter or for one of the `embedded` statements."""

    def __init__(self, template: str, **embedded: Statement) -> None:
        self._template = template
        self._embedded = embedded

    def compiled(self) -> tuple[str, list[Any]]:
        places: list[Any] = []
        embedded = self._embedded

        class Names(dict[str, str]):
            def __missing__(self, name: str) -> str:
                text, own = embedded[name].compiled() if name in embedded else ("%s", [Parameter(name)])
                places.extend(own)
                return text

        return self._template.format_map(Names()), places


class Query(Statement):
    """A queryset with parameters; returns instances, or rows if the queryset has values_list.

    `build` takes a Parameters and returns the queryset. A query with select_for_update needs a transaction.
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
        # Django compiles a query with select_for_update only in a transaction.
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
    """Converts rows of the database to rows of Python values."""

    def __init__(self, compiler: Any) -> None:
        self._converters = compiler.get_converters([column[0] for column in compiler.select])
        self._apply_converters = compiler.apply_converters

    def __call__(self, rows: list[Any]) -> list[Any]:
        return [*map(tuple, self._apply_converters(rows, self._converters))] if self._converters else rows


class _InstanceReader(_RowReader):
    """Does the work of Django's ModelIterable, but computes its column maps only once."""

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
    """Updates the rows of a queryset; `build` takes a Parameters and returns the queryset and the new values."""

    def __init__(self, build: Callable[[Parameters], tuple[QuerySet[Any, Any], dict[str, Any]]]) -> None:
        self._build = build

    def compiled(self) -> tuple[str, list[Any]]:
        queryset, values = self._build(Parameters())
        query: Any = queryset.order_by().query.chain(sql.UpdateQuery)
        query.add_update_values(values)
        text, places = query.get_compiler(connection.alias).as_sql()
        return text, list(places)


class Delete(Statement):
    """Deletes the rows of a queryset; `build` takes a Parameters and returns the queryset. Signals are not sent."""

    def __init__(self, build: Callable[[Parameters], QuerySet[Any, Any]]) -> None:
        self._build = build

    def compiled(self) -> tuple[str, list[Any]]:
        query: Any = self._build(Parameters()).order_by().query.chain(sql.DeleteQuery)
        text, places = query.get_compiler(connection.alias).as_sql()
        return text, list(places)


class Insert(Statement):
    """Inserts one instance of a model and returns its id, for `mark_saved`. Signals are not sent.

    Of the fields that convert their value for the database, JSONField and UUIDField are supported. Of enums, those that
    are texts or numbers are, as Django's choices; psycopg would send the name of another one's member.

    `replace_where_equal` lists the fields of a unique constraint; a conflicting row is updated.
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
        """Return the call that inserts this instance."""
        values = [getattr(instance, name) for name in self._attributes]
        for position, field in self._converted:
            values[position] = field.get_db_prep_save(values[position], connection)
        return Call(self, values)

    @cached_property
    def _attributes(self) -> list[str]:
        return [field.attname for field in self._fields]

    @cached_property
    def _converted(self) -> "list[tuple[int, Field[Any, Any]]]":
        return [(n, field) for n, field in enumerate(self._fields) if isinstance(field, JSONField | UUIDField)]


def mark_saved(instance: Model, pk: Any) -> None:
    """Sets the id and the state of an instance that was inserted."""
    instance.pk = pk
    instance._state.adding, instance._state.db = False, DEFAULT_DB_ALIAS
