"""Counting attempts under rate limits."""

import pytest
from django.db import DataError, connection

from booking import services
from booking.models import RateLimitWindow
from booking.services.accounts import counters, limits

pytestmark = pytest.mark.django_db


def limit(settings, **limits):
    settings.LIMITS = settings.LIMITS | {name: (most, 3600) for name, most in limits.items()}


def sign_in(username="esha", address="192.0.2.1", page="token"):
    """Count a sign-in, and return whether it is allowed."""
    return not services.count_sign_in(username=username, address=address, page=page).is_exceeded


def attempt(limit="signup", key="192.0.2.1"):
    """Count an attempt, and return whether it is allowed."""
    return not services.count_attempt(limit=limit, key=key).is_exceeded


# --- Counting ---------------------------------------------------------------------------------


def test_an_attempt_beyond_the_limit_waits_for_the_end_of_the_window(settings):
    limit(settings, signup=2)
    waits = [services.count_attempt(limit="signup", key="192.0.2.1").seconds_to_wait for _ in range(4)]
    assert waits[:2] == [None, None]
    assert all(3590 <= wait <= 3600 for wait in waits[2:])


def test_each_limit_and_each_client_has_a_count_of_its_own(settings):
    limit(settings, signup=1, refresh=1)
    attempts = [("signup", "192.0.2.1"), ("signup", "192.0.2.2"), ("refresh", "192.0.2.1"), ("signup", "192.0.2.1")]
    assert [attempt(name, who) for name, who in attempts] == [True, True, True, False]


def test_a_state_has_the_remaining_attempts_and_seconds(settings):
    limit(settings, signup=2)
    states = [services.count_attempt(limit="signup", key="192.0.2.1") for _ in range(4)]
    assert [(state.limit, state.remaining) for state in states] == [(2, 1), (2, 0), (2, 0), (2, 0)]
    assert all(3590 <= state.seconds_left <= 3600 for state in states)


def test_a_window_has_at_least_one_second_left(settings):
    limit(settings, signup=2)
    assert limits._state("signup", counters.Count(1, 0.0)).seconds_left == 1


def test_requests_are_counted_for_valid_tokens_only(settings, user):
    limit(settings, booking=1)

    def find(key):
        return services.find_account_and_count(limit="booking", claims=services.Claims(user.pk, 1, key))

    assert [find("dead") for _ in range(3)] == [None] * 3
    (found, state), (again, exceeded) = find(user.session_key), find(user.session_key)
    assert (found, state.seconds_to_wait, again) == (user, None, user)
    assert 3590 <= exceeded.seconds_to_wait <= 3600


def test_a_window_begins_with_its_first_attempt():
    counts = [counters.count(key="a", seconds=seconds) for seconds in (60, 3600)]
    assert [number for number, _ in counts] == [1, 2]
    assert all(50 < seconds_left <= 60 for _, seconds_left in counts)


def test_a_new_window_begins_after_the_end_of_the_last():
    counters.count(key="a", seconds=60)
    RateLimitWindow.objects.update(number=10, ends_at=1_000_000_000)
    number, seconds_left = counters.count(key="a", seconds=60)
    assert (number, 59 < seconds_left <= 60) == (1, True)


def test_a_key_has_a_window_until_its_end():
    counters.count(key="a", seconds=60)
    assert [counters.is_window_open(key=key) for key in ("a", "b")] == [True, False]


def test_an_ended_window_is_ignored():
    counters.count(key="a", seconds=60)
    RateLimitWindow.objects.update(ends_at=1_000_000_000)
    assert not counters.is_window_open(key="a")


@pytest.mark.parametrize("who", ["\x00", "\ud800", "é" * 10_000, "'; DROP TABLE", "", "\r\n", "%s"])
def test_any_text_of_a_client_can_be_a_key(settings, who):
    limit(settings, signup=1)
    assert [attempt(key=who) for _ in range(2)] == [True, False]


def test_a_key_is_a_hash_without_text_of_the_client():
    sign_in("esha@example.com")
    keys = RateLimitWindow.objects.values_list("key", flat=True)
    assert not any("esha" in key or "192" in key for key in keys)
    assert max(len(key) for key in keys) <= 64


def test_ended_windows_are_removed_at_intervals(monkeypatch):
    for key in ("old", "new"):
        counters.count(key=key, seconds=60)
    RateLimitWindow.objects.filter(key="old").update(ends_at=1_000_000_000)
    monkeypatch.setattr(counters, "_sweeping", counters.Interval(60, immediately=True))
    for _ in range(2):
        counters.count(key="another", seconds=60)
    assert sorted(RateLimitWindow.objects.values_list("key", "number")) == [("another", 2), ("new", 1)]


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no unlogged tables")
def test_counting_does_not_wait_for_the_disk():
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'booking_ratelimitwindow'")
        assert cursor.fetchone() == ("u",)


