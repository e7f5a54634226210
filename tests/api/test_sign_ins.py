"""Sessions and their tokens: revoking one session, and all sessions of a user."""

from collections import Counter

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from booking.infrastructure.passwords import Argon2Hasher
from booking.infrastructure.tokens import AccessToken, RefreshToken
from booking.models import RevokedSession, User
from booking.services import revoke_all_sessions
from tests.conftest import signed_in
from tests.factories import PASSWORD, make_user
from tests.races import at_once
from tests.tokens import change_password, me, refresh, sign_in, sign_out, status_and_code

DEAD = (401, "token_not_valid")


def refreshed(token):
    """Refresh the token and return its successors."""
    answer = refresh(token)
    assert answer.status_code == 200
    return answer.json()


def statuses(tokens):
    """Return the statuses of requests with an access and a refresh token."""
    return [me(tokens["access"]).status_code, refresh(tokens["refresh"]).status_code]


# --- A refresh token in two hands -------------------------------------------------------------


def test_a_refresh_token_used_twice_invalidates_its_successors(user, no_grace):
    first = sign_in().json()
    second = refreshed(first["refresh"])
    assert status_and_code(refresh(first["refresh"])) == DEAD
    assert (status_and_code(me(second["access"])), status_and_code(refresh(second["refresh"]))) == (DEAD, DEAD)


def test_a_refresh_token_used_twice_invalidates_the_access_token(user, no_grace):
    first = sign_in().json()
    refreshed(first["refresh"])
    assert me(first["access"]).status_code == 200
    refresh(first["refresh"])
    assert status_and_code(me(first["access"])) == DEAD


def test_an_old_refresh_token_revokes_a_session_of_many_refreshes(user, no_grace):
    tokens = first = sign_in().json()
    for _ in range(4):
        tokens = refreshed(tokens["refresh"])
    refresh(first["refresh"])
    assert statuses(tokens) == [401, 401]


def test_another_session_of_the_same_user_stays_valid(user):
    stolen, other = sign_in().json(), sign_in().json()
    refreshed(stolen["refresh"])
    refresh(stolen["refresh"])
    assert statuses(other) == [200, 200]


@pytest.mark.django_db(transaction=True)
def test_of_8_concurrent_refreshes_one_succeeds_and_the_session_is_revoked(user, no_grace):
    token = RefreshToken.for_user(user)
    answers = at_once([lambda: refresh(token)] * 8)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 7}
    [won] = [answer.json() for answer in answers if answer.status_code == 200]
    assert statuses(won) == [401, 401]


@pytest.mark.django_db(transaction=True)
def test_a_thief_who_refreshes_first_loses_the_session(user, no_grace):
    used = RefreshToken.for_user(user)
    newest = refreshed(used)
    answers = at_once([lambda: refresh(newest["refresh"]), lambda: refresh(used)])
    alive = [answer.json() for answer in answers if answer.status_code == 200]
    assert [statuses(tokens) for tokens in alive] == [[401, 401]] * len(alive)


def test_signing_out_with_a_used_token_revokes_the_session(user):
    first = sign_in().json()
    second = refreshed(first["refresh"])
    assert status_and_code(sign_out(first["refresh"])) == DEAD
    assert statuses(second) == [401, 401]


# --- Signing out ------------------------------------------------------------------------------


def test_signing_out_invalidates_the_access_token_immediately(user):
    tokens = sign_in().json()
    sign_out(tokens["refresh"])
    assert status_and_code(me(tokens["access"])) == DEAD


def test_signing_out_does_not_affect_access_tokens_of_other_devices(user):
    here, there = sign_in().json(), sign_in().json()
    sign_out(here["refresh"])
    assert statuses(there) == [200, 200]


def everywhere(user):
    revoke_all_sessions(user=user)


@pytest.mark.parametrize("kill", [User.delete, change_password, everywhere])
def test_an_invalid_token_revokes_no_session(user, kill):
    token = RefreshToken.for_user(user)
    kill(user)
    assert (sign_out(token).status_code, RevokedSession.objects.count()) == (401, 0)


def test_signing_out_everywhere_invalidates_all_tokens(user):
    devices = [sign_in().json() for _ in range(2)]
    answer = signed_in(user).post("/api/me/logout-everywhere/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert [statuses(tokens) for tokens in devices] == [[401, 401]] * 2


def test_signing_out_everywhere_does_not_affect_other_users(user):
    token = AccessToken.for_user(make_user())
    signed_in(user).post("/api/me/logout-everywhere/")
    assert me(token).status_code == 200


def test_a_user_can_sign_in_after_signing_out_everywhere(user):
    signed_in(user).post("/api/me/logout-everywhere/")
    assert statuses(sign_in().json()) == [200, 200]


@pytest.mark.parametrize("kill", [change_password, everywhere])
def test_a_session_in_the_admin_ends_with_the_tokens(user, kill):
    User.objects.filter(pk=user.pk).update(is_staff=True)
    browser = Client()
    browser.force_login(User.objects.get(pk=user.pk))
    assert browser.get("/admin/").status_code == 200
    kill(user)
    assert browser.get("/admin/").status_code == 302


def test_a_password_set_in_the_admin_invalidates_tokens(user, staff):
    access = AccessToken.for_user(user)
    new = {"usable_password": "true", "password1": "another fine phrase", "password2": "another fine phrase"}
    assert staff.post(f"/admin/booking/user/{user.pk}/password/", new).status_code == 302
    assert status_and_code(me(access)) == (401, "password_changed")


def test_a_password_set_in_the_admin_can_be_used_to_sign_in(user, staff):
    new = {"usable_password": "true", "password1": "long " * 28, "password2": "long " * 28}
    page = staff.post(f"/admin/booking/user/{user.pk}/password/", new)
    assert "It must contain at most 128 characters." in page.content.decode()


def test_the_admin_shows_the_maximum_length_of_a_password(user, staff):
    page = staff.get(f"/admin/booking/user/{user.pk}/password/")
    assert "Your password must contain at most 128 characters." in page.content.decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda user: (user.set_password("another fine phrase"), user.save()),
        lambda user: (user.set_password(PASSWORD), user.save(update_fields=["password"])),
        lambda user: (user.set_unusable_password(), user.save(update_fields=["password"])),
    ],
)
def test_every_way_of_saving_a_password_invalidates_tokens(user, change):
    access = AccessToken.for_user(user)
    change(user)
    assert status_and_code(me(access)) == (401, "password_changed")


