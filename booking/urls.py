"""Paths under /api/. Each is written with a trailing slash and works without it too."""

from django.urls import re_path
from rest_framework.routers import SimpleRouter

from booking import views

router = SimpleRouter()
router.trailing_slash = "/?"
router.register("movies", views.MovieViewSet, "movie")
router.register(rf"movies/(?P<id>{views.POSITIVE_ID})/shows", views.MovieShowsViewSet, "movie-shows")
router.register("shows", views.ShowViewSet, "show")
router.register("my-bookings", views.MyBookingsViewSet, "my-bookings")
router.register("bookings", views.BookingViewSet, "booking")

urlpatterns = [
    re_path("^signup/?$", views.SignupView.as_view(), name="signup"),
    re_path("^token/?$", views.TokenView.as_view(), name="token"),
    re_path("^token/refresh/?$", views.RefreshView.as_view(), name="token-refresh"),
    re_path("^token/blacklist/?$", views.LogoutView.as_view(), name="token-blacklist"),
    re_path("^me/?$", views.MeView.as_view(), name="me"),
    re_path("^me/password/?$", views.PasswordView.as_view(), name="me-password"),
    re_path(rf"^shows/(?P<pk>{views.POSITIVE_ID})/book/?$", views.BookView.as_view(), name="show-book"),
    *router.urls,
    re_path("", views.NoSuchPathView.as_view()),
]
