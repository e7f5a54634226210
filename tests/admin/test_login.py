"""The rate limits on signing in to the admin."""

import pytest
from django.test import Client

from booking.models import RateLimitWindow, User
from tests.factories import PASSWORD

URL = "/admin/login/?next=/admin/"


@pytest.fixture(autouse=True)
def _boss(db, settings):
    settings.LIMITS = settings.LIMITS | {"admin": (2, 3600)}
    User.objects.create_superuser("boss", password=PASSWORD)


def sign_in(username="boss", password="wrong", **extra):
    return Client().post(URL, {"username": username, "password": password}, **extra)


def test_too_many_attempts_are_refused_with_the_seconds_to_wait():
    answers = [sign_in() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    wait = answers[-1]["Retry-After"]
    assert answers[-1].context["form"].non_field_errors() == [f"Too many attempts. Please try again in {wait} seconds."]


def test_the_right_password_is_limited():
    assert [sign_in(password=password).status_code for password in ("a", "b", PASSWORD)] == [200, 200, 429]


def test_another_username_may_sign_in_from_the_same_address():
    statuses = [sign_in("nobody").status_code for _ in range(3)]
    assert (statuses, sign_in(password=PASSWORD).status_code) == ([200, 200, 429], 302)


def test_attempts_with_many_usernames_from_one_address_are_limited(settings):
    settings.LIMITS = settings.LIMITS | {"admin_address": (2, 3600)}
    assert [sign_in(f"user{number}").status_code for number in range(3)] == [200, 200, 429]


def test_a_user_who_signed_in_from_an_address_is_not_locked_out_there(settings):
    settings.LIMITS = settings.LIMITS | {"token_name": (2, 3600)}
    assert sign_in(password=PASSWORD, REMOTE_ADDR="198.51.100.1").status_code == 302
    statuses = [sign_in(REMOTE_ADDR=f"192.0.2.{number}").status_code for number in (1, 2)]
    assert statuses == [200, 429]
    assert sign_in(password=PASSWORD, REMOTE_ADDR="198.51.100.1").status_code == 302


def test_invalid_input_causes_no_server_error():
    assert [sign_in(username).status_code for username in ("", "a\x00b", "é" * 200)] == [200, 200, 200]


def test_the_empty_sign_in_form_is_shown():
    answer = Client().get(URL)
    assert (answer.status_code, "Retry-After" in answer) == (200, False)


def test_a_user_who_is_signed_in_is_redirected(box_office):
    assert box_office.get("/admin/login/?next=/").status_code in (200, 302)


def test_a_sign_in_without_a_password_trusts_no_address():
    sign_in(password="")
    assert not RateLimitWindow.objects.filter(key__startswith="trusted:").exists()


def test_an_address_that_the_owner_signed_in_from_is_trusted():
    sign_in(password=PASSWORD)
    assert RateLimitWindow.objects.filter(key__startswith="trusted:").count() == 1
