"""The rules of accounts, called directly, and their refusals over HTTP."""

from collections import Counter
from functools import partial

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.tokens import default_token_generator
from django.db import connection
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from booking.models import User
from booking.services import (
    Busy,
    InvalidInput,
    NotFound,
    change_password,
    reset_password,
    revoke_all_sessions,
    sign_up,
    update_email,
)
from tests.bodies import field_errors
from tests.factories import PASSWORD, make_user
from tests.races import at_once

NEW_PASSWORD = "another fine phrase"
NAME_TAKEN = ("username", ["A user with that username already exists."])


def refusal_of(call, **kwargs):
    """Return the field and the reasons with which `call` is refused."""
    with pytest.raises(InvalidInput) as caught:
        call(**kwargs)
    return caught.value.field, caught.value.reasons


# Passwords that are refused to a user called esha.kapoor, with the reason.
TOO_SHORT = "This password is too short. It must contain at least 8 characters."
BAD_PASSWORDS = [
    ("", [TOO_SHORT]),
    ("qw3rty!", [TOO_SHORT]),
    ("long " * 28, ["This password is too long. It must contain at most 128 characters."]),
    ("19980612", ["This password is entirely numeric."]),
    ("1998", [TOO_SHORT, "This password is entirely numeric."]),
    ("esha.kapoor", ["The password is too similar to the username."]),
    ("EshaKapoor1", ["The password is too similar to the username."]),
    ("kapoor@cinema.example", ["The password is too similar to the email address."]),
]


# --- Signing up -------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_new_account_is_that_of_a_customer():
    user = sign_up(username="esha", password=PASSWORD, email="esha@example.com")
    user.refresh_from_db()
    assert (user.username, user.email) == ("esha", "esha@example.com")
    assert (user.is_active, user.is_staff, user.is_superuser) == (True, False, False)


@pytest.mark.django_db
def test_a_password_is_stored_as_a_hash():
    user = sign_up(username="esha", password=PASSWORD)
    assert PASSWORD not in user.password
    assert user.check_password(PASSWORD)


@pytest.mark.django_db
def test_a_username_keeps_its_case():
    assert sign_up(username="EshaK", password=PASSWORD).username == "EshaK"


@pytest.mark.django_db
def test_the_domain_of_an_address_is_stored_in_lower_case():
    assert sign_up(username="esha", password=PASSWORD, email="Esha@EXAMPLE.com").email == "Esha@example.com"


@pytest.mark.django_db
def test_two_accounts_may_share_an_e_mail_address():
    for username in ("esha", "asha"):
        sign_up(username=username, password=PASSWORD, email="family@example.com")
    assert User.objects.count() == 2


@pytest.mark.parametrize("username", ["esha", "Esha", "ESHA"])
def test_a_taken_username_is_refused_in_any_case(user, username):
    assert refusal_of(sign_up, username=username, password=PASSWORD) == NAME_TAKEN
    assert list(User.objects.all()) == [user]


@pytest.mark.django_db
@pytest.mark.parametrize(("password", "reasons"), BAD_PASSWORDS)
def test_a_weak_password_is_refused_at_sign_up(password, reasons):
    account = {"username": "esha.kapoor", "email": "kapoor@cinema.example"}
    assert refusal_of(sign_up, **account, password=password) == ("password", reasons)
    assert User.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_username_requested_by_8_at_the_same_time_goes_to_one():
    def try_to_sign_up():
        try:
            return sign_up(username="esha", password=PASSWORD).username
        except InvalidInput as refusal:
            return refusal.field

    assert Counter(at_once([try_to_sign_up] * 8)) == {"esha": 1, "username": 7}
    assert User.objects.count() == 1


# --- Changing an account ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "stored"), [("esha@example.com", "esha@example.com"), ("Esha@EXAMPLE.com", "Esha@example.com"), ("", "")]
)
def test_an_address_can_be_changed_and_removed(user, email, stored):
    assert update_email(user=user, email=email) == user
    user.refresh_from_db()
    assert user.email == stored


def test_changing_an_address_writes_only_the_address(user):
    User.objects.filter(pk=user.pk).update(is_active=False)
    update_email(user=user, email="esha@example.com")
    user.refresh_from_db()
    assert user.is_active is False


def test_a_password_is_changed(user):
    change_password(user=user, current_password=PASSWORD, new_password=NEW_PASSWORD)
    user.refresh_from_db()
    assert (user.check_password(NEW_PASSWORD), user.check_password(PASSWORD)) == (True, False)


