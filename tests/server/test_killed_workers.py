"""A worker that is killed at any step loses no mail and no refund, and repeats none, with one exception.

The exception is between the acceptance of a mail by the server and its record; both mails have one Message-ID.
"""

import signal
from decimal import Decimal

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from booking.models import Payment, Refund
from booking.services import book_seats, cancel_order, pay_order, receive_event, request_reset_links
from booking.services.money.providers.base import EventKind
from booking.services.money.providers.demo import SIGNATURE, make_event, sign
from tests.factories import make_price_list, make_show, make_ticket_type, make_user
from tests.killed_workers import CLAIM, END, LINKS, MAIL, REFUND, exit_code, work, work_later
from tests.service import UNTRACED, database_url
from tests.smtp import Inbox, mail_server

pytestmark = [pytest.mark.server, pytest.mark.django_db(transaction=True)]
EMAIL = "ann@example.com"
SENT_TWICE = {"after the text is accepted", "before the end is stored"}
KILLED = -signal.SIGKILL


@pytest.fixture(autouse=True)
def _database_of_the_test(monkeypatch):
    """For the process that the workers are forked from, which starts with the first of them."""
    for name, value in {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "movieticket.settings"}.items():
        monkeypatch.setenv(name, value)
    for name, value in UNTRACED.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def port(inbox):
    with mail_server(inbox) as port:
        yield port


@pytest.fixture
def calls(tmp_path):
    """A file with a line for each call of the provider."""
    return tmp_path / "calls"


@pytest.fixture
def ann():
    return make_user(email=EMAIL)


def states():
    return set(DBTaskResult.objects.values_list("status", flat=True))


def ids(inbox):
    return [message["Message-ID"] for message in inbox.messages]


def book(user):
    show = make_show(price_list=make_price_list({("S", make_ticket_type()): Decimal(12)}))
    return book_seats(user=user, show_id=show.pk, seat_numbers=[3, 4], now=timezone.now())[0]


@pytest.mark.parametrize("step", [*CLAIM, *MAIL, *END])
def test_a_mail_arrives_twice_only_if_its_acceptance_was_not_stored(ann, inbox, port, calls, step):
    book(ann)
    assert exit_code(work, step, port, calls) == KILLED
    assert exit_code(work_later, port, calls) == 0
    assert (len(ids(inbox)), len(set(ids(inbox)))) == (2 if step in SENT_TWICE else 1, 1)
    assert states() == {"SUCCESSFUL"}


def refunded_order(user):
    """Create an order that was paid online and then cancelled; its refund waits for the worker."""
    booking, now = book(user), timezone.now()
    pay_order(user=user, reference=booking.reference, return_url="https://shop.example/", now=now)
    body = make_event(Payment.objects.get(), EventKind.PAID)
    receive_event(provider="demo", body=body, headers={SIGNATURE: sign(body)}, now=now)
    DBTaskResult.objects.all().delete()
    cancel_order(user=user, reference=booking.reference, now=now)


@pytest.mark.parametrize("step", [*CLAIM, *REFUND, *END])
def test_a_refund_is_carried_out_and_reported_once(ann, inbox, port, calls, step):
    refunded_order(ann)
    assert exit_code(work, step, port, calls) == KILLED
    assert exit_code(work_later, port, calls) == 0
    refund = Refund.objects.get()
    # The provider knows a repeated call by the id of the refund.
    assert set(calls.read_text().split()) == {str(refund.pk)}
    assert (refund.status, refund.provider_id, states()) == ("done", f"demo-refund-{refund.pk}", {"SUCCESSFUL"})
    assert sorted(message["Subject"].split()[0] for message in inbox.messages) == ["Cancelled:", "Refund"]


@pytest.mark.parametrize("step", [*CLAIM, *LINKS, *END])
def test_each_account_gets_one_link_for_a_new_password(ann, inbox, port, calls, step):
    make_user(email=EMAIL)
    request_reset_links(email=EMAIL, origin="http://testserver", now=timezone.now())
    assert exit_code(work, step, port, calls) == KILLED
    assert exit_code(work_later, port, calls) == 0
    assert (len(ids(inbox)), states()) == (2, {"SUCCESSFUL"})


def test_without_kills_everything_is_done_once(ann, inbox, port, calls):
    """The control: without kills, each task is run once."""
    refunded_order(ann)
    assert exit_code(work, "", port, calls) == 0
    assert exit_code(work_later, port, calls) == 0
    assert (len(calls.read_text().split()), len(ids(inbox)), states()) == (1, 2, {"SUCCESSFUL"})
