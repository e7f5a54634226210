"""Signing in, refreshing tokens and signing out."""

from collections import Counter
from datetime import timedelta

import jwt
import pytest
from rest_framework_simplejwt.utils import aware_utcnow

from booking.infrastructure.tokens import AccessToken, RefreshToken
from tests.bodies import field_errors
from tests.conftest import signed_in
from tests.factories import PASSWORD, make_user
from tests.races import at_once
from tests.tokens import NEW_PASSWORD, change_password, me, refresh, sign_in, sign_out, status_and_code


def expired(token):
    token.set_exp(lifetime=-timedelta(seconds=10))
    return token


# --- Signing in -------------------------------------------------------------------------------


def test_the_access_token_of_a_sign_in_is_valid(user):
    assert me(sign_in().json()["access"]).json()["username"] == "esha"


def test_the_refresh_token_of_a_sign_in_is_valid(user):
    answer = refresh(sign_in().json()["refresh"])
    assert me(answer.json()["access"]).json()["username"] == "esha"


@pytest.mark.parametrize("username", ["esha", "Esha", "ESHA", "eShA", " esha "])
def test_a_username_may_be_entered_in_any_case(user, username):
    assert sign_in(username).status_code == 200


@pytest.mark.django_db
def test_a_username_in_capitals_can_be_entered_in_lower_case(anyone):
    anyone.post("/api/signup/", {"username": "EshaK", "password": PASSWORD})
    assert sign_in("eshak").status_code == 200


@pytest.mark.django_db
def test_spaces_at_the_ends_of_a_password_are_part_of_it(anyone):
    anyone.post("/api/signup/", {"username": "esha", "password": f"  {PASSWORD} "})
    assert sign_in(password=f"  {PASSWORD} ").status_code == 200
    assert sign_in(password=PASSWORD).status_code == 401


@pytest.mark.parametrize("password", [PASSWORD.upper(), f"{PASSWORD} ", f" {PASSWORD}", PASSWORD[:-1], " "])
def test_another_password_does_not_sign_in(user, password):
    assert status_and_code(sign_in(password=password)) == (401, "no_active_account")


@pytest.mark.parametrize("username", ["nobody", "esha2", "e%", "esha'--"])
def test_an_unknown_username_does_not_sign_in(user, username):
    assert status_and_code(sign_in(username)) == (401, "no_active_account")


def test_a_deactivated_account_does_not_sign_in(user):
    user.is_active = False
    user.save()
    assert status_and_code(sign_in()) == (401, "no_active_account")


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "fields"), [("", ["username", "password"]), ("refresh/", ["refresh"])])
def test_missing_fields_are_reported(anyone, path, fields):
    answer = anyone.post(f"/api/token/{path}", {})
    assert field_errors(answer) == {field: ["This field is required."] for field in fields}


# --- Refreshing -------------------------------------------------------------------------------


def test_refreshing_gives_two_new_tokens(user):
    old = sign_in().json()
    answer = refresh(old["refresh"])
    new = answer.json()
    assert (answer.status_code, sorted(new)) == (200, ["access", "refresh"])
    assert (new["access"] != old["access"], new["refresh"] != old["refresh"]) == (True, True)


def test_a_refresh_token_can_be_used_once(user, no_grace):
    token = RefreshToken.for_user(user)
    refresh(token)
    assert status_and_code(refresh(token)) == (401, "token_not_valid")


def test_a_refresh_token_used_again_immediately_has_the_same_successors(user):
    token = RefreshToken.for_user(user)
    assert refresh(token).json() == refresh(token).json()


def test_the_grace_period_begins_with_the_first_use(user, monkeypatch):
    token = RefreshToken.for_user(user)
    first = refresh(token).json()
    later = aware_utcnow() + timedelta(seconds=9)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    assert refresh(token).json() == first
    monkeypatch.setattr("django.utils.timezone.now", lambda: later + timedelta(seconds=9))
    assert refresh(token).status_code == 401


