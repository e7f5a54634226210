from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from booking import services
from booking.management.commands import demo as command
from booking.models import Booking, Movie, Order, Screen, Show, User
from tests.factories import make_movie, make_user

pytestmark = pytest.mark.django_db


DAYS = command.DAYS


@pytest.fixture(autouse=True)
def _debug(settings):
    settings.DEBUG = True


@pytest.fixture(autouse=True)
def _three_days(monkeypatch):
    """Fewer shows, which are enough for most tests."""
    monkeypatch.setattr(command, "DAYS", 3)


def demo():
    out = StringIO()
    call_command("demo", stdout=out)
    return out.getvalue()


def test_it_creates_movies_shows_and_accounts():
    demo()
    assert (Movie.objects.filter(duration_minutes__gt=0).count(), Screen.objects.count()) == (24, 3)
    assert Show.objects.values_list("total_seats").distinct().count() == 3
    assert sorted(User.objects.values_list("username", flat=True)) == ["admin", "alice", "bruno"]
    assert Booking.objects.sold().count() > 80


def test_the_grand_hall_has_a_curved_front_and_an_aisle():
    demo()
    hall = Screen.objects.get(name="Grand Hall").hall
    assert [row[0].x for row in hall.rows[:7]] == [5, 4, 3, 2, 1, 1, 0]
    assert set(range(hall.width)) - {seat.x for seat in hall.seats} == {11, 12}


def test_the_halls_have_sofas_and_wheelchair_spaces():
    demo()
    categories = {screen.name: "".join(sorted(screen.hall.categories)) for screen in Screen.objects.all()}
    assert categories == {"Blue Room": "LPSW", "Grand Hall": "LPSW", "Studio": "SW"}


def test_shows_fill_the_next_14_days(monkeypatch):
    monkeypatch.setattr(command, "DAYS", DAYS)
    demo()
    days = {timezone.localdate(show.starts_at) for show in Show.objects.all()}
    assert len(days) >= 14
    assert min(Show.objects.values_list("starts_at", flat=True)) > timezone.now()


def test_every_movie_has_shows():
    demo()
    assert Movie.objects.filter(shows__isnull=False).distinct().count() == 24


def test_a_second_run_changes_nothing():
    demo()
    before = [list(model.objects.values()) for model in (Movie, Screen, Show, Booking, User)]
    assert ", 0 shows added" in demo()
    assert [list(model.objects.values()) for model in (Movie, Screen, Show, Booking, User)] == before


def test_a_later_run_adds_the_days_since():
    demo()
    newest = [show.pk for show in Show.objects.order_by("-starts_at")[:9]]
    Booking.objects.filter(show__in=newest).delete()
    Order.objects.filter(show__in=newest).delete()
    Show.objects.filter(pk__in=newest).delete()
    assert ", 9 shows added" in demo()


def test_shows_of_staff_are_not_replaced():
    screen = Screen.objects.create(name="Studio", rows=1, seats_per_row=1)
    now = timezone.now()
    starts_at, ends_at = now + timedelta(hours=1), now + timedelta(days=2)
    services.plan_show(movie=make_movie(), screen=screen, starts_at=starts_at, ends_at=ends_at, now=now)
    demo()
    assert Show.objects.filter(screen=screen, starts_at__lt=ends_at).count() == 1


def test_the_demo_logins_are_printed_and_work(anyone):
    out = demo()
    assert out.splitlines()[1:] == [
        "Login: alice, password cinema-demo",
        "Login: bruno, password cinema-demo",
        "Login: admin, password admin, for the admin",
    ]
    assert anyone.post("/api/token/", {"username": "alice", "password": "cinema-demo"}).status_code == 200


def test_existing_accounts_are_not_changed():
    make_user(username="Alice")
    assert "alice" not in demo()
    assert not Booking.objects.filter(user__username="Alice").exists()


def test_an_account_with_the_name_admin_is_not_changed():
    make_user(username="ADMIN")
    assert "for the admin" not in demo()
    assert not User.objects.filter(is_superuser=True).exists()


def test_a_cancelled_show_is_not_planned_again():
    demo()
    show = Show.objects.first()
    services.cancel_show(show_id=show.pk, now=timezone.now())
    demo()
    assert Show.objects.filter(screen=show.screen, starts_at=show.starts_at).count() == 1


def test_a_low_seat_limit_reduces_the_bookings(settings):
    settings.MAX_SEATS_PER_USER = 1
    demo()
    assert 0 < Booking.objects.count() <= 2 * Show.objects.count()


def test_retiring_deactivates_only_accounts_with_public_passwords(anyone):
    demo()
    bruno = User.objects.get(username="bruno")
    bruno.set_password("a secret of his own")
    bruno.save()
    out = StringIO()
    call_command("demo", "--retire", stdout=out)
    closed = [line.split()[4] for line in sorted(out.getvalue().splitlines()) if line.startswith("Disabled")]
    assert closed == ["admin:", "alice:"]
    assert anyone.post("/api/token/", {"username": "bruno", "password": "a secret of his own"}).status_code == 200


def retire():
    out = StringIO()
    call_command("demo", "--retire", stdout=out)
    return out.getvalue()


def test_retiring_explains_how_to_create_the_first_administrator():
    demo()
    assert retire().splitlines()[-1].endswith("manage.py createsuperuser")


def test_retiring_prints_no_hint_if_there_is_an_administrator():
    User.objects.create_superuser("boss", password="a secret of her own")
    assert retire() == ""


def test_without_debug_there_is_no_admin_and_no_public_password(settings, anyone):
    settings.DEBUG = False
    assert "password" not in demo()
    assert not User.objects.filter(is_staff=True).exists()
    assert anyone.post("/api/token/", {"username": "alice", "password": "cinema-demo"}).status_code == 401
