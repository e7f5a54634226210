"""Connections to PostgreSQL, and the private interfaces of Django and psycopg that the service uses.

A test of the second kind fails with a sentence that names the module to look at.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from select import select
from socket import AF_INET, AF_UNIX, create_server, socket
from threading import Event

import psycopg
import pytest
from django.db import ProgrammingError, connection, transaction
from django.db.models import F, sql
from django.db.models.query import ModelIterable, ValuesListIterable, get_related_populators
from psycopg import generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, TransactionStatus

from booking.infrastructure.statements import Parameter, Text, send
from booking.models import Booking, Screen, Show
from booking.services.transactions import Interrupted, write_transaction
from movieticket.postgresql.connection import Connection
from tests.factories import make_show

pytestmark = pytest.mark.django_db

postgresql = pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite is another backend")


@contextmanager
def relied_on(interface, module):
    """Fail with a sentence if an interface is not as the module expects."""
    try:
        yield
    except Exception as error:  # noqa: BLE001
        pytest.fail(f"{interface} changed; see {module}. {type(error).__name__}: {error}")


# --- Django's SQL compiler --------------------------------------------------------------------

STATEMENTS = "booking/infrastructure/statements.py"


def compiled(queryset):
    compiler = queryset.query.get_compiler(connection.alias)
    compiler.as_sql()
    return compiler


def test_a_compiler_returns_the_columns_of_the_model():
    with relied_on("Django's SQLCompiler.select or klass_info", STATEMENTS):
        compiler = compiled(Show.objects.select_related("movie").annotate(double=F("total_seats") * 2))
        positions = compiler.klass_info["select_fields"]
        assert positions == list(range(positions[0], positions[-1] + 1))
        names = [column[0].target.attname for column in compiler.select[positions[0] : positions[-1] + 1]]
        assert names == [field.attname for field in Show._meta.concrete_fields]


def test_a_compiler_returns_the_positions_of_the_annotations():
    with relied_on("Django's SQLCompiler.annotation_col_map", STATEMENTS):
        compiler = compiled(Show.objects.annotate(double=F("total_seats") * 2))
        assert compiler.annotation_col_map == {"double": len(Show._meta.concrete_fields)}


def test_a_compiler_converts_the_values_of_the_database():
    with relied_on("Django's SQLCompiler.get_converters or apply_converters", STATEMENTS):
        compiler = compiled(Show.objects.annotate(double=F("total_seats") * 2).values_list("starts_at", "pk"))
        converters = compiler.get_converters([column[0] for column in compiler.select])
        assert isinstance(converters, dict)
        rows = [[None, 1], [None, 2]]
        assert [*map(tuple, compiler.apply_converters(rows, converters or {}))] == [(None, 1), (None, 2)]


def test_related_objects_are_populated_from_a_row():
    with relied_on("Django's get_related_populators", STATEMENTS):
        show = make_show()
        compiler = compiled(Show.objects.select_related("movie"))
        [populator] = get_related_populators(compiler.klass_info, compiler.select, connection.alias)
        [row] = compiler.execute_sql(chunked_fetch=False)[0]
        instance = Show()
        populator.populate(row, instance)
        assert instance.movie == show.movie


def test_a_queryset_knows_what_it_returns():
    with relied_on("Django's QuerySet._iterable_class", STATEMENTS):
        assert Show.objects.all()._iterable_class is ModelIterable
        assert Show.objects.values_list("pk")._iterable_class is ValuesListIterable


def test_a_parameter_passes_through_the_compiler():
    with relied_on("Django's treatment of an expression's parameters", STATEMENTS):
        _, parameters = Show.objects.filter(total_seats__gt=Parameter("n")).query.sql_with_params()
        assert [parameter.name for parameter in parameters] == ["n"]


def test_a_queryset_becomes_an_update():
    with relied_on("Django's UpdateQuery.add_update_values", STATEMENTS):
        query = Screen.objects.filter(pk=1).query.chain(sql.UpdateQuery)
        query.add_update_values({"name": "One"})
        text, parameters = query.get_compiler(connection.alias).as_sql()
        assert text.startswith("UPDATE ")
        assert parameters == ("One", 1)


def test_a_model_becomes_an_insert():
    with relied_on("Django's InsertQuery.insert_values or SQLInsertCompiler.returning_fields", STATEMENTS):
        query = sql.InsertQuery(Screen)
        fields = [Screen._meta.get_field(name) for name in ("name", "rows")]
        query.insert_values(fields, [Screen(name="One", rows=5)])
        compiler = query.get_compiler(connection.alias)
        compiler.returning_fields = [Screen._meta.pk]
        [(text, parameters)] = compiler.as_sql()
        assert re.match(r'INSERT INTO "booking_screen" \("name", "rows"\) VALUES \(%s, %s\) RETURNING ', text)
        assert [*parameters] == ["One", 5]


@postgresql
def test_a_literal_is_written_without_a_connection():
    other = connection.copy()
    literals = [other.literal(value) for value in ("it's", 5, None, Booking.Status.HELD)]
    assert (literals, other.connection) == (["'it''s'", "5", "NULL", "'held'"], None)


def test_an_instance_is_made_of_a_row_without_init():
    with relied_on("django.db.models.base.ModelState", "booking/models/loading.py"):
        screen = Screen.from_db("default", ["id", "name"], [5, "One"])
        assert (screen.pk, screen.name, screen._state.adding, screen._state.db) == (5, "One", False, "default")
        assert screen.get_deferred_fields() == {
            "plan_id",
            "price_list_id",
            "rows",
            "seats_per_row",
            "turnaround_minutes",
        }


# --- Django's backend for PostgreSQL ----------------------------------------------------------

BASE = "movieticket/postgresql/base.py"


@contextmanager
def database(**options):
    """Yield a new connection with other OPTIONS, and close it at the end."""
    settings = {**connection.settings_dict, "CONN_MAX_AGE": 0}
    other = type(connection.copy())(settings | {"OPTIONS": settings["OPTIONS"] | options}, "other")
    try:
        yield other
    finally:
        other.close()
        other.close_pool()


@postgresql
@pytest.mark.parametrize("options", [{}, {"pool": True}, {"pool": {"connection_class": Connection}}])
def test_every_connection_has_the_service_s_class(options):
    interface = "The way Django's backend makes a connection (Database.connect or OPTIONS['pool'])"
    with relied_on(interface, BASE), database(**options) as other:
        other.ensure_connection()
        assert isinstance(other.connection, Connection)
        assert bool(other.pool) is bool(options)


@postgresql
def test_a_connection_of_a_pool_sends_statements_and_is_returned():
    with database(pool={"connection_class": Connection, "min_size": 1, "max_size": 1}) as other:
        for n in (1, 2):
            assert other.send([("SELECT $1::int", [n]), ("SELECT 3", [])]) == [[(n,)], [(3,)]]
            other.close()


@postgresql
def test_errors_of_the_driver_become_django_s():
    with relied_on("Django's DatabaseWrapper.wrap_database_errors", BASE):
        with pytest.raises(ProgrammingError) as caught, transaction.atomic():
            send(Text("SELECT 1 FROM nowhere").bind())
        assert isinstance(caught.value.__cause__, psycopg.errors.UndefinedTable)


@postgresql
def test_statements_pass_the_wrappers_in_django_s_order():
    with relied_on("Django's DatabaseWrapper.execute_wrappers", BASE):
        passed = []

        def wrapper(name):
            def run(execute, text, parameters, many, context):
                passed.append((name, text, context["connection"].alias))
                return execute(text, parameters, many, context)

            return run

        with connection.execute_wrapper(wrapper("first")), connection.execute_wrapper(wrapper("last")):
            assert Text("SELECT 1")() == [(1,)]
        assert passed == [("first", "SELECT 1", "default"), ("last", "SELECT 1", "default")]


@postgresql
def test_statements_stand_in_the_log_of_queries(django_assert_num_queries):
    with relied_on("Django's DatabaseWrapper.queries_log", BASE):
        with django_assert_num_queries(1) as queries:
            Text("SELECT 1")()
        assert queries[0].keys() == {"sql", "time"}


@postgresql
@pytest.mark.django_db(transaction=True)
def test_a_transaction_knows_its_savepoints():
    with relied_on("Django's DatabaseWrapper.savepoint_ids or in_atomic_block", BASE), transaction.atomic():
        assert (connection.in_atomic_block, connection.savepoint_ids) == (True, [])
        with transaction.atomic():
            assert len(connection.savepoint_ids) == 1


@postgresql
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_ended_is_found_without_a_query(django_assert_num_queries):
    connection.ensure_connection()
    with django_assert_num_queries(0):
        assert connection.is_usable()
    pid = connection.connection.info.backend_pid
    with database() as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
    assert not connection.is_usable()
    connection.close()
    assert not connection.is_usable()


@postgresql
@pytest.mark.parametrize(("statements", "error"), [(1, psycopg.errors.AdminShutdown), (2, psycopg.OperationalError)])
def test_statements_on_a_connection_that_the_server_ended_raise_an_error(statements, error):
    calls = [("SELECT 1", ())] * statements
    with database() as other, connection.cursor() as cursor:
        other.ensure_connection()
        assert other.connection.run(calls) == [[(1,)]] * statements
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [other.connection.info.backend_pid])
        with pytest.raises(error):
            other.connection.run(calls)
        assert other.connection.closed


@contextmanager
def cut_connection():
    """Yield a connection through a proxy, and an event after which the proxy withholds six bytes and ends."""
    parameters = connection.connection.info.get_parameters()
    host, port = parameters["host"], parameters.get("port", 5432)
    cut = Event()

    def forward(listener):
        client, _ = listener.accept()
        with client, socket(AF_UNIX if host.startswith("/") else AF_INET) as server:
            server.connect(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, int(port)))
            while True:
                source = select([client, server], [], [])[0][0]
                data = source.recv(1 << 16)
                if not data:
                    return
                if source is client:
                    server.sendall(data)
                elif cut.is_set():
                    client.sendall(data[:-6])
                    return
                else:
                    client.sendall(data)

    with create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        pool.submit(forward, listener)
        own = {"host": "127.0.0.1", "port": listener.getsockname()[1], "sslmode": "disable", "gssencmode": "disable"}
        with closing(Connection.connect(**parameters | own)) as driver:
            driver.configure(pooled=False)
            yield driver, cut


@postgresql
def test_a_statement_whose_commit_was_not_confirmed_has_failed():
    """The server reports the end of a statement before it commits; ReadyForQuery, of six bytes, comes afterwards."""
    calls = [("SELECT set_config('movieticket.a', 'b', false)", ())]
    with cut_connection() as (driver, cut):
        assert driver.run(calls) == [[("b",)]]
        cut.set()
        with pytest.raises(psycopg.OperationalError):
            driver.run(calls)


# --- Sessions ---------------------------------------------------------------------------------

# Possible settings of a server.
OTHER_DEFAULTS = "-c default_transaction_isolation=serializable -c lock_timeout=0"


def isolation(other):
    with other.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        return cursor.fetchone()[0]


@postgresql
def test_transactions_are_read_committed_for_any_default_of_the_server():
    with database(options=OTHER_DEFAULTS) as other, transaction_of(other):
        assert other.send([("SHOW transaction_isolation", [])]) == [[("read committed",)]]


@postgresql
def test_transactions_of_the_orm_are_read_committed():
    with database(options=OTHER_DEFAULTS) as other, transaction_of(other):
        assert isolation(other) == "read committed"


@postgresql
def test_the_lock_timeout_is_2_seconds_for_any_default_of_the_server():
    with database(options=OTHER_DEFAULTS) as other:
        assert other.send([("SHOW lock_timeout", [])]) == [[("2s",)]]
        assert other.send([("SHOW idle_in_transaction_session_timeout", [])]) == [[("8s",)]]


@postgresql
def test_behind_a_pool_a_transaction_of_the_orm_has_the_session_s_settings():
    with database() as other:
        other.settings_dict["POOLED"] = True
        with transaction_of(other), other.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("2s",)


@postgresql
def test_autocommit_is_not_changed_within_a_transaction():
    with database() as other, transaction_of(other):
        other.send([("SELECT 1", [])])
        with pytest.raises(psycopg.ProgrammingError, match="can't change 'autocommit' now"):
            other.connection.set_autocommit(True)


@contextmanager
def transaction_of(other):
    """Open a transaction without Django's registry of connections, which lacks this one."""
    other.set_autocommit(False)
    yield
    other.rollback()


