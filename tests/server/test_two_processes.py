"""Two processes that book seats at the same time on one SQLite file."""

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from functools import partial

import pytest

from booking.models import Show, User
from booking.services import book_seat
from tests.factories import NOW
from tests.races import at_once, outcome
from tests.service import PROJECT, UNTRACED, filled_sqlite

pytestmark = pytest.mark.server


def process(path, call):
    """Start a Python process that runs `call`, a function of this module, on the SQLite file `path`."""
    code = f"import django; django.setup(); from {__name__} import *; {call}"
    settings = {"DJANGO_SETTINGS_MODULE": "movieticket.settings", "DATABASE_URL": f"sqlite:///{path}"}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env={**os.environ, **UNTRACED, **settings},
    )


def buy(first, last):
    """Request seats 1 to 8 and another one for each customer, in threads of a separate process."""
    show = Show.objects.order_by("pk")[0]
    users = User.objects.filter(pk__range=(first, last))
    calls = [
        [
            partial(outcome, book_seat, user=user, show_id=show.pk, seat_number=seat, now=NOW)
            for seat in (8 + user.pk, *range(1, 9))
        ]
        for user in users
    ]
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(at_once([lambda calls=calls_of_user: [call() for call in calls] for calls_of_user in calls])))


def test_two_processes_on_one_sqlite_file_sell_each_seat_once(tmp_path):
    filled_sqlite(tmp_path)
    path = tmp_path / "db.sqlite3"
    sellers = [process(path, call) for call in ("buy(1, 4)", "buy(5, 8)")]
    for seller in sellers:
        assert seller.stdout.readline() == "ready\n"
    for seller in sellers:
        seller.stdin.write("go\n")
        seller.stdin.flush()
    ends = [seller.communicate() for seller in sellers]
    assert [errors for _, errors in ends] == ["", ""]
    outcomes = [outcome for output, _ in ends for outcomes in json.loads(output) for outcome in outcomes]
    assert Counter(outcomes) == {"done": 16, "seat_taken": 56}
    with sqlite3.connect(path) as database:
        seats = database.execute("SELECT seat_number FROM booking_booking WHERE status = 'booked' ORDER BY 1")
        assert [seat for (seat,) in seats] == list(range(1, 17))
