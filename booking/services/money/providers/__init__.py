"""The providers of payments. Each is a module with a class that has the methods of Provider.

PAYMENT_PROVIDERS maps their names to the dotted paths of their classes.
"""

from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from booking.services.money.providers.base import Provider
from booking.services.refusals import InvalidInput


@lru_cache
def _load(path: str) -> Provider:
    provider: Provider = import_string(path)()
    return provider


def load_providers() -> None:
    """Imports the modules of all providers; a package such as Stripe's takes a while."""
    for path in settings.PAYMENT_PROVIDERS.values():
        _load(path)


def provider_named(name: str) -> Provider:
    """Return the provider; one that has payments must stay in PAYMENT_PROVIDERS."""
    return _load(settings.PAYMENT_PROVIDERS[name])


def online_provider(name: str | None) -> str:
    """Return the name if customers can pay with this provider; without a name, the first such provider's.

    Raises InvalidInput.
    """
    online = [own for own, path in settings.PAYMENT_PROVIDERS.items() if _load(path).is_online]
    if not online:
        raise InvalidInput("provider", ["Online payment is not available; pay at the counter."], ["no_provider"])
    if name is not None and name not in online:
        raise InvalidInput("provider", [f"Choose one of {', '.join(online)}."], ["unknown_provider"])
    return name or online[0]