# --- psycopg ----------------------------------------------------------------------------------

CONNECTION = "movieticket/postgresql/connection.py"


@pytest.fixture
def driver(db):
    """psycopg's own connection, not ours."""
    connection.ensure_connection()
    parameters = connection.connection.info.get_parameters()
    with psycopg.connect(**parameters, autocommit=True) as driver:
        yield driver


def run(driver, *commands):
    """Return the results of commands of libpq in one pipeline."""
    pgconn = driver.pgconn

    def exchange():
        pgconn.enter_pipeline_mode()
        for command, *arguments in commands:
            getattr(pgconn, command)(*arguments)
        pgconn.pipeline_sync()
        yield from generators.send(pgconn)
        results = []
        for _ in commands:
            results += yield from generators.fetch_many(pgconn)
        yield from generators.fetch_many(pgconn)
        pgconn.exit_pipeline_mode()
        return results

    return driver.wait(exchange())


@postgresql
def test_libpq_sends_several_statements_in_one_round_trip(driver):
    with relied_on("psycopg's pipeline mode (PGconn, generators.send or fetch_many)", CONNECTION):
        results = run(
            driver,
            ("send_prepare", b"name", b"SELECT $1::int"),
            ("send_query_prepared", b"name", [b"5"]),
            ("send_query_params", b"SELECT $1::text", [b"a"]),
        )
        assert [result.status for result in results[1:]] == [ExecStatus.TUPLES_OK] * 2
        assert [result.get_value(0, 0) for result in results[1:]] == [b"5", b"a"]
        assert driver.pgconn.transaction_status == TransactionStatus.IDLE


