"""Views of tickets: for their owner over the API, and a page for everybody who has its link."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.safestring import mark_safe
from django.views.generic import TemplateView, View
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from booking import services
from booking.models import Booking
from booking.serializers import (
    OrderTicketsSerializer,
    TicketKeysSerializer,
    TicketSerializer,
    represent_ticket,
    represent_tickets,
)
from booking.throttling import TicketThrottle
from booking.views.common import Public, account, own_origin
from booking.views.openapi import operation

REFUSALS = [services.NotFound, services.NoTicket]
SVG, PDF, CALENDAR = "image/svg+xml", "application/pdf", "text/calendar"


class TicketAPIView(APIView):
    """Each request counts under the limit for tickets."""

    throttle_classes = [TicketThrottle]

    def ticket(self, request: Request, pk: str) -> services.Ticket:
        """Return the ticket of a booking of the caller. Raises NotFound or NoTicket."""
        return services.find_ticket(user=account(request), booking_id=int(pk), now=timezone.now())

    def tickets(self, request: Request, reference: str) -> list[services.Ticket]:
        """Return the tickets of an order of the caller. Raises NotFound or NoTicket."""
        return services.find_tickets(user=account(request), reference=reference, now=timezone.now())


def _file(content: bytes | str, media_type: str, name: str) -> HttpResponse:
    response = HttpResponse(content, media_type)
    response["Content-Disposition"] = str(content_disposition_header(False, name))
    return response


def _name_of(booking: Booking, ending: str) -> str:
    return f"ticket-{booking.reference}-{booking.label}.{ending}"


class TicketView(TicketAPIView):
    @operation(
        name="get_ticket",
        tag="Tickets",
        summary="See the ticket of a booking",
        description="Each booked seat has a ticket. A move, a cancellation and a new ticket end the earlier ones.",
        responses={200: TicketSerializer},
        refusals=REFUSALS,
    )
    def get(self, request: Request, pk: str) -> Response:
        return Response(represent_ticket(self.ticket(request, pk), own_origin(request)))


class TicketPictureView(TicketAPIView):
    @operation(
        name="get_ticket_picture",
        tag="Tickets",
        summary="See the QR code of a ticket",
        file=SVG,
        refusals=REFUSALS,
    )
    def get(self, request: Request, pk: str) -> HttpResponse:
        booking = self.ticket(request, pk).booking
        return _file(services.ticket_svg(booking=booking), SVG, _name_of(booking, "svg"))


class TicketFileView(TicketAPIView):
    @operation(name="get_ticket_file", tag="Tickets", summary="Get a ticket to print", file=PDF, refusals=REFUSALS)
    def get(self, request: Request, pk: str) -> HttpResponse:
        ticket = self.ticket(request, pk)
        return _file(
            services.ticket_pdf(bookings=[ticket.booking], due=ticket.due), PDF, _name_of(ticket.booking, "pdf")
        )


class CalendarEntryView(TicketAPIView):
    @operation(
        name="get_calendar_entry",
        tag="Tickets",
        summary="Get the show for a calendar",
        description=(
            "With all booked seats of the order. The entries of an order have the same UID, and each one a higher "
            "SEQUENCE than the one before, so that calendars replace it."
        ),
        file=CALENDAR,
        refusals=REFUSALS,
    )
    def get(self, request: Request, pk: str) -> HttpResponse:
        ticket = self.ticket(request, pk)
        show, reference = ticket.booking.show, ticket.booking.reference
        entry = services.calendar_entry(
            show=show, reference=reference, seats=ticket.seats, now=timezone.now(), host=own_origin(request)
        )
        return _file(entry, f"{CALENDAR}; charset=utf-8", f"{reference}.ics")


class OrderTicketsView(TicketAPIView):
    @operation(
        name="list_order_tickets",
        tag="Tickets",
        summary="See the tickets of an order",
        description="One for each booked seat.",
        responses={200: OrderTicketsSerializer},
        refusals=REFUSALS,
    )
    def get(self, request: Request, reference: str) -> Response:
        return Response(represent_tickets(self.tickets(request, reference), own_origin(request)))


class OrderTicketsFileView(TicketAPIView):
    @operation(
        name="get_order_tickets_file",
        tag="Tickets",
        summary="Get the tickets of an order to print",
        description="One page for each booked seat.",
        file=PDF,
        refusals=REFUSALS,
    )
    def get(self, request: Request, reference: str) -> HttpResponse:
        tickets = self.tickets(request, reference)
        content = services.ticket_pdf(bookings=[ticket.booking for ticket in tickets], due=tickets[0].due)
        return _file(content, PDF, f"tickets-{reference}.pdf")


class TicketKeysView(Public, APIView):
    @operation(
        name="list_ticket_keys",
        tag="Tickets",
        summary="Get the keys that verify tickets",
        description="A JSON Web Key Set, with which a device verifies tickets without a network.",
        responses={200: TicketKeysSerializer},
        refusals=["bad_request"],
    )
    def get(self, request: Request) -> Response:
        return Response({"keys": services.public_keys()}, headers={"Cache-Control": "public, max-age=3600"})


# --- The page of a link -----------------------------------------------------------------------


class TicketPage(View):
    """Shows a ticket, in one document that needs nothing else, to everybody who has the link."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            ticket = services.find_linked_ticket(token=token, now=timezone.now())
        except services.NotFound:
            raise Http404 from None
        except services.NoTicket as refusal:
            return self._render({"reason": refusal.detail}, status=410)
        booking = ticket.booking
        # The picture consists of numbers that the service computed.
        code = mark_safe(services.ticket_svg(booking=booking))  # noqa: S308
        return self._render(
            {"booking": booking, "show": booking.show, "code": code, "due": services.due_text(due=ticket.due)}
        )

    def _render(self, context: dict[str, Any], status: int = 200) -> HttpResponse:
        # Without the request, whose session would be read from the database.
        response = HttpResponse(render_to_string("booking/ticket.html", context), status=status)
        response["Cache-Control"] = "private, no-cache"
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex"
        return response


class TicketWorker(TemplateView):
    """The service worker of the pages of tickets; its path is its scope."""

    template_name = "booking/ticket-worker.js"
    content_type = "text/javascript"
