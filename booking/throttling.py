"""How often a client may try, by settings named LIMIT_…"""

from hashlib import sha256

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView


def _digest(request: Request, field: str) -> str:
    """Of a text in the body, whatever its case: what a client sends has no place in a cache's key."""
    text = request.data.get(field) if isinstance(request.data, dict) else None
    return sha256(str(text).strip().lower().encode(errors="replace")).hexdigest()


class AddressThrottle(SimpleRateThrottle):
    """Counts by the client's address."""

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


class SignupThrottle(AddressThrottle):
    scope = "signup"


class RefreshThrottle(AddressThrottle):
    scope = "refresh"


class PasswordResetThrottle(AddressThrottle):
    scope = "password-reset"


class MailThrottle(SimpleRateThrottle):
    """Counts by the e-mail address that is to be written to, so that nobody's mailbox is filled."""

    scope = "password-reset"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": f"mail-{_digest(request, 'email')}"}


class TokenThrottle(SimpleRateThrottle):
    """Counts by user name and address, so that guessing at one name locks nobody else out."""

    scope = "token"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        ident = f"{self.get_ident(request)}-{_digest(request, 'username')}"
        return self.cache_format % {"scope": self.scope, "ident": ident}


class UserThrottle(SimpleRateThrottle):
    """Counts by user."""

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": request.user.pk}


class BookingThrottle(UserThrottle):
    scope = "booking"


class PasswordThrottle(UserThrottle):
    scope = "password"
