"""The endpoints for load balancers and monitoring."""

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from tests.factories import make_hold, make_show

pytestmark = pytest.mark.django_db


@pytest.fixture
def probe():
    """A client that uses an unknown host and plain HTTP."""
    return Client(HTTP_HOST="10.1.2.3")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_is_answered_for_any_host_and_scheme(probe, settings, path):
    settings.SECURE_SSL_REDIRECT = True
    response = probe.get(path)
    assert (response.status_code, response.json(), response["Cache-Control"]) == (200, {"status": "ok"}, "no-store")


def test_liveness_does_not_use_the_database(probe, django_assert_num_queries):
    with django_assert_num_queries(0):
        probe.get("/healthz")


def test_without_a_migration_the_service_is_not_ready(probe):
    MigrationRecorder(connection).record_unapplied("booking", "0002_triggers_and_groups")
    response = probe.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "migrations missing"})


def test_a_migration_of_a_newer_version_is_ignored(probe):
    MigrationRecorder(connection).record_applied("booking", "9999_of_the_next_version")
    assert probe.get("/readyz").status_code == 200


def database_away(*_):
    raise OperationalError


def test_without_the_database_the_service_is_not_ready(probe):
    with connection.execute_wrapper(database_away):
        response = probe.get("/readyz")
    assert (response.status_code, response.json()) == (503, {"status": "database unreachable"})


def test_without_the_database_metrics_lack_only_those_of_the_database(probe, settings):
    settings.DEBUG = True
    with connection.execute_wrapper(database_away):
        response = probe.get("/metrics")
    names = {line.split()[2] for line in response.content.decode().splitlines() if line.startswith("# TYPE")}
    assert (response.status_code, "refusals_total" in names, "active_holds" in names) == (200, True, False)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is no server to wait for")
def test_a_probe_does_not_wait_for_an_unresponsive_database(probe, monkeypatch):
    monkeypatch.setattr("movieticket.probes.PROBE_SECONDS", 0.2)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        response = probe.get("/readyz")
    finally:
        other.close()
        # As at the end of a request.
        connection.close()
    assert (response.status_code, response.json()) == (503, {"status": "database unreachable"})


def test_metrics_require_the_token(probe, settings):
    settings.METRICS_TOKEN = "token-of-the-monitoring"
    wrong = probe.get("/metrics", HTTP_AUTHORIZATION="Bearer ö")
    right = probe.get("/metrics", HTTP_AUTHORIZATION="Bearer token-of-the-monitoring")
    assert (wrong.status_code, wrong["WWW-Authenticate"], right.status_code) == (401, "Bearer", 200)


def test_without_a_token_there_are_no_metrics_in_production(probe):
    assert probe.get("/metrics").status_code == 404


def test_local_metrics_need_no_token(probe, settings):
    settings.DEBUG = True
    assert probe.get("/metrics")["Content-Type"].startswith("text/plain; version=")


def test_the_metrics_count_only_active_holds(probe, settings):
    settings.DEBUG = True
    make_hold(show=make_show(), held_since="2098-01-01T00:00Z", expires_at="2099-01-01T00:00Z")
    make_hold(show=make_show(), held_since="2020-01-01T00:00Z", expires_at="2020-01-01T01:00Z")
    assert "\nactive_holds 1.0\n" in probe.get("/metrics").content.decode()


def test_a_worker_reports_the_metrics_of_all_workers(probe, settings, monkeypatch, tmp_path):
    settings.DEBUG = True
    # No worker has counted anything in this folder.
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    figures = [line for line in probe.get("/metrics").content.decode().splitlines() if line[0] != "#"]
    assert [figure.split()[0] for figure in figures] == [
        "active_holds",
        "tasks_waiting",
        "oldest_task_seconds",
        "tasks_retrying",
        "tasks_failed",
    ]
