"""Tickets on a phone: every picture is readable for scanners, and their pages open without a network."""

from io import BytesIO

import pytest
from PIL import Image, ImageEnhance, ImageFilter

from booking import services
from booking.models import Booking
from tests.factories import make_booking, make_movie, make_show
from tests.qr import codes_in, pages_of

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = {"width": 390, "height": 844}
PICTURES = {
    "as it is": lambda picture: picture,
    "small": lambda picture: picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BILINEAR),
    "rotated": lambda picture: picture.rotate(33, expand=True, fillcolor="gray", resample=Image.Resampling.BILINEAR),
    "upside down": lambda picture: picture.rotate(180),
    "at low brightness": lambda picture: ImageEnhance.Brightness(picture).enhance(0.2),
    "out of focus": lambda picture: picture.filter(ImageFilter.GaussianBlur(1.5)),
}


@pytest.fixture
def base_url(live_server):
    return live_server.url


@pytest.fixture
def booking(live_server):
    movie = make_movie(title="The long road to the cinema at the end of the world")
    return make_booking(show=make_show(movie=movie), seat_number=5, price=12)


@pytest.fixture
def path(booking):
    return services.ticket_path(booking=booking)


def picture_of(page):
    return Image.open(BytesIO(page.screenshot(full_page=True)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_scanner_reads_the_page_of_a_ticket(page, booking, path, scheme):
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme=scheme)
    page.goto(path)
    picture, ticket = picture_of(page), services.sign_ticket(booking=booking)
    assert {name: codes_in(change(picture)) for name, change in PICTURES.items()} == {
        name: [ticket] for name in PICTURES
    }


def test_a_scanner_reads_the_picture_of_a_ticket(page, booking):
    page.set_viewport_size({"width": 300, "height": 300})
    page.set_content(f"<body style='margin: 0; background: black'>{services.ticket_svg(booking=booking)}")
    assert codes_in(picture_of(page)) == [services.sign_ticket(booking=booking)]


@pytest.mark.parametrize("name", PICTURES)
def test_a_scanner_reads_the_printed_ticket(booking, name):
    [sheet] = pages_of(services.ticket_pdf(bookings=[booking], due=booking.price))
    picture = PICTURES[name](sheet.render(scale=4).to_pil())
    assert codes_in(picture) == [services.sign_ticket(booking=booking)]


def test_a_scanner_reads_the_printed_page(page, path, booking):
    page.goto(path)
    [sheet] = pages_of(page.pdf(format="A4"))
    assert codes_in(sheet.render(scale=2).to_pil()) == [services.sign_ticket(booking=booking)]


def test_a_scanner_reads_what_the_box_office_prints(page, boss, booking):
    pair = make_booking(show=booking.show, user=booking.user, reference=booking.reference, seat_number=6)
    page.add_init_script("window.print = () => {}")
    page.goto(f"/admin/booking/booking/{booking.pk}/print/")
    [sheet] = pages_of(page.pdf(format="A4"))
    found = codes_in(sheet.render(scale=2).to_pil())
    assert sorted(found) == sorted(services.sign_ticket(booking=one) for one in (booking, pair))


def test_the_code_is_visible_without_scrolling_and_the_page_fits_a_phone(page, path):
    page.set_viewport_size(PHONE)
    page.goto(path)
    box = page.get_by_role("img", name="QR code of the ticket").bounding_box()
    assert (box["y"] + box["height"] <= PHONE["height"], box["width"] > 300) == (True, True)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def open_and_store(page, path):
    page.goto(path)
    page.get_by_text("this page opens without a network").wait_for()


def test_a_ticket_that_was_opened_opens_without_a_network(page, context, path, booking):
    open_and_store(page, path)
    context.set_offline(True)
    page.reload()
    assert page.get_by_role("heading").inner_text() == booking.show.movie.title
    page.goto("about:blank")
    page.goto(path)
    assert codes_in(picture_of(page)) == [services.sign_ticket(booking=booking)]


def test_a_ticket_is_up_to_date_with_a_network(page, path, booking):
    open_and_store(page, path)
    booking.show.movie.title = "Another title"
    booking.show.movie.save()
    page.reload()
    assert page.get_by_role("heading").inner_text() == "Another title"


def test_an_invalidated_ticket_is_removed_from_the_storage(page, path):
    open_and_store(page, path)
    Booking.objects.update(ticket_serial=2)
    assert page.reload().status == 410
    assert page.evaluate("caches.match(location.href).then((stored) => stored === undefined)")


def test_a_failing_service_does_not_hide_a_stored_ticket(page, path, booking, settings):
    open_and_store(page, path)
    settings.ALLOWED_HOSTS = ["elsewhere.example"]
    page.reload()
    assert page.get_by_role("heading").inner_text() == booking.show.movie.title
