"""All workers share a limit, which is exact: 2 processes with 8 threads each and a limit of 10."""

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest
from django.conf import settings
from rest_framework.throttling import SimpleRateThrottle

from booking import services
from tests.races import at_once
from tests.service import python, serving

pytestmark = [pytest.mark.server, pytest.mark.django_db(transaction=True)]

PROCESSES = 2
ATTEMPTS = 8


# --- In each of the processes -----------------------------------------------------------------


def try_at_once(call):
    """Run ATTEMPTS calls at the same time, once the standard input has a line, and print the number of allowed ones."""
    print("ready", flush=True)
    sys.stdin.readline()
    print(at_once([call] * ATTEMPTS).count(True), flush=True)


def try_both():
    """Try the counters in the database, then those of a process, which show that the first ones are shared."""
    settings.LIMITS["signup"] = (10, 3600)
    try_at_once(lambda: not services.count_attempt(limit="signup", key="192.0.2.1").is_exceeded)
    try_at_once(lambda: PerProcess().allow_request(None, None))


class PerProcess(SimpleRateThrottle):
    rate = "10/hour"

    def get_cache_key(self, request, view):
        return "192.0.2.1"


# --- The tests --------------------------------------------------------------------------------


def let_through(processes):
    """Return the number of attempts that all processes together allow."""
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    return sum(int(process.stdout.readline()) for process in processes)


def test_counters_in_the_database_allow_exactly_the_limit():
    code = f"import django; django.setup(); from {__name__} import try_both; try_both()"
    processes = [python("-c", code) for _ in range(PROCESSES)]
    assert [let_through(processes) for _ in range(2)] == [10, PROCESSES * ATTEMPTS]
    assert [process.communicate() for process in processes] == [("", "")] * PROCESSES


def sign_in(port):
    """Return the status of a sign-in with a wrong password, which is repeated while the service is busy."""
    status = 503
    while status == 503:
        client = HTTPConnection("127.0.0.1", port, timeout=60)
        body = json.dumps({"username": "esha", "password": "wrong"})
        client.request("POST", "/api/token/", body, {"Content-Type": "application/json"})
        answer = client.getresponse()
        answer.read()
        client.close()
        status = answer.status
    return status


@pytest.mark.once
def test_two_workers_of_the_server_allow_10_of_32_sign_ins():
    with serving(workers=2, LIMIT_TOKEN="10/hour") as port, ThreadPoolExecutor(32) as pool:
        statuses = list(pool.map(lambda _: sign_in(port), range(32)))
    assert Counter(statuses) == {401: 10, 429: 22}
