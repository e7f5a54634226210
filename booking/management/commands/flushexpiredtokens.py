"""manage.py flushexpiredtokens"""

from typing import Any

from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.management.commands import flushexpiredtokens

from booking import services


class Command(flushexpiredtokens.Command):
    help = "Forgets used tokens that have run out, and ended sign-ins of which no token can be alive."

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        services.forget_ended_sign_ins(now=timezone.now())
