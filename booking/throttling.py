"""Who is counted under which limit; services/limits.py counts."""

from abc import abstractmethod
from typing import ClassVar

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from booking import services
from movieticket.addresses import client_address


def address_of(request: Request | HttpRequest) -> str:
    """The client's address, as far as it is to be believed."""
    meta = request.META
    return client_address(meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", ""), settings.TRUSTED_PROXIES)


def sent(request: Request, name: str) -> str:
    """A field of the body as text, whatever it is."""
    return str(request.data.get(name)) if isinstance(request.data, dict) else ""


class Throttle(BaseThrottle):
    """Asks `seconds_to_wait`, which each kind answers."""

    _seconds: int | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        self._seconds = self.seconds_to_wait(request)
        return self._seconds is None

    def wait(self) -> float | None:
        return self._seconds

    @abstractmethod
    def seconds_to_wait(self, request: Request) -> int | None:
        """How long to wait where this try is one too many."""


class AddressThrottle(Throttle):
    """Counts by the client's address."""

    limit: ClassVar[str]

    def seconds_to_wait(self, request: Request) -> int | None:
        return services.count_try(limit=self.limit, who=address_of(request))


class SignupThrottle(AddressThrottle):
    limit = "signup"


class RefreshThrottle(AddressThrottle):
    limit = "refresh"


class PasswordResetConfirmThrottle(AddressThrottle):
    limit = "password_reset_confirm"


class TokenThrottle(Throttle):
    """Counts tries to sign in."""

    def seconds_to_wait(self, request: Request) -> int | None:
        return services.count_sign_in(username=sent(request, "username"), address=address_of(request))


class PasswordResetThrottle(Throttle):
    """Counts by the e-mail address that is asked for, and then by where it is asked from."""

    def seconds_to_wait(self, request: Request) -> int | None:
        return services.count_password_reset(email=sent(request, "email"), address=address_of(request))


class BookingThrottle(Throttle):
    """Reads what BookingAuthentication has counted by user; counts the request of another authentication."""

    def seconds_to_wait(self, request: Request) -> int | None:
        if not hasattr(request.user, "seconds_to_wait"):
            return services.count_try(limit="booking", who=str(request.user.pk))
        seconds: int | None = request.user.seconds_to_wait
        return seconds


class PasswordThrottle(Throttle):
    """Counts by user."""

    def seconds_to_wait(self, request: Request) -> int | None:
        return services.count_try(limit="password", who=str(request.user.pk))
