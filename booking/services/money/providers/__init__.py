"""The providers of payments. Each is a module with a class that has the methods of Provider.

PAYMENT_PROVIDERS maps their names to the dotted paths of their classes.
"""

from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from booking.services.money.providers.base import Provider, ProviderRefused
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
    """Return the provider; one that has payments should stay in PAYMENT_PROVIDERS. Raises ProviderRefused."""
    if name not in settings.PAYMENT_PROVIDERS:
        raise ProviderRefused(f"The provider {name} is switched off; check there what it has done.")
    return _load(settings.PAYMENT_PROVIDERS[name])


def online_provider(name: str | None) -> str:
    """Return the name if customers can pay with this provider; without a name, the first such provider's.

    Raises InvalidInput.
    """
    online = _names(lambda one: one.is_online)
    if not online:
        raise _no_provider()
    if name is not None and name not in online:
        raise InvalidInput("provider", [f"Choose one of {', '.join(online)}."], ["unknown_provider"])
    return name or online[0]


def has_payment_page() -> bool:
    """Return whether customers can pay on a page of a provider, without a program of the cinema."""
    return bool(_names(lambda one: one.has_page))


def provider_with_page() -> str:
    """Return the name of the first provider with a page on which customers pay. Raises InvalidInput."""
    if names := _names(lambda one: one.has_page):
        return names[0]
    raise _no_provider()


def _names(fits: Callable[[Provider], bool]) -> list[str]:
    """Return the names of the providers that fit, in the order of the setting."""
    return [name for name, path in settings.PAYMENT_PROVIDERS.items() if fits(_load(path))]


def _no_provider() -> InvalidInput:
    return InvalidInput("provider", ["Online payment is not available; pay at the counter."], ["no_provider"])
