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


def provider_named(name: str) -> Provider:
    """Raises InvalidInput for a provider that is not configured."""
    if name not in settings.PAYMENT_PROVIDERS:
        raise InvalidInput("provider", [f"There is no payment provider {name}."], ["unknown_provider"])
    return _load(settings.PAYMENT_PROVIDERS[name])


def default_provider() -> str:
    """Return the name of the provider that customers pay with unless they name one; the first that is online."""
    for name, path in settings.PAYMENT_PROVIDERS.items():
        if _load(path).is_online:
            return name
    raise InvalidInput("provider", ["Online payment is not available; pay at the counter."], ["no_provider"])