# --- What the database knows ------------------------------------------------------------------


def test_no_valid_token_is_stored_in_the_database(user):
    refreshed(sign_in().json()["refresh"])
    assert list(OutstandingToken.objects.values_list("user", "token")) == [(None, "")]


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_request_reads_its_account_once(user, client, django_assert_num_queries, method):
    with django_assert_num_queries(1):
        assert getattr(client, method)("/api/me/").status_code in (200, 405)


@pytest.mark.parametrize(("token_class", "call"), [(AccessToken, me), (RefreshToken, refresh)])
def test_a_token_of_an_earlier_version_is_invalid(user, token_class, call):
    User.objects.filter(pk=user.pk).update(session_key="")
    token = token_class()
    token["user_id"] = str(user.pk)
    assert status_and_code(call(token)) == DEAD


def test_a_revoked_session_has_a_name():
    assert str(RevokedSession(number=7)) == "7"


# --- The hash of a password -------------------------------------------------------------------

ARGON2 = "booking.infrastructure.passwords.Argon2Hasher"
PBKDF2 = "django.contrib.auth.hashers.PBKDF2PasswordHasher"


class CountedHasher(Argon2Hasher):
    """The service's hasher, which counts its runs."""

    runs = 0

    def encode(self, password, salt):
        type(self).runs += 1
        return super().encode(password, salt)

    def verify(self, password, encoded):
        type(self).runs += 1
        return super().verify(password, encoded)


@pytest.fixture
def counted(settings):
    settings.PASSWORD_HASHERS = [f"{__name__}.CountedHasher"]
    CountedHasher.runs = 0
    return CountedHasher


@pytest.mark.parametrize(
    ("fields", "username"),
    [
        ({}, "esha"),
        ({}, "nobody"),
        ({"is_active": False}, "esha"),
        ({"password": None}, "esha"),
        ({"password": ""}, "esha"),
    ],
    ids=["wrong password", "unknown name", "switched off", "no password", "empty password"],
)
@pytest.mark.django_db
def test_every_failed_sign_in_computes_one_hash_and_has_the_same_error(counted, fields, username):
    make_user(username="esha", **fields)
    counted.runs = 0
    with CaptureQueriesContext(connection) as queries:
        answer = sign_in(username, "wrong")
    assert sum("booking_user" in str(query["sql"]) for query in queries) == 1
    refusal = {"detail": "No active account found with the given credentials", "code": "no_active_account"}
    assert (answer.status_code, answer.json(), counted.runs) == (401, refusal, 1)


@pytest.mark.django_db
def test_a_successful_sign_in_computes_one_hash(counted):
    make_user(username="esha")
    counted.runs = 0
    assert (sign_in().status_code, counted.runs) == (200, 1)


@pytest.mark.django_db
def test_the_hash_has_the_parameters_of_owasp(settings):
    settings.PASSWORD_HASHERS = [ARGON2]
    assert make_password(PASSWORD).startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.fixture
def old_hash(settings, monkeypatch, db):
    """A user whose password was hashed by an earlier version."""
    # Instead of a million, each of which takes a microsecond.
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1_000)
    settings.PASSWORD_HASHERS = [ARGON2, PBKDF2]
    return User.objects.create(username="esha", password=make_password(PASSWORD, hasher="pbkdf2_sha256"))


def test_an_older_hash_is_replaced_at_the_next_sign_in(old_hash):
    assert sign_in().status_code == 200
    old_hash.refresh_from_db()
    assert old_hash.password.startswith("argon2$")
    assert sign_in().status_code == 200


def test_a_wrong_password_replaces_no_hash(old_hash):
    sign_in(password="wrong")
    assert User.objects.get().password == old_hash.password


def test_replacing_a_hash_revokes_no_session(old_hash):
    other = RefreshToken.for_user(old_hash)
    tokens = sign_in().json()
    assert statuses(tokens) == statuses({"access": other.access_token, "refresh": other}) == [200, 200]


def test_replacing_a_hash_keeps_a_concurrently_changed_password(old_hash):
    stale = User.objects.get()
    old_hash.set_password("another fine phrase")
    old_hash.save()
    assert stale.check_password(PASSWORD)
    assert [sign_in(password=password).status_code for password in (PASSWORD, "another fine phrase")] == [401, 200]


def test_replacing_a_hash_does_not_restore_revoked_tokens(old_hash):
    access, stale = AccessToken.for_user(old_hash), User.objects.get()
    revoke_all_sessions(user=old_hash)
    stale.check_password(PASSWORD)
    assert status_and_code(me(access)) == (401, "password_changed")


# --- What is not offered ----------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post"])
def test_there_is_no_endpoint_that_verifies_tokens(method):
    answer = getattr(APIClient(), method)("/api/token/verify/", {"token": "x"})
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found.", "code": "not_found"})