@pytest.mark.parametrize("current", ["", "wrong", PASSWORD.upper(), f"{PASSWORD} "])
def test_changing_a_password_requires_the_old_one(user, current):
    refusal = refusal_of(change_password, user=user, current_password=current, new_password=NEW_PASSWORD)
    assert refusal == ("current_password", ["This is not your current password."])
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize(("password", "reasons"), BAD_PASSWORDS)
def test_a_weak_new_password_is_refused(user, password, reasons):
    user.username, user.email = "esha.kapoor", "kapoor@cinema.example"
    refusal = refusal_of(change_password, user=user, current_password=PASSWORD, new_password=password)
    assert refusal == ("new_password", reasons)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


# --- Who comes in between ---------------------------------------------------------------------


class Hasher(MD5PasswordHasher):
    """A hasher that runs `act` meanwhile, and records whether a transaction was open."""

    acts, in_transaction = [], []

    def encode(self, password, salt):
        self.in_transaction.append(connection.in_atomic_block)
        if self.acts:
            self.acts.pop()()
        return super().encode(password, salt)


@pytest.fixture
def meanwhile(settings, transactional_db):
    settings.PASSWORD_HASHERS = [f"{__name__}.Hasher"]
    Hasher.acts, Hasher.in_transaction = [], []
    return Hasher.acts


def change(user):
    change_password(user=user, current_password=PASSWORD, new_password=NEW_PASSWORD)


def reset(user):
    uid, token = urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)
    reset_password(uid=uid, token=token, new_password=NEW_PASSWORD)


@pytest.mark.parametrize(("service", "hashes"), [(change, 2), (reset, 1)])
def test_no_lock_is_held_while_a_password_is_hashed(meanwhile, service, hashes):
    user = make_user()
    Hasher.in_transaction.clear()
    service(user)
    assert Hasher.in_transaction == [False] * hashes


def test_a_concurrent_second_change_requires_the_password_of_the_first(meanwhile):
    user = make_user()
    meanwhile.append(lambda: change(user))
    assert refusal_of(change, user=user) == ("current_password", ["This is not your current password."])


def test_a_password_is_changed_during_a_sign_out_everywhere(meanwhile):
    user = make_user()
    meanwhile.append(lambda: revoke_all_sessions(user=user))
    change(user)
    assert User.objects.get().check_password(NEW_PASSWORD)


def test_a_password_change_with_endless_conflicts_is_busy(meanwhile):
    user = make_user()
    # Two hashes an attempt.
    meanwhile.extend([partial(revoke_all_sessions, user=user)] * 4)
    with pytest.raises(Busy):
        change(user)
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.parametrize(("service", "refusal"), [(change, NotFound), (reset, InvalidInput)])
def test_a_concurrently_deleted_account_gets_no_password(meanwhile, service, refusal):
    user = make_user()
    meanwhile.append(User.objects.all().delete)
    with pytest.raises(refusal):
        service(user)


def test_a_concurrently_deactivated_account_gets_no_password(meanwhile):
    user = make_user()
    meanwhile.append(lambda: User.objects.update(is_active=False))
    assert refusal_of(reset, user=user)[0] == "token"
    assert User.objects.get().check_password(PASSWORD)


# --- Over HTTP --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_weak_password_is_refused_with_its_field(anyone):
    answer = anyone.post("/api/signup/", {"username": "esha", "password": "1998"})
    assert field_errors(answer) == {"password": [TOO_SHORT, "This password is entirely numeric."]}


def test_a_weak_new_password_is_refused_with_its_field(client):
    answer = client.post("/api/me/password/", {"current_password": PASSWORD, "new_password": "1998"})
    assert field_errors(answer) == {"new_password": [TOO_SHORT, "This password is entirely numeric."]}


@pytest.mark.parametrize("username", ["Esha", "ESHA"])
def test_a_taken_username_is_refused_with_its_field_in_any_case(anyone, user, username):
    answer = anyone.post("/api/signup/", {"username": username, "password": PASSWORD})
    assert field_errors(answer) == dict([NAME_TAKEN])


@pytest.mark.django_db
@pytest.mark.parametrize("username", ["a", "e.k@home+1_-", "x" * 150, "007"])
def test_usernames_of_allowed_characters_are_accepted(anyone, username):
    answer = anyone.post("/api/signup/", {"username": username, "password": PASSWORD})
    assert (answer.status_code, answer.json()["username"]) == (201, username)


@pytest.mark.django_db
def test_a_password_is_not_in_any_response(anyone):
    answer = anyone.post("/api/signup/", {"username": "esha", "password": PASSWORD})
    assert sorted(answer.json()) == ["email", "id", "username"]
