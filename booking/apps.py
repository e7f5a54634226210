from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils import timezone


class BookingConfig(AppConfig):
    name = "booking"
    verbose_name = "Cinema"

    def ready(self) -> None:
        # Needs the models' app registry.
        from booking import services
        from booking.infrastructure.triggers import create_missing_triggers
        from movieticket.probes import add_gauge

        post_migrate.connect(create_missing_triggers, sender=self)
        add_gauge("live_holds", "Seats that are held now.", lambda: services.count_holds(now=timezone.now()))

    def prepare_to_serve(self) -> None:
        """What a worker does before its first request, which would wait for it."""
        from booking.infrastructure.statements import Statement

        Statement.compile_all()
