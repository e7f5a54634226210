"""Tasks that `manage.py db_worker` runs after the commit. Each one calls one service, and may run more than once.

The services enqueue them by the names of these functions, which rows of waiting tasks contain: rename none.
"""

from typing import Any

from django.utils import timezone
from django_tasks import task
from django_tasks.base import TaskContext

from booking import services


@task()
def carry_out_refund(refund_id: int) -> None:
    """Sends the money of a refund back; fails while the provider is unavailable, so that it is retried."""
    services.carry_out_refund(refund_id=refund_id, now=timezone.now())


@task()
def check_payment(payment_id: int) -> None:
    """Asks the provider whether a payment was made, because its event may be lost; repeated for a day until it ends."""
    services.check_payment(payment_id=payment_id, now=timezone.now())


@task(takes_context=True)
def enqueue_reset_links(context: TaskContext, email: str, origin: str) -> None:
    """Enqueues a mail with a link for a new password for each account with this address."""
    services.enqueue_reset_links(email=email, origin=origin, request_id=context.task_result.id, now=timezone.now())


@task(takes_context=True)
def send_reset_link(context: TaskContext, user_id: int, origin: str) -> None:
    """Mails the user a link for a new password."""
    services.send_reset_link(user_id=user_id, origin=origin, message_id=context.task_result.id)


@task(takes_context=True)  # type: ignore[arg-type]
def send_order_mail(context: TaskContext, mail: str, show_id: int, reference: str, **details: Any) -> None:
    """Mails the customer of an order; `details` are those of services/mail/outbox.py."""
    services.send_order_mail(
        mail=mail,
        show_id=show_id,
        reference=reference,
        details=details,
        message_id=context.task_result.id,
        now=timezone.now(),
    )
