"""The keys of tokens, and their replacement."""

import jwt
import pytest
from rest_framework_simplejwt.settings import api_settings

from booking.authentication import _token
from booking.infrastructure.tokens import AccessToken, RefreshToken, kid_of
from tests.tokens import me, refresh, status_and_code

OLD, NEW = "old" * 20, "new" * 20
DEAD = (401, "token_not_valid")


@pytest.fixture
def sign_with(settings):
    """A function that sets the signing key and the other verifying keys."""

    def sign_with(key, *older):
        _token.cache_clear()
        settings.JWT_SIGNING_KEY, settings.JWT_VERIFYING_KEYS = key, list(older)

    return sign_with


def test_a_token_has_the_id_of_its_key(user, sign_with):
    sign_with(NEW, OLD)
    assert jwt.get_unverified_header(str(AccessToken.for_user(user)))["kid"] == kid_of(NEW)
    assert kid_of(NEW) not in (kid_of(OLD), NEW)


def test_tokens_of_the_older_key_are_valid(user, sign_with):
    sign_with(OLD)
    access, token = str(AccessToken.for_user(user)), str(RefreshToken.for_user(user))
    sign_with(NEW, "another" * 10, OLD)
    assert (me(access).status_code, refresh(token).status_code) == (200, 200)


def test_a_refreshed_token_is_signed_by_the_newer_key(user, sign_with):
    sign_with(OLD)
    token = str(RefreshToken.for_user(user))
    sign_with(NEW, OLD)
    fresh = refresh(token).json()
    sign_with(NEW)
    assert (me(fresh["access"]).status_code, refresh(fresh["refresh"]).status_code) == (200, 200)


def test_tokens_of_a_removed_key_are_invalid(user, sign_with):
    sign_with(OLD)
    access, token = str(AccessToken.for_user(user)), str(RefreshToken.for_user(user))
    sign_with(NEW)
    assert (status_and_code(me(access)), status_and_code(refresh(token))) == (DEAD, DEAD)


def signed_by_hand(user, key, headers):
    return jwt.encode(AccessToken.for_user(user).payload, key, api_settings.ALGORITHM, headers=headers)


def test_a_token_without_a_key_id_is_verified_with_the_signing_key(user, sign_with):
    sign_with(NEW, OLD)
    answers = [me(signed_by_hand(user, key, {})) for key in (NEW, OLD)]
    assert [answer.status_code for answer in answers] == [200, 401]


@pytest.mark.parametrize("kid", [kid_of(OLD), "", "unknown", "../../etc/passwd", "' OR 1=1"])
def test_a_token_with_the_id_of_another_key_is_refused(user, sign_with, kid):
    sign_with(NEW, OLD)
    assert status_and_code(me(signed_by_hand(user, NEW, {"kid": kid}))) == DEAD


def test_the_secret_key_signs_by_default(settings):
    assert (settings.JWT_SIGNING_KEY, settings.JWT_VERIFYING_KEYS) == (settings.SECRET_KEY, [])
