"""URLs outside /api/."""

from django.contrib.auth.views import PasswordResetCompleteView
from django.urls import path, re_path

from booking.views.documents import DocumentView
from booking.views.order_links import OrderCancelPage, OrderKeepPage, OrderPayPage
from booking.views.password_reset import NewPasswordPage
from booking.views.payments import DemoPaymentPage, PaymentDonePage
from booking.views.root import BareRootView
from booking.views.start import StartPage
from booking.views.tickets import TicketPage, TicketWorker

urlpatterns = [
    path("", StartPage.as_view(), name="start"),
    path("api", BareRootView.as_view()),
    path("swagger/", DocumentView.with_ui("swagger"), name="swagger"),
    path("redoc/", DocumentView.with_ui("redoc"), name="redoc"),
    re_path(r"^swagger\.(?P<format>json|yaml)$", DocumentView.without_ui(), name="schema"),
    path("demo-payment/<str:token>/", DemoPaymentPage.as_view(), name="demo-payment"),
    path("payment-done/", PaymentDonePage.as_view(), name="payment-done"),
    # Mail about a new time leads here.
    path("orders/<token>/keep/", OrderKeepPage.as_view(), name="order_keep"),
    path("orders/<token>/cancel/", OrderCancelPage.as_view(), name="order_cancel"),
    # Mail about booked seats that are not paid leads here.
    path("orders/<token>/pay/", OrderPayPage.as_view(), name="order_pay"),
    path("t/worker.js", TicketWorker.as_view(), name="ticket-worker"),
    path("t/<str:token>/", TicketPage.as_view(), name="ticket"),
    # Django's views and templates refer to these two by these names.
    path("password-reset/<uidb64>/<token>/", NewPasswordPage.as_view(), name="password_reset_confirm"),
    path(
        "password-reset/done/",
        PasswordResetCompleteView.as_view(template_name="booking/new_password_done.html"),
        name="password_reset_complete",
    ),
]