def test_other_errors_are_not_converted():
    def fail(*_):
        raise DataError

    with connection.execute_wrapper(fail), pytest.raises(DataError):
        counters.count(key="a", seconds=60)


# --- Signing in -------------------------------------------------------------------------------


def test_attempts_on_one_username_do_not_affect_others_at_the_address(settings):
    limit(settings, token=2, token_address=4)
    assert [sign_in("asha") for _ in range(9)] == [True, True] + [False] * 7
    assert [sign_in("esha"), sign_in("esha")] == [True, True]


def test_attempts_on_many_usernames_from_one_address_are_limited(settings):
    limit(settings, token_address=3)
    assert [sign_in(f"user{number}") for number in range(5)] == [True, True, True, False, False]


def test_attempts_on_one_username_from_many_addresses_are_limited(settings):
    limit(settings, token_name=3)
    assert [sign_in(address=f"192.0.2.{number}") for number in range(5)] == [True, True, True, False, False]


def test_attempts_from_other_addresses_do_not_lock_out_the_user(settings):
    limit(settings, token_name=3)
    services.trust_address(username="esha", address="198.51.100.1")
    assert [sign_in(address=f"192.0.2.{number}") for number in range(5)][-1] is False
    assert sign_in(" Esha", "198.51.100.1")


def test_trust_begins_again_with_each_sign_in(monkeypatch):
    monkeypatch.setattr("booking.services.accounts.limits.TRUST_SECONDS", 1)
    services.trust_address(username="esha", address="198.51.100.1")
    monkeypatch.setattr("booking.services.accounts.limits.TRUST_SECONDS", 1000)
    services.trust_address(username="esha", address="198.51.100.1")
    key = limits._trusted(limits._pair("esha", "198.51.100.1"))
    assert counters.count(key=key, seconds=1).seconds_left > 900


def test_attempts_of_a_limited_address_do_not_count_for_usernames(settings):
    limit(settings, token_address=1, token_name=1)
    assert [sign_in("asha"), sign_in("esha")] == [True, False]
    assert sign_in("esha", "198.51.100.1")


def test_an_address_is_trusted_only_for_the_username_that_signed_in(settings):
    limit(settings, token_name=1)
    services.trust_address(username="asha", address="198.51.100.1")
    assert [sign_in(), sign_in(address="198.51.100.1")] == [True, False]


def test_a_trusted_address_has_a_limit(settings):
    limit(settings, token=2)
    services.trust_address(username="esha", address="192.0.2.1")
    assert [sign_in() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("limits", "strictest"),
    [({"token": 9}, 9), ({"token_address": 7}, 7), ({"token_name": 5}, 5), ({"token": 8, "token_name": 6}, 6)],
)
def test_the_strictest_of_several_limits_is_returned(settings, limits, strictest):
    limit(settings, **{"token": 100, "token_address": 100, "token_name": 100} | limits)
    state = services.count_sign_in(username="esha", address="192.0.2.1")
    assert (state.limit, state.remaining) == (strictest, strictest - 1)


def test_the_exceeded_limit_is_returned(settings):
    limit(settings, token=1, token_address=2)
    states = [services.count_sign_in(username="esha", address="192.0.2.1") for _ in range(2)]
    assert [(state.limit, state.is_exceeded) for state in states] == [(1, False), (1, True)]


def test_attempts_in_the_admin_share_only_the_limit_by_username(settings):
    limit(settings, token=1, admin=1, token_name=2)
    assert [sign_in(), sign_in(), sign_in(page="admin"), sign_in(page="admin")] == [True, False, True, False]
    assert not sign_in(address="192.0.2.2")


# --- Password reset ---------------------------------------------------------------------------


def reset(email, address="192.0.2.1"):
    return not services.count_password_reset(email=email, address=address).is_exceeded


def test_requests_for_one_mailbox_are_limited(settings):
    limit(settings, password_reset=1)
    attempts = [
        ("esha@example.com", "192.0.2.1"),
        (" ESHA@example.com ", "192.0.2.2"),
        ("asha@example.com", "192.0.2.1"),
    ]
    assert [reset(*one) for one in attempts] == [True, False, True]


def test_requests_for_passwords_from_one_address_are_limited(settings):
    limit(settings, password_reset_address=2)
    assert [reset(f"user{number}@example.com") for number in range(3)] == [True, True, False]
