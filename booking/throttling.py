"""How often a client may try, by settings named LIMIT_…"""

from hashlib import sha256

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView


class AddressThrottle(SimpleRateThrottle):
    """Counts by the client's address."""

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}


class SignupThrottle(AddressThrottle):
    scope = "signup"


class RefreshThrottle(AddressThrottle):
    scope = "refresh"


class TokenThrottle(SimpleRateThrottle):
    """Counts by user name and address, so that guessing at one name locks nobody else out."""

    scope = "token"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        username = request.data.get("username") if isinstance(request.data, dict) else None
        # A digest: what a client sends has no place in a cache's key.
        name = sha256(str(username).strip().lower().encode(errors="replace")).hexdigest()
        ident = f"{self.get_ident(request)}-{name}"
        return self.cache_format % {"scope": self.scope, "ident": ident}


class UserThrottle(SimpleRateThrottle):
    """Counts by user."""

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": request.user.pk}


class BookingThrottle(UserThrottle):
    scope = "booking"


class PasswordThrottle(UserThrottle):
    scope = "password"
