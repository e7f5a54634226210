from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate, pre_migrate
from django.utils import timezone


class BookingConfig(AppConfig):
    name = "booking"
    verbose_name = "Cinema"

    def ready(self) -> None:
        # These modules import models, so they need the app registry.
        from booking import services
        from booking.infrastructure.tasks import read_backlog
        from booking.infrastructure.triggers import create_missing_triggers, drop_guards
        from movieticket.probes import add_gauge

        pre_migrate.connect(drop_guards, sender=self)
        post_migrate.connect(create_missing_triggers, sender=self)
        add_gauge("active_holds", "Seats that are currently held.", lambda: services.count_holds(now=timezone.now()))
        add_gauge("tasks_waiting", "Tasks that are due.", lambda: read_backlog(timezone.now()).waiting)
        add_gauge("oldest_task_seconds", "The longest wait.", lambda: read_backlog(timezone.now()).oldest_seconds)
        add_gauge("tasks_retrying", "Tasks that failed and wait.", lambda: read_backlog(timezone.now()).retrying)
        add_gauge("tasks_failed", "Tasks that were given up.", lambda: read_backlog(timezone.now()).failed)

    def prepare_to_serve(self) -> None:
        """Does work that the first request of a worker would otherwise have to wait for."""
        from booking import services
        from booking.infrastructure.statements import Statement

        Statement.compile_all()
        services.load_providers()


class CinemaAdminConfig(AdminConfig):
    default_site = "booking.admin.site.CinemaSite"

    def ready(self) -> None:
        # The site is in the package that registers with it. If looking for admin modules imported both, it would be
        # created twice, and the models registered with the first one.
        import booking.admin  # noqa: F401

        super().ready()
