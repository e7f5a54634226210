"""URLs outside /api/."""

from django.contrib.auth.views import PasswordResetCompleteView
from django.urls import path

from booking.views.password_reset import NewPasswordPage
from booking.views.root import BareRootView

urlpatterns = [
    path("api", BareRootView.as_view()),
    # Django's views and templates refer to these two by these names.
    path("password-reset/<uidb64>/<token>/", NewPasswordPage.as_view(), name="password_reset_confirm"),
    path(
        "password-reset/done/",
        PasswordResetCompleteView.as_view(template_name="booking/new_password_done.html"),
        name="password_reset_complete",
    ),
]