def test_two_tokens_have_different_successors(user):
    first, second = (refresh(RefreshToken.for_user(user)).json() for _ in range(2))
    assert not set(first.values()) & set(second.values())


def test_each_refresh_token_can_be_refreshed_again(user):
    token = sign_in().json()["refresh"]
    for _ in range(5):
        token = refresh(token).json()["refresh"]
    assert refresh(token).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_refresh_token_used_8_times_concurrently_has_the_same_successors(user):
    token = RefreshToken.for_user(user)
    answers = at_once([lambda: refresh(token)] * 8)
    assert Counter(map(status_and_code, answers)) == {(200, None): 8}
    assert len({answer.content for answer in answers}) == 1
    assert refresh(answers[0].json()["refresh"]).status_code == 200


@pytest.mark.parametrize("jti", ["x" * 1000, "\0", "a\ud800", 7, None, ["a"], "A" * 32])
@pytest.mark.parametrize("path", ["refresh/", "blacklist/"])
def test_a_refresh_token_with_an_invalid_id_is_refused(anyone, user, path, jti):
    token = RefreshToken.for_user(user)
    token["jti"] = jti
    answer = anyone.post(f"/api/token/{path}", {"refresh": str(token)})
    assert answer.status_code in (400, 401)


def test_a_token_of_a_server_whose_clock_is_ahead_is_valid(user):
    token = AccessToken.for_user(user)
    token.set_iat(at_time=aware_utcnow() + timedelta(seconds=3))
    assert me(token).status_code == 200


def test_a_token_from_the_future_is_refused(user):
    token = AccessToken.for_user(user)
    token.set_iat(at_time=aware_utcnow() + timedelta(seconds=60))
    assert me(token).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_a_token_refreshed_and_signed_out_concurrently_is_invalid(user):
    token = RefreshToken.for_user(user)
    at_once([lambda: refresh(token), lambda: sign_out(token)] * 4)
    assert status_and_code(refresh(token)) == (401, "token_not_valid")


def test_an_access_token_does_not_refresh(user):
    assert status_and_code(refresh(AccessToken.for_user(user))) == (401, "token_not_valid")


def test_an_expired_refresh_token_is_refused(user):
    assert status_and_code(refresh(expired(RefreshToken.for_user(user)))) == (401, "token_not_valid")


@pytest.mark.django_db
@pytest.mark.parametrize("call", [refresh, sign_out])
@pytest.mark.parametrize(
    "token", ["rubbish", "a.b.c", "...", "é.é.é", "e30.e30.e30", "x" * 2000, "eyJhbGciOiJub25lIn0.e30."]
)
def test_an_invalid_refresh_token_is_refused(call, token):
    assert status_and_code(call(token)) == (401, "token_not_valid")


def test_a_token_with_another_signature_is_refused(user):
    claims = RefreshToken.for_user(user).payload
    forged = jwt.encode(claims, "another key that is long enough for sure", algorithm="HS256")
    assert [status_and_code(answer) for answer in (refresh(forged), me(forged))] == [(401, "token_not_valid")] * 2


def test_a_token_without_a_signature_is_refused(user):
    forged = jwt.encode(AccessToken.for_user(user).payload, None, algorithm="none")
    assert status_and_code(me(forged)) == (401, "token_not_valid")


# --- Signing out ------------------------------------------------------------------------------


def test_signing_out_returns_an_empty_object(user):
    answer = sign_out(RefreshToken.for_user(user))
    assert (answer.status_code, answer.json()) == (200, {"detail": "Signed out."})


def test_a_refresh_token_is_invalid_after_signing_out(user):
    token = RefreshToken.for_user(user)
    sign_out(token)
    assert status_and_code(refresh(token)) == (401, "token_not_valid")


def test_signing_out_twice_is_refused(user):
    token = RefreshToken.for_user(user)
    sign_out(token)
    assert status_and_code(sign_out(token)) == (401, "token_not_valid")


