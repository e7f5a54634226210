"""manage.py db_worker"""

import logging
import signal
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from booking.infrastructure.worker import Worker

logger = logging.getLogger(__name__)

NO_MAIL = "EMAIL_URL is not set, so the service sends no mail."
NO_STRIPE = "STRIPE_SECRET_KEY is not set, so nobody can pay with Stripe."


class Command(BaseCommand):
    """Replaces the command of django-tasks-db, whose worker does not retry."""

    help = "Runs tasks, such as sending mail. Several workers can run at the same time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--due", action="store_true", help="runs the tasks that are due, and ends")
        parser.add_argument("--parent", type=int, metavar="PID", help="ends when its parent process, PID, has ended")

    def handle(self, *args: Any, due: bool, parent: int | None, **options: Any) -> None:
        if not settings.SENDS_MAIL:
            logger.warning(NO_MAIL)
        if "stripe" not in settings.PAYMENT_PROVIDERS:
            logger.info(NO_STRIPE)
        worker = Worker(parent=parent)
        if due:
            self.stdout.write(f"Attempts: {worker.run_due()}")
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, worker.stop)
        worker.run()
