"""Resetting a password: recipients and validity of links, and secrecy of the accounts."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from rest_framework.test import APIClient

from booking.infrastructure.tokens import AccessToken, RefreshToken
from booking.infrastructure.worker import Worker
from booking.models import User
from booking.services import InvalidInput, request_reset_links, reset_password
from tests.bodies import field_errors
from tests.factories import PASSWORD, make_user
from tests.races import at_once
from tests.service import free_port
from tests.smtp import Inbox, mail_server
from tests.tokens import me, refresh, sign_in, status_and_code

EMAIL = "esha@example.com"
NEW_PASSWORD = "another fine phrase"
SENT = {"detail": "If an account has this e-mail address, a link has been sent to it."}
STALE_LINK = {"token": ["This link is invalid or has expired. Request a new one."]}


@pytest.fixture
def user(db):
    return make_user(username="esha", email=EMAIL)


def ask(email=EMAIL, **extra):
    return APIClient().post("/api/password-reset/", {"email": email}, **extra)


def confirm(uid, token, new_password=NEW_PASSWORD):
    return APIClient().post("/api/password-reset/confirm/", {"uid": uid, "token": token, "new_password": new_password})


def run_tasks():
    """Run the tasks that are due, and return all mails in Django's test outbox."""
    Worker().run_due()
    return mail.outbox


def link_of(email=EMAIL):
    """Return the id and the token of the only link that was sent to the address."""
    mail.outbox = []
    ask(email)
    [message] = run_tasks()
    return re.search("http://testserver/password-reset/(.*)/(.*)/\n", message.body).groups()


# --- Who gets a link --------------------------------------------------------------------------


def recipients(email):
    request_reset_links(email=email, origin="http://testserver", now=timezone.now())
    return [message.to for message in run_tasks()]


@pytest.mark.parametrize("typed", [EMAIL, "Esha@Example.COM"])
def test_a_link_goes_to_the_address_that_the_account_has(user, typed):
    assert recipients(typed) == [[EMAIL]]


@pytest.mark.parametrize("typed", ["asha@example.com", "", "%", "esha@example.co", "esha@exampleXcom"])
def test_an_unknown_address_gets_no_link(user, typed):
    assert recipients(typed) == []


def test_each_account_of_an_address_gets_a_link(user):
    make_user(username="asha", email=EMAIL)
    assert recipients(EMAIL) == [[EMAIL]] * 2
    assert sorted(re.search("the account (.*)\\.", message.body)[1] for message in mail.outbox) == ["asha", "esha"]


@pytest.mark.parametrize("fields", [{"is_active": False}, {"password": None}])
def test_an_account_that_can_not_sign_in_gets_no_link(db, fields):
    make_user(email=EMAIL, **fields)
    assert recipients(EMAIL) == []


@pytest.mark.parametrize("change", [{"is_active": False}, {"email": ""}, {"password": "!"}])
def test_an_account_deactivated_after_the_request_gets_no_link(user, change):
    ask()
    assert Worker().run_next()
    User.objects.update(**change)
    assert run_tasks() == []


def test_a_service_that_sends_no_mail_enqueues_no_task(user, settings):
    settings.SENDS_MAIL = False
    assert (ask().json(), DBTaskResult.objects.count()) == (SENT, 0)


def test_a_task_that_runs_twice_sends_one_mail(user):
    """Its worker may be killed after the tasks for the accounts are stored, and before it stores that it is done."""
    ask()
    Worker().run_next()
    DBTaskResult.objects.filter(status="SUCCESSFUL").update(status="READY")
    assert len(run_tasks()) == 1


# --- Asking -----------------------------------------------------------------------------------


def statements(email):
    """Return the statements that a request for the address sends, without the values."""
    with CaptureQueriesContext(connection) as queries:
        answer = ask(email)
    assert (answer.status_code, answer.json()) == (202, SENT)
    return [query["sql"].split("(")[0] for query in queries if "SAVEPOINT" not in query["sql"]]


@pytest.mark.django_db
def test_the_response_and_the_work_are_the_same_for_every_address(user):
    known, unknown = statements(EMAIL), statements("nobody@example.com")
    assert known == unknown
    assert not any("booking_user" in sql for sql in known)


@pytest.mark.django_db
def test_the_mail_links_to_the_service_s_own_page(user):
    ask()
    [message] = run_tasks()
    assert (message.subject, message.from_email) == ("Your new password", "tickets@localhost")
    path = re.search("http://testserver(/password-reset/.*/.*/)\n", message.body)[1]
    assert Client().get(path, follow=True).status_code == 200


@pytest.mark.django_db
def test_the_link_has_the_public_address_for_any_port_of_the_host(user, settings):
    settings.PUBLIC_URL = "https://tickets.example.com"
    ask(HTTP_HOST="testserver:9999")
    assert "https://tickets.example.com/password-reset/" in run_tasks()[0].body