def test_signing_out_does_not_affect_other_devices(user):
    here, there = RefreshToken.for_user(user), RefreshToken.for_user(user)
    sign_out(here)
    assert refresh(there).status_code == 200


# --- What kills tokens ------------------------------------------------------------------------


@pytest.mark.parametrize(("token_class", "call"), [(AccessToken, me), (RefreshToken, refresh)])
def test_a_deleted_user_s_token_is_invalid(user, token_class, call):
    token = token_class.for_user(user)
    user.delete()
    assert status_and_code(call(token)) == (401, "user_not_found")


@pytest.mark.parametrize(("token_class", "call"), [(AccessToken, me), (RefreshToken, refresh)])
def test_a_deactivated_account_s_token_is_invalid(user, token_class, call):
    token = token_class.for_user(user)
    user.is_active = False
    user.save()
    assert status_and_code(call(token)) == (401, "user_inactive")


@pytest.mark.parametrize(("token_class", "call"), [(AccessToken, me), (RefreshToken, refresh)])
def test_a_changed_password_invalidates_earlier_tokens(user, token_class, call):
    token = token_class.for_user(user)
    change_password(user)
    assert status_and_code(call(token)) == (401, "password_changed")


def test_a_changed_password_signs_in_and_the_old_one_does_not(user):
    change_password(user)
    assert [sign_in(password=NEW_PASSWORD).status_code, sign_in().status_code] == [200, 401]


def test_a_refused_password_change_invalidates_no_token(user):
    access = AccessToken.for_user(user)
    signed_in(user).post("/api/me/password/", {"current_password": "wrong", "new_password": NEW_PASSWORD})
    assert me(access).status_code == 200


def test_a_changed_password_does_not_affect_other_users(user):
    access = AccessToken.for_user(make_user())
    change_password(user)
    assert me(access).status_code == 200


def test_an_expired_access_token_is_refused(user):
    assert status_and_code(me(expired(AccessToken.for_user(user)))) == (401, "token_not_valid")


def test_a_refresh_token_is_not_accepted_as_an_access_token(user):
    assert status_and_code(me(RefreshToken.for_user(user))) == (401, "token_not_valid")


# --- The Authorization header -----------------------------------------------------------------

EMPTY_HEADERS = ["", " ", "\t"]
BAD_HEADERS = [
    *("Bearer", "Bearer ", "bearer", "Bearer,", "Bearer a b", "Bearer a b c d", "Bearer:a"),
    *("Basic ZXNoYTpwYXNz", "Token abc", "a.b.c", "é", "\x00", "null"),
]
BAD_TOKENS = [
    "rubbish",
    "a.b.c",
    ".",
    "..",
    "é",
    "ÿ.ÿ.ÿ",
    "\x00",
    "null",
    "x" * 10_000,
    "e30.e30.e30",
    "{}",
    "W10.W10.W10",
]


@pytest.mark.django_db
@pytest.mark.parametrize("header", EMPTY_HEADERS)
def test_an_empty_header_does_not_authenticate(anyone, header):
    answer = anyone.get("/api/me/", HTTP_AUTHORIZATION=header)
    assert status_and_code(answer) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.django_db
@pytest.mark.parametrize("header", BAD_HEADERS)
def test_a_header_without_bearer_and_token_is_refused(anyone, header):
    answer = anyone.get("/api/me/", HTTP_AUTHORIZATION=header)
    assert status_and_code(answer) == (401, "bad_authorization_header")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_request"'


def test_the_error_for_a_token_without_its_scheme_explains_the_header(anyone, user):
    answer = anyone.get("/api/me/", HTTP_AUTHORIZATION=str(AccessToken.for_user(user)))
    assert answer.json()["detail"] == (
        'The header Authorization must be the word "Bearer", a space, and the access token of POST /api/token/.'
    )


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "])
def test_the_scheme_may_be_in_any_case(anyone, user, scheme):
    answer = anyone.get("/api/me/", HTTP_AUTHORIZATION=f"{scheme} {AccessToken.for_user(user)}")
    assert answer.status_code == 200