@postgresql
def test_after_an_error_the_server_ignores_the_rest_of_a_pipeline(driver):
    with relied_on("psycopg's pipeline mode after an error", CONNECTION):
        results = run(
            driver,
            ("send_query_params", b"SELECT 1/0", []),
            ("send_query_params", b"SELECT 1", []),
        )
        assert [result.status for result in results] == [ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED]
        error = psycopg.errors.error_from_result(results[0], encoding=driver.info.encoding)
        assert isinstance(error, psycopg.errors.DivisionByZero)


@postgresql
def test_a_single_command_is_executed_by_a_generator(driver):
    with relied_on("psycopg's generators.execute or Connection.wait and lock", CONNECTION):
        driver.pgconn.send_query_params(b"SELECT 1", [])
        with driver.lock:
            [result] = driver.wait(generators.execute(driver.pgconn), 0.1, 5)
        assert result.get_value(0, 0) == b"1"


@postgresql
def test_a_transformer_writes_and_reads_values(driver):
    with relied_on("psycopg's Transformer (dump_sequence, set_pgresult or load_rows)", CONNECTION):
        transformer = Transformer(driver)
        values = transformer.dump_sequence([5, None, "a", True], [PyFormat.TEXT] * 4)
        assert [value and bytes(value) for value in values] == [b"5", None, b"a", b"t"]
        driver.pgconn.send_query_params(b"SELECT $1::int, $2::text, $3::text, $4::bool", values)
        [result] = driver.wait(generators.execute(driver.pgconn))
        transformer.set_pgresult(result)
        assert transformer.load_rows(0, result.ntuples, tuple) == [(5, None, "a", True)]