@pytest.mark.django_db
def test_the_mail_links_to_the_configured_page_of_a_client(user, settings):
    settings.PASSWORD_RESET_URL = "https://app.example/new?u={uid}&t={token}"
    ask()
    uid, token = re.search("https://app.example/new\\?u=(.*)&t=(.*)\n", run_tasks()[0].body).groups()
    assert confirm(uid, token).status_code == 204


@pytest.mark.django_db
@pytest.mark.parametrize("email", ["", "esha", "a@b", "a@example.com\nBcc: b@example.com", None, ["a@example.com"]])
def test_an_invalid_address_is_refused(email):
    answer = ask(email)
    assert list(field_errors(answer)) == ["email"]


@pytest.mark.django_db
def test_an_unknown_host_is_not_used_in_a_link(user):
    assert ask(headers={"Host": "evil.example"}).status_code == 400


@pytest.fixture
def _two_an_hour(settings):
    names = ("password_reset", "password_reset_address", "password_reset_confirm")
    settings.LIMITS = settings.LIMITS | dict.fromkeys(names, (2, 3600))


@pytest.mark.django_db
@pytest.mark.usefixtures("_two_an_hour")
def test_requests_from_one_address_are_limited():
    assert [ask(f"{n}@example.com").status_code for n in range(3)] == [202, 202, 429]


@pytest.mark.django_db
@pytest.mark.usefixtures("_two_an_hour")
def test_the_limit_by_address_counts_requests_of_all_clients():
    emails = [EMAIL, EMAIL.upper(), f" {EMAIL}"]
    assert [ask(email, REMOTE_ADDR=f"192.0.2.{n}").status_code for n, email in enumerate(emails)] == [202, 202, 429]


@pytest.mark.django_db
@pytest.mark.usefixtures("_two_an_hour")
def test_attempts_with_links_are_limited():
    assert [confirm("MQ", "a-b").status_code for _ in range(3)] == [400, 400, 429]


# --- A new password ---------------------------------------------------------------------------


def test_a_link_sets_a_new_password(user):
    answer = confirm(*link_of())
    assert (answer.status_code, answer.content) == (204, b"")
    assert [sign_in(password=password).status_code for password in (PASSWORD, NEW_PASSWORD)] == [401, 200]


def test_a_new_password_invalidates_all_tokens(user):
    access, token = AccessToken.for_user(user), RefreshToken.for_user(user)
    confirm(*link_of())
    assert [status_and_code(call) for call in (me(access), refresh(token))] == [(401, "password_changed")] * 2


def test_a_link_can_be_used_once(user):
    link = link_of()
    confirm(*link)
    assert field_errors(confirm(*link)) == STALE_LINK


@pytest.mark.django_db(transaction=True)
def test_of_8_concurrent_uses_of_a_link_one_succeeds():
    make_user(email=EMAIL)
    link = link_of()
    answers = at_once([lambda: confirm(*link).status_code] * 8)
    assert sorted(answers) == [204] + [400] * 7


def test_a_link_is_valid_for_an_hour(user, settings):
    link = link_of()
    assert settings.PASSWORD_RESET_TIMEOUT == 3600
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert field_errors(confirm(*link)) == STALE_LINK


@pytest.mark.parametrize(
    "change", [{"email": "asha@example.com"}, {"is_active": False}, {"password": "!"}], ids=lambda change: str(change)
)
def test_a_link_is_invalid_after_a_change_of_the_account(user, change):
    link = link_of()
    User.objects.filter(pk=user.pk).update(**change)
    assert field_errors(confirm(*link)) == STALE_LINK


def test_a_link_is_not_valid_for_another_account(user):
    make_user(email="asha@example.com")
    (_, token), (uid, _) = link_of(), link_of("asha@example.com")
    assert field_errors(confirm(uid, token)) == STALE_LINK


BAD_IDS = ["é", "!", "=", "MQ==", "MA", "LTE", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "_____w", "YQ", "2aE"]


@pytest.mark.parametrize("uid", BAD_IDS)
def test_an_invalid_id_is_refused(user, uid):
    _, token = link_of()
    User.objects.filter(pk=user.pk).update(id=77)
    assert field_errors(confirm(uid, token)) == STALE_LINK


@pytest.mark.parametrize("token", ["x", "-", "a-b-c", "é-é", "zzzzzzzzzzzzz-a", "a" * 100])
def test_an_invalid_token_is_refused(user, token):
    assert field_errors(confirm(link_of()[0], token)) == STALE_LINK


def test_a_weak_password_is_refused_and_the_link_is_still_valid(user):
    link = link_of()
    answer = confirm(*link, new_password="1998")
    assert list(field_errors(answer)) == ["new_password"]
    assert confirm(*link).status_code == 204


