from django.apps import AppConfig
from django.core.cache import close_caches
from django.core.signals import request_finished


class BookingConfig(AppConfig):
    name = "booking"
    verbose_name = "Cinema"

    def ready(self) -> None:
        # After each request Django would look for caches to close; ours are in memory.
        request_finished.disconnect(close_caches)
