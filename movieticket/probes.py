"""Endpoints for load balancers and monitoring, answered before other middleware runs.

Probes use an IP address as host and plain HTTP, so ALLOWED_HOSTS and the redirect to HTTPS don't apply to them.
"""

import hmac
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from movieticket.deadline import waiting_at_most
from movieticket.postgresql.connection import POOL_FOUND
from movieticket.request_body import FAULT

PROBE_SECONDS = 2.0

GetResponse = Callable[[HttpRequest], HttpResponse]


class ProbeMiddleware:
    """Answers /healthz, /readyz and /metrics."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = PROBES.get(request.path_info)
        # One whose body is at fault is refused as any other; it must not wait for the database.
        if probe is None or FAULT in request.META:
            return self.get_response(request)
        # Probes come every second; without this limit they would occupy all threads while the database is frozen.
        with waiting_at_most(PROBE_SECONDS):
            response = probe(request)
        response["Cache-Control"] = "no-store"
        return response


def alive(_: HttpRequest) -> HttpResponse:
    """Return 200 if the process is alive. The database is not checked: restarting the process would not repair it."""
    return JsonResponse({"status": "ok"})


def ready(_: HttpRequest) -> HttpResponse:
    """Return 200 if the database is available and all migrations of this version are applied, otherwise 503."""
    try:
        applied = MigrationRecorder(connection).applied_migrations()
    except Error:
        return JsonResponse({"status": "database unreachable"}, status=503)
    if _known_migrations() - set(applied):
        return JsonResponse({"status": "migrations missing"}, status=503)
    # SQLite's connection has no `is_pooled`.
    pool_found = settings.DATABASE_POOLED is None and getattr(connection.connection, "is_pooled", False)
    return JsonResponse({"status": "ok"} | ({"warning": POOL_FOUND} if pool_found else {}))


@lru_cache(maxsize=1)
def _known_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations)


def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics of all workers. The request needs METRICS_TOKEN, which is optional only with DEBUG on.

    The workers write to files in PROMETHEUS_MULTIPROC_DIR; the worker that serves the request adds them up.
    """
    token = settings.METRICS_TOKEN
    if not token and not settings.DEBUG:
        return JsonResponse({"status": "METRICS_TOKEN is not set"}, status=404)
    given = request.headers.get("Authorization", "").encode()
    if token and not hmac.compare_digest(given, f"Bearer {token}".encode()):
        return JsonResponse({"status": "token wanted"}, status=401, headers={"WWW-Authenticate": "Bearer"})
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    for gauge in _gauges:
        registry.register(gauge)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


@dataclass(frozen=True)
class _Gauge(Collector):
    """A metric that is read from the database and omitted while the database is unavailable."""

    name: str
    description: str
    read: Callable[[], float]

    def collect(self) -> Iterator[Metric]:
        try:
            value = self.read()
        except Error:
            return
        yield GaugeMetricFamily(self.name, self.description, value=value)


_gauges: list[_Gauge] = []


def add_gauge(name: str, description: str, read: Callable[[], float]) -> None:
    """Adds a metric to /metrics. Apps call this in AppConfig.ready()."""
    _gauges.append(_Gauge(name, description, read))


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": alive,
    "/readyz": ready,
    "/metrics": metrics,
}
