"""Signing in, refreshing and signing out over the API."""

from rest_framework.test import APIClient

from tests.conftest import signed_in
from tests.factories import PASSWORD

NEW_PASSWORD = "another fine phrase"


def sign_in(username="esha", password=PASSWORD):
    return APIClient().post("/api/token/", {"username": username, "password": password})


def refresh(token):
    return APIClient().post("/api/token/refresh/", {"refresh": str(token)})


def sign_out(token):
    return APIClient().post("/api/token/blacklist/", {"refresh": str(token)})


def me(access):
    return APIClient().get("/api/me/", HTTP_AUTHORIZATION=f"Bearer {access}")


def change_password(user):
    return signed_in(user).post("/api/me/password/", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})


def status_and_code(answer):
    return answer.status_code, answer.json().get("code")