def test_a_401_explains_how_to_get_a_token(anyone):
    detail = anyone.get("/api/me/").json()["detail"]
    assert detail == (
        "This needs an access token. Get one from POST /api/token/ and send it in the header: "
        "Authorization: Bearer <access token>."
    )


def test_the_challenge_for_an_invalid_token_has_the_error():
    answer = me("rubbish")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'
    assert answer.json()["detail"] == (
        "This token is invalid or has expired. Get a new one from POST /api/token/refresh/, or sign in again with "
        "POST /api/token/."
    )


def test_the_challenge_for_a_wrong_password_has_no_error(user):
    assert sign_in(password="wrong")["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.django_db
@pytest.mark.parametrize("token", BAD_TOKENS, ids=lambda token: ascii(token)[:20])
def test_an_invalid_access_token_is_refused(token):
    assert status_and_code(me(token)) == (401, "token_not_valid")


PUBLIC = ["/api/movies/", "/api/movies/{movie}/", "/api/movies/{movie}/shows/", "/api/shows/{show}/"]
HEADERS = [*EMPTY_HEADERS, *BAD_HEADERS, *(f"Bearer {token}" for token in BAD_TOKENS)]


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: ascii(header)[:20])
def test_public_reads_ignore_an_invalid_header(anyone, show, header):
    paths = [path.format(movie=show.movie_id, show=show.pk) for path in PUBLIC]
    answers = [anyone.get(path, HTTP_AUTHORIZATION=header) for path in paths]
    assert [answer.status_code for answer in answers] == [200] * 4


def test_public_reads_ignore_an_invalid_token(anyone, user, show):
    anyone.credentials(HTTP_AUTHORIZATION=f"Bearer {expired(AccessToken.for_user(user))}")
    paths = [path.format(movie=show.movie_id, show=show.pk) for path in PUBLIC]
    assert [anyone.get(path).status_code for path in paths] == [200] * 4


def test_signing_in_and_up_ignores_an_invalid_token(anyone, user):
    anyone.credentials(HTTP_AUTHORIZATION=f"Bearer {expired(AccessToken.for_user(user))}")
    signup = anyone.post("/api/signup/", {"username": "asha", "password": PASSWORD})
    token = anyone.post("/api/token/", {"username": "asha", "password": PASSWORD})
    assert (signup.status_code, token.status_code) == (201, 200)


def test_a_cached_token_is_refused_once_it_has_expired(client, monkeypatch):
    assert client.get("/api/me/").status_code == 200
    later = aware_utcnow() + timedelta(days=1)
    monkeypatch.setattr("booking.authentication.time", later.timestamp)
    monkeypatch.setattr("rest_framework_simplejwt.tokens.aware_utcnow", lambda: later)
    assert client.get("/api/me/").status_code == 401


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("exp", "1795000000"),
        ("exp", 10**30),
        ("user_id", "1" + "0" * 40),
        ("user_id", float("inf")),
        *[("user_id", value) for value in (True, 1.5, "٤", " 1", "1_0", "+1", "", [1])],
        *[("sid", value) for value in (None, False, 1.5, "x")],
        ("sid", 10**30),
        ("sid", -(10**30)),
        ("key", "\0"),
        ("key", "a\ud800"),
        ("key", "é"),
    ],
)
@pytest.mark.parametrize("path", ["/api/me/", "/api/shows/1/book/"])
def test_a_signed_token_with_invalid_claims_is_refused(anyone, user, path, claim, value):
    token = AccessToken.for_user(user)
    token[claim] = value
    method = anyone.get if path == "/api/me/" else anyone.post
    answer = method(path, {"seat_number": 1}, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


@pytest.mark.parametrize("user_id", [None, "nobody"])
def test_a_token_of_an_unknown_account_is_refused(anyone, db, user_id):
    token = AccessToken()
    if user_id:
        token["user_id"] = user_id
    answer = anyone.get("/api/me/", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