def test_a_link_of_an_unknown_account_is_invalid(db):
    with pytest.raises(InvalidInput):
        reset_password(uid="MQ", token="a-b", new_password=NEW_PASSWORD)


# --- Our page ---------------------------------------------------------------------------------


def page_of(browser):
    """Open a new link and return the address of its form."""
    return browser.get("/password-reset/{}/{}/".format(*link_of()), follow=True)


def submit(browser, page, second=NEW_PASSWORD, first=NEW_PASSWORD):
    return browser.post(page.request["PATH_INFO"], {"new_password1": first, "new_password2": second})


def test_the_page_sets_a_new_password_and_invalidates_all_tokens(user):
    access, browser = AccessToken.for_user(user), Client()
    answer = submit(browser, page_of(browser))
    assert (answer.status_code, answer.url) == (302, "/password-reset/done/")
    assert "all devices were signed out" in browser.get(answer.url).content.decode()
    assert (me(access).status_code, sign_in(password=NEW_PASSWORD).status_code) == (401, 200)


def test_the_page_removes_the_token_from_its_address(user):
    assert page_of(Client()).request["PATH_INFO"].endswith("/set-password/")


def test_the_page_refuses_two_passwords_that_differ(user):
    browser = Client()
    assert submit(browser, page_of(browser), "other").status_code == 200
    assert sign_in().status_code == 200


@pytest.mark.parametrize(("length", "status"), [(128, 302), (129, 200), (140, 200)])
def test_the_page_refuses_passwords_that_are_too_long_for_a_sign_in(user, length, status):
    browser, password = Client(), "long" * 32 + "x" * (length - 128)
    answer = submit(browser, page_of(browser), password, password)
    too_long = "It must contain at most 128 characters." in answer.content.decode()
    assert (answer.status_code, too_long) == (status, status == 200)
    assert sign_in(password=password).status_code == (200 if status == 302 else 400)


@pytest.mark.usefixtures("_two_an_hour")
def test_attempts_on_the_page_are_limited(user):
    browser = Client()
    page = page_of(browser)
    assert [submit(browser, page, "other").status_code for _ in range(2)] == [200, 200]
    answer = submit(browser, page)
    assert (answer.status_code, 0 < int(answer["Retry-After"]) <= 3600) == (429, True)
    assert f"Please try again in {answer['Retry-After']} seconds." in answer.content.decode()
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.usefixtures("_two_an_hour")
def test_attempts_on_the_page_and_over_the_api_are_counted_together(user):
    browser = Client()
    page = page_of(browser)
    assert [confirm("MQ", "a-b").status_code for _ in range(2)] == [400, 400]
    assert submit(browser, page).status_code == 429


def test_the_page_reports_a_link_that_was_used_concurrently(user):
    browser = Client()
    page = page_of(browser)
    confirm(*link_of())
    assert "link was invalid" in submit(browser, page).content.decode()


def test_the_page_reports_an_account_that_was_deactivated_concurrently(user):
    browser = Client()
    page = page_of(browser)
    User.objects.update(is_active=False)
    answer = submit(browser, page)
    assert (answer.status_code, "link was invalid" in answer.content.decode()) == (200, True)
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["é/a-b", "MQ/x", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5/a-b", "%00/%00"])
def test_the_page_refuses_invalid_links(path):
    answer = Client().get(f"/password-reset/{path}/")
    assert (answer.status_code, "link was invalid" in answer.content.decode()) == (200, True)


# --- A mail server that is away ---------------------------------------------------------------


@pytest.mark.django_db
def test_a_link_is_mailed_after_an_outage_of_the_mail_server(user, smtp, caplog):
    smtp(free_port())
    answer = ask()
    run_tasks()
    assert (answer.status_code, answer.json(), EMAIL in caplog.text) == (202, SENT, False)
    with mail_server(inbox := Inbox()) as port:
        smtp(port)
        Worker(clock=lambda: timezone.now() + timedelta(minutes=2)).run_due()
    [message] = inbox.messages
    assert (message["To"], "http://testserver/password-reset/" in message.get_content()) == (EMAIL, True)


@pytest.mark.django_db
def test_a_link_that_is_sent_late_has_the_full_lifetime(user, settings):
    settings.PASSWORD_RESET_TIMEOUT = 3600
    request_reset_links(email=EMAIL, origin="http://testserver", now=timezone.now() - timedelta(hours=5))
    [message] = run_tasks()
    assert confirm(*re.search("reset/(.*)/(.*)/\n", message.body).groups()).status_code == 204


@pytest.mark.django_db
def test_mail_to_a_missing_mailbox_is_not_retried(user, smtp):
    ask()
    with mail_server(Inbox({EMAIL: f"550 No mailbox {EMAIL} here"})) as port:
        smtp(port)
        run_tasks()
    failed = DBTaskResult.objects.get(status="FAILED")
    assert EMAIL not in f"{failed.traceback}{failed.args_kwargs}"
