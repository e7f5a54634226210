from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BookingConfig(AppConfig):
    name = "booking"
    verbose_name = "Cinema"

    def ready(self) -> None:
        # Needs the models' app registry.
        from booking.infrastructure.triggers import create_missing_triggers

        post_migrate.connect(create_missing_triggers, sender=self)

    def prepare_to_serve(self) -> None:
        """What a worker does before its first request, which would wait for it."""
        from booking.infrastructure.statements import Statement

        Statement.compile_all()