@postgresql
def test_a_warning_has_the_name_of_its_source_function(driver):
    with relied_on("psycopg's Diagnostic.source_function or add_notice_handler", CONNECTION):
        sources = []
        driver.add_notice_handler(lambda warning: sources.append(warning.source_function))
        driver.execute("DO $$ BEGIN RAISE WARNING 'look'; END $$")
        assert sources == ["exec_stmt_raise"]


# --- Prepared statements ----------------------------------------------------------------------


def prepared(other):
    return dict(other.send([("SELECT name, statement FROM pg_prepared_statements", [])])[0])


@postgresql
def test_a_prepared_statement_is_named_by_a_digest_of_its_text():
    """Through a pool, a session may know statements of other clients."""
    with database() as other:
        for n in (1, 2):
            other.send([("SELECT $1::int", [n]), ("SELECT 2", [])])
        statements = prepared(other)
        assert {"SELECT $1::int", "SELECT 2"} <= {*statements.values()}
        for name, text in statements.items():
            assert name == f"movieticket_{sha256(text.encode()).hexdigest()[:32]}"


@postgresql
def test_two_sessions_name_a_statement_alike():
    with database() as one, database() as two:
        for other in (one, two):
            other.send([("SELECT $1::int", [1])])
        assert prepared(one) == prepared(two)


@postgresql
def test_a_statement_that_another_client_prepared_is_used():
    with database() as other:
        name = f"movieticket_{sha256(b'SELECT $1::int').hexdigest()[:32]}"
        with other.cursor() as cursor:
            cursor.execute(f"PREPARE {name} AS SELECT $1::int")
        assert other.send([("SELECT $1::int", [5])]) == [[(5,)]]


@postgresql
@pytest.mark.django_db(transaction=True)
def test_a_statement_that_another_client_prepared_is_used_after_a_failed_transaction():
    name = f"movieticket_{sha256(b'SELECT 7::int').hexdigest()[:32]}"
    with connection.cursor() as cursor:
        cursor.execute(f"PREPARE {name} AS SELECT 7::int")

    def read_in_a_transaction():
        with write_transaction():
            connection.send([("SELECT 6::int", [])])
            connection.send([("SELECT 7::int", [])])

    with pytest.raises(Interrupted):
        read_in_a_transaction()
    assert connection.send([("SELECT 7::int", [])]) == [[(7,)]]


@postgresql
def test_a_statement_that_the_server_dropped_is_prepared_again():
    with database() as other:
        other.send([("SELECT $1::int", [5])])
        with other.cursor() as cursor:
            cursor.execute("DEALLOCATE ALL")
        with suppress(Exception):
            other.send([("SELECT $1::int", [5])])
        assert other.send([("SELECT $1::int", [5])]) == [[(5,)]]


@postgresql
def test_without_a_threshold_nothing_is_prepared():
    with database(prepare_threshold=None) as other:
        for n in (1, 2, 3):
            assert other.send([("SELECT $1::int", [n])]) == [[(n,)]]
        assert prepared(other) == {}


@postgresql
def test_the_plan_of_a_number_does_not_depend_on_its_size():
    with database() as other:
        for n in (5, 10**6, 10**12):
            other.send([("SELECT $1::bigint", [n])])
        assert list(prepared(other).values()).count("SELECT $1::bigint") == 1
