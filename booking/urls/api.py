"""URLs under /api/. The trailing slash is optional."""

from django.urls import re_path
from rest_framework.routers import SimpleRouter

from booking.models import POSITIVE_ID
from booking.paths import REFERENCE
from booking.views import account, bookings, catalogue, door, password_reset, payments, tickets
from booking.views.common import NoSuchPathView
from booking.views.root import RootView

router = SimpleRouter()
router.trailing_slash = "/?"
router.register("movies", catalogue.MovieViewSet, "movie")
router.register(rf"movies/(?P<id>{POSITIVE_ID})/shows", catalogue.MovieShowsViewSet, "movie-shows")
router.register("shows", catalogue.ShowViewSet, "show")
router.register("my-bookings", bookings.MyBookingsViewSet, "my-bookings")
router.register("bookings", bookings.BookingViewSet, "booking")
router.register("orders", bookings.OrderViewSet, "order")

urlpatterns = [
    re_path("^$", RootView.as_view(), name="root"),
    re_path(rf"^shows/(?P<pk>{POSITIVE_ID})/book/?$", bookings.BookView.as_view(), name="show-book"),
    re_path(rf"^shows/(?P<pk>{POSITIVE_ID})/book-seats/?$", bookings.BookSeatsView.as_view(), name="show-book-seats"),
    re_path(rf"^shows/(?P<pk>{POSITIVE_ID})/hold/?$", bookings.HoldView.as_view(), name="show-hold"),
    re_path(rf"^bookings/(?P<pk>{POSITIVE_ID})/cancel/?$", bookings.CancelView.as_view(), name="booking-cancel"),
    re_path(rf"^bookings/(?P<pk>{POSITIVE_ID})/move/?$", bookings.MoveView.as_view(), name="booking-move"),
    re_path(rf"^shows/(?P<pk>{POSITIVE_ID})/seats/?$", catalogue.SeatMapView.as_view(), name="show-seats"),
    re_path(rf"^shows/(?P<pk>{POSITIVE_ID})/check-ins/?$", door.CheckInsView.as_view(), name="show-check-ins"),
    re_path(
        rf"^shows/(?P<pk>{POSITIVE_ID})/check-ins/undo/?$", door.UndoCheckInView.as_view(), name="show-check-ins-undo"
    ),
    re_path(rf"^seat-plans/(?P<pk>{POSITIVE_ID})/?$", catalogue.SeatPlanView.as_view(), name="seat-plan"),
    re_path(rf"^orders/(?P<reference>{REFERENCE})/cancel/?$", bookings.CancelOrderView.as_view(), name="order-cancel"),
    re_path(rf"^orders/(?P<reference>{REFERENCE})/pay/?$", payments.PayOrderView.as_view(), name="order-pay"),
    re_path(
        "^payments/(?P<provider>[a-z]{1,20})/events/?$", payments.PaymentEventsView.as_view(), name="payment-events"
    ),
    re_path(rf"^bookings/(?P<pk>{POSITIVE_ID})/ticket/?$", tickets.TicketView.as_view(), name="booking-ticket"),
    re_path(
        rf"^bookings/(?P<pk>{POSITIVE_ID})/ticket\.svg$",
        tickets.TicketPictureView.as_view(),
        name="booking-ticket-svg",
    ),
    re_path(
        rf"^bookings/(?P<pk>{POSITIVE_ID})/ticket\.pdf$", tickets.TicketFileView.as_view(), name="booking-ticket-pdf"
    ),
    re_path(
        rf"^bookings/(?P<pk>{POSITIVE_ID})/ticket\.ics$",
        tickets.CalendarEntryView.as_view(),
        name="booking-ticket-ics",
    ),
    re_path(
        rf"^orders/(?P<reference>{REFERENCE})/tickets/?$", tickets.OrderTicketsView.as_view(), name="order-tickets"
    ),
    re_path(
        rf"^orders/(?P<reference>{REFERENCE})/tickets\.pdf$",
        tickets.OrderTicketsFileView.as_view(),
        name="order-tickets-pdf",
    ),
    re_path("^tickets/keys/?$", tickets.TicketKeysView.as_view(), name="ticket-keys"),
    re_path("^signup/?$", account.SignupView.as_view(), name="signup"),
    re_path("^token/?$", account.TokenView.as_view(), name="token"),
    re_path("^token/refresh/?$", account.RefreshView.as_view(), name="token-refresh"),
    re_path("^token/blacklist/?$", account.LogoutView.as_view(), name="token-blacklist"),
    re_path("^me/?$", account.MeView.as_view(), name="me"),
    re_path("^me/export/?$", account.ExportView.as_view(), name="me-export"),
    re_path("^me/password/?$", account.PasswordView.as_view(), name="me-password"),
    re_path("^me/logout-everywhere/?$", account.LogoutEverywhereView.as_view(), name="me-logout-everywhere"),
    re_path("^password-reset/?$", password_reset.PasswordResetView.as_view(), name="password-reset"),
    re_path("^password-reset/confirm/?$", password_reset.NewPasswordView.as_view(), name="password-reset-confirm"),
    *router.urls,
    re_path("", NoSuchPathView.as_view()),
]
