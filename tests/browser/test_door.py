"""The door of a show, in a browser: with a scanner, a camera, a photo, by hand, and without the network."""

import re
from datetime import timedelta

import pytest
import segno
from django.db.models import F
from django.utils import timezone
from playwright.sync_api import expect

from booking import services
from booking.models import Booking, CheckIn, Show
from booking.services.door.tickets import sign_ticket
from tests.browser import ARGUMENTS
from tests.browser.conftest import Watch, sign_in
from tests.door import admit, make_door_staff
from tests.factories import make_booking, make_show

pytestmark = pytest.mark.django_db(transaction=True)
WEEK = timedelta(days=7)
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def base_url(live_server):
    return live_server.url


@pytest.fixture
def show(live_server):
    """A show whose doors are open."""
    return make_show(starts_at=timezone.now() + timedelta(minutes=20))


@pytest.fixture
def booking(show):
    return make_booking(show=show, seat_number=5, created_at=timezone.now())


@pytest.fixture
def pair(booking):
    """A second booking in the order of `booking`."""
    order = {"user": booking.user, "reference": booking.reference}
    return make_booking(show=booking.show, seat_number=6, created_at=timezone.now(), **order)


@pytest.fixture
def person(context, live_server):
    person = make_door_staff()
    sign_in(context, person)
    return person


@pytest.fixture
def door(page, person, show):
    return open_door(page, show)


@pytest.fixture
def other_door(browser, base_url, person, show):
    """The door of the same show on another device."""
    context = browser.new_context(base_url=base_url)
    sign_in(context, person)
    page = context.new_page()
    watch = Watch(page)
    yield open_door(page, show)
    assert watch.errors == []
    context.close()


def open_door(page, show):
    page.goto(f"/admin/booking/show/{show.pk}/door/")
    expect(page.locator("#door-sold")).to_have_text(re.compile(r"\d"))
    return page


def scan(page, text):
    """Type as a handheld scanner does: fast, and then Enter."""
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def expect_answer(page, word, *texts):
    expect(page.locator("#door-name")).to_have_text(word)
    for text in texts:
        expect(page.locator("#door-answer")).to_contain_text(text)


def rows():
    return list(CheckIn.objects.order_by("pk").values_list("booking_id", "action", "reason"))


# --- Scanners and references ------------------------------------------------------------------


def test_a_scanner_admits_a_ticket_once(door, booking):
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Go", "✓", "A5")
    expect(door.locator("#door-count")).to_contain_text("1 of 1 admitted · last A5 at ")
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Stop", "✕", "A5 was already admitted at ", "Somebody came in with this ticket.")
    assert rows() == [(booking.pk, "in", "")]


def test_admissions_and_refusals_differ_in_colour(door, booking):
    colours = []
    for word in ("Go", "Stop"):
        scan(door, sign_ticket(booking=booking))
        expect_answer(door, word)
        colours.append(door.locator("#door-answer").evaluate("panel => getComputedStyle(panel).backgroundColor"))
    assert colours == ["rgb(15, 122, 42)", "rgb(176, 0, 32)"]


def test_two_scanners_admit_a_ticket_once(door, other_door, booking):
    for page in (door, other_door):
        page.keyboard.type(sign_ticket(booking=booking))
    for page in (door, other_door):
        page.keyboard.press("Enter")
    for page in (door, other_door):
        expect(page.locator("#door-name")).not_to_have_text("Scan a ticket")
    words = sorted(page.locator("#door-name").text_content() for page in (door, other_door))
    assert (words, rows()) == (["Go", "Stop"], [(booking.pk, "in", "")])


def test_a_scan_is_read_with_the_focus_anywhere(door, booking):
    door.get_by_role("button", name="Check").focus()
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Go", "A5")


def test_a_reference_is_typed_and_the_seat_is_chosen(door, booking, pair):
    scan(door, booking.reference.lower())
    expect_answer(door, "Which seat?")
    door.get_by_role("button", name="A6", exact=True).click()
    expect_answer(door, "Go", "A6")
    door.get_by_role("button", name="A5", exact=True).click()
    expect_answer(door, "Go", "A5")
    expect(door.locator("#door-text")).to_be_focused()


def test_an_unpaid_order_is_refused_with_the_amount_due(door, booking):
    Booking.objects.update(price=12)
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Stop", "12.00 EUR is still to be paid", "Send the customer to the box office to pay.")


def test_an_admission_is_undone_with_a_reason(door, booking):
    scan(door, sign_ticket(booking=booking))
    door.get_by_role("button", name="Undo A5").click()
    door.get_by_label("Undo A5. Reason").fill("Wrong ticket")
    door.keyboard.press("Enter")
    expect_answer(door, "Undone", "A5")
    expect(door.locator("#door-scans")).to_contain_text("Undone: Wrong ticket")
    expect(door.locator("#door-text")).to_be_focused()
    assert rows() == [(booking.pk, "in", ""), (booking.pk, "undo", "Wrong ticket")]


def test_a_door_shows_what_another_one_admitted(door, person, booking):
    admit(booking, person, now=timezone.now(), device="Left door")
    expect(door.locator("#door-count")).to_contain_text("1 of 1 admitted")
    expect(door.locator("#door-scans")).to_contain_text("Left door")


def test_the_device_keeps_its_name(door, booking):
    door.get_by_label("Name of this device").fill("Left door")
    door.locator("#door-text").focus()
    door.reload()
    expect(door.get_by_label("Name of this device")).to_have_value("Left door")
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Go")
    assert CheckIn.objects.get().device == "Left door"


def test_the_door_fits_on_a_phone(door, booking):
    door.set_viewport_size(PHONE)
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Go")
    assert door.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    expect(door.locator("#door-text")).to_be_in_viewport()


# --- Without the network ----------------------------------------------------------------------


def test_a_door_works_without_the_network_and_sends_its_scans_later(booking, door):
    door.context.set_offline(True)
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Go", "A5", "Checked without the network.")
    expect(door.locator("#door-network")).to_contain_text("1 scan waits to be sent")
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Stop", "A5 was already admitted.")
    assert rows() == []
    door.context.set_offline(False)
    expect(door.locator("#door-network")).to_have_text("", timeout=15_000)
    assert rows() == [(booking.pk, "in", "")]
    [row] = CheckIn.objects.all()
    assert row.scanned_at < row.at


def test_a_scan_whose_answer_is_lost_is_not_stopped_by_its_own_admission(booking, door):
    lost = []

    def lose_answer(route):
        route.fetch()
        lost.append(route)

    door.route("**/door/admit/", lose_answer)
    with door.expect_request("**/door/admit/"):
        scan(door, sign_ticket(booking=booking))
    # The list is loaded before the lost answer is noticed.
    while not lost:
        door.evaluate("0")
    door.evaluate("dispatchEvent(new Event('online'))")
    expect(door.locator("#door-scans")).to_contain_text("A5")
    lost[0].abort()
    expect_answer(door, "Go", "A5", "Checked without the network.")
    door.unroute("**/door/admit/")
    expect(door.locator("#door-network")).to_have_text("", timeout=20_000)
    assert (rows(), door.locator("#door-problems li").count()) == ([(booking.pk, "in", "")], 0)


def test_a_ticket_that_was_admitted_is_stopped_without_the_network_and_without_a_new_list(booking, door):
    door.route("**/door/list/", lambda route: route.abort())
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Go", "A5")
    door.context.set_offline(True)
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Stop", "A5 was already admitted.")


def test_a_ticket_sold_after_the_list_was_loaded_is_admitted_once(door, show):
    door.context.set_offline(True)
    ticket = sign_ticket(booking=make_booking(show=show, seat_number=5, created_at=timezone.now()))
    scan(door, ticket)
    expect_answer(door, "Go", "Seat 5")
    scan(door, ticket)
    expect_answer(door, "Stop", "Seat 5 was already admitted.")


def test_a_ticket_that_both_doors_admitted_is_reported(booking, door, other_door):
    door.context.set_offline(True)
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Go")
    scan(other_door, sign_ticket(booking=booking))
    expect_answer(other_door, "Go")
    door.context.set_offline(False)
    problem = "A5: should have been stopped (already checked in)"
    expect(door.locator("#door-problems")).to_contain_text(problem, timeout=15_000)
    assert rows() == [(booking.pk, "in", ""), (booking.pk, "in", "already_checked_in")]


@pytest.fixture
def other_booking(live_server):
    """A booking of another show whose doors are open."""
    return make_booking(show=make_show(starts_at=timezone.now() + timedelta(minutes=20)), created_at=timezone.now())


def scan_offline(page, booking):
    """Admits a ticket at the door of its show without the network, which stays away."""
    open_door(page, booking.show)
    page.context.route("**/door/**", lambda route: route.abort())
    scan(page, sign_ticket(booking=booking))
    expect_answer(page, "Go", "Checked without the network.")


def test_waiting_scans_of_another_show_are_sent_to_its_door(page, person, booking, other_booking):
    scan_offline(page, other_booking)
    admit_path = f"**/show/{other_booking.show_id}/door/admit/"
    page.context.route(admit_path, lambda route: route.fulfill(status=503))
    page.context.unroute("**/door/**")
    open_door(page, booking.show)
    # One scan that the service can't store holds up no other one.
    expect(page.locator("#door-network")).to_have_text("1 scan waits to be sent.")
    scan_offline(page, booking)
    expect(page.locator("#door-network")).to_contain_text(
        "No network. Tickets are checked on this device. 2 scans wait"
    )
    page.context.unroute("**/door/**")
    expect(page.locator("#door-network")).to_have_text("1 scan waits to be sent.", timeout=15_000)
    assert rows() == [(booking.pk, "in", "")]
    page.context.unroute(admit_path)
    expect(page.locator("#door-network")).to_have_text("", timeout=15_000)
    assert rows() == [(booking.pk, "in", ""), (other_booking.pk, "in", "")]


def test_a_waiting_scan_without_an_answer_holds_up_no_other_one(page, person, booking, other_booking):
    scan_offline(page, other_booking)
    page.context.route(f"**/show/{other_booking.show_id}/door/admit/", lambda _: None)
    page.context.unroute("**/door/**")
    scan_offline(page, booking)
    page.context.unroute("**/door/**")
    expect(page.locator("#door-network")).to_have_text("1 scan waits to be sent.", timeout=20_000)
    assert rows() == [(booking.pk, "in", "")]


def expect_new_list(page, person, pair):
    """Admit `pair` at another door, and wait until this one has loaded the list with it."""
    admit(pair, person, now=timezone.now(), device="Left door")
    expect(page.locator("#door-scans")).to_contain_text("Left door", timeout=20_000)


def test_a_ticket_whose_scan_waits_is_stopped_after_the_list_has_changed(person, booking, pair, door):
    door.route("**/door/admit/", lambda route: route.fulfill(status=503))
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Go", "A5", "Checked without the network.")
    expect_new_list(door, person, pair)
    expect(door.locator("#door-count")).to_contain_text("2 of 2 admitted")
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Stop", "A5 was already admitted.")


def test_a_door_whose_scans_get_no_answer_does_not_wait_for_each(person, booking, pair, door):
    door.route("**/door/admit/", lambda _: None)
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Go", "A5", "Checked without the network.")
    expect_new_list(door, person, pair)
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Stop", "A5 was already admitted.")
    assert int(door.locator("#door-answer").get_attribute("data-ms")) < 3000
    door.unroute("**/door/admit/")
    expect(door.locator("#door-network")).to_have_text("", timeout=20_000)


def test_the_problem_of_a_waiting_scan_has_its_show(page, person, booking, other_booking):
    scan_offline(page, other_booking)
    cancel(other_booking)
    page.goto("about:blank")
    page.context.unroute("**/door/**")
    open_door(page, booking.show)
    expect(page.locator("#door-problems")).to_contain_text(
        "A1 of another show: should have been stopped (ticket cancelled)", timeout=15_000
    )


def test_a_scan_of_a_show_that_was_moved_to_another_day_stays_on_the_page(page, person, booking, other_booking):
    scan_offline(page, other_booking)
    Show.objects.filter(pk=other_booking.show_id).update(starts_at=F("starts_at") + WEEK, ends_at=F("ends_at") + WEEK)
    page.goto("about:blank")
    page.context.unroute("**/door/**")
    open_door(page, booking.show)
    problem = "A1 of another show: the scan was refused and not stored. You see the doors of today's shows only."
    expect(page.locator("#door-problems li")).to_contain_text([problem], timeout=15_000)
    open_door(page, booking.show)
    expect(page.locator("#door-problems li")).to_contain_text([problem])
    page.clock.set_fixed_time(timezone.now() + timedelta(hours=25))
    open_door(page, booking.show)
    expect(page.locator("#door-problems li")).to_have_count(0)


FILL_STORAGE = """() => {
  for (let length = 1 << 20; length; length = Math.floor(length / 2)) {
    try { for (let n = 0; ; n += 1) localStorage.setItem(`other-${length}-${n}`, "x".repeat(length)); } catch {}
  }
}"""


def test_a_full_storage_is_not_reported_as_a_missing_network(door, booking, pair):
    door.evaluate(FILL_STORAGE)
    scan(door, sign_ticket(booking=booking))
    expect_answer(door, "Go", "A5")
    expect(door.locator("#door-network")).to_have_text(re.compile("^The browser's storage is full or off"))
    assert rows() == [(booking.pk, "in", "")]
    door.context.set_offline(True)
    scan(door, sign_ticket(booking=pair))
    expect_answer(door, "Go", "A6", "Checked without the network.")
    door.context.set_offline(False)
    expect(door.locator("#door-network")).not_to_contain_text("to be sent", timeout=15_000)
    assert rows() == [(booking.pk, "in", ""), (pair.pk, "in", "")]


WITHOUT_ROOM = """
  const { setItem } = Storage.prototype;
  Storage.prototype.setItem = function (name, value) {
    if (name.startsWith("door-")) throw new DOMException("Full", "QuotaExceededError");
    setItem.call(this, name, value);
  };
"""


def test_scans_without_room_in_the_storage_are_in_memory(page, person, booking):
    page.add_init_script(WITHOUT_ROOM)
    scan_offline(page, booking)
    scan(page, sign_ticket(booking=booking))
    expect_answer(page, "Stop", "A5 was already admitted.")
    expect(page.locator("#door-network")).to_contain_text("1 scan waits to be sent.")
    page.context.unroute("**/door/**")
    expect(page.locator("#door-network")).not_to_contain_text("to be sent", timeout=15_000)
    assert rows() == [(booking.pk, "in", "")]


def test_only_required_lists_are_stored(page, person, booking, other_booking):
    names = "Object.keys(localStorage).filter((name) => name.startsWith('door-list-')).sort()"
    old = make_show(starts_at=timezone.now() + timedelta(minutes=20))
    open_door(page, old)
    scan_offline(page, other_booking)
    page.context.route("**/door/admit/", lambda route: route.fulfill(status=503))
    page.context.unroute("**/door/**")
    open_door(page, booking.show)
    assert page.evaluate(names) == sorted(f"door-list-{show.pk}" for show in (booking.show, other_booking.show))


# As in browsers that don't know Ed25519.
WITHOUT_ED25519 = """
  SubtleCrypto.prototype.importKey = async () => { throw new DOMException("Unrecognized name", "NotSupportedError"); };
"""


def test_a_browser_that_can_not_verify_signatures_uses_its_list(page, person, booking):
    page.add_init_script(WITHOUT_ED25519)
    scan_offline(page, booking)
    expect(page.locator("#door-no-signatures")).to_be_visible()
    later = make_booking(show=booking.show, seat_number=7, created_at=timezone.now())
    scan(page, sign_ticket(booking=later))
    expect_answer(page, "Stop", "This ticket is not on the list of the show.")


def test_a_browser_that_verifies_signatures_shows_no_warning(door):
    expect(door.locator("#door-no-signatures")).to_be_hidden()


def test_a_door_of_an_earlier_day_has_a_message(show, booking, door):
    show.starts_at, show.ends_at = (time - timedelta(days=3) for time in (show.starts_at, show.ends_at))
    show.save()
    expect(door.locator("#door-network")).to_have_text("You see the doors of today's shows only.", timeout=15_000)
    expect(door.locator("#door-sold")).to_have_text("1")


def forged(booking):
    """Return a ticket of the booking with the signature of another one."""
    header, _, signature = sign_ticket(booking=booking).split(".")
    _, claims, _ = sign_ticket(booking=Booking(pk=1, show=booking.show, seat_number=1)).split(".")
    return ".".join([header, claims, signature])


def cancel(booking):
    services.cancel_booking(user=booking.user, booking_id=booking.pk, now=timezone.now())


def move(booking):
    services.move_booking(user=booking.user, booking_id=booking.pk, seat_number=7, now=timezone.now())


def owe(booking):
    Booking.objects.update(price=12)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (cancel, "This booking was cancelled."),
        (move, "There is a newer ticket for this booking."),
        (owe, "Something is still to be paid for this order."),
    ],
)
def test_without_the_network_tickets_are_refused_by_the_same_rules(page, person, show, booking, change, text):
    ticket = sign_ticket(booking=booking)
    change(booking)
    open_door(page, show)
    page.context.set_offline(True)
    scan(page, ticket)
    expect_answer(page, "Stop", text)


def test_without_the_network_an_unsigned_ticket_is_refused(door, booking):
    door.context.set_offline(True)
    for text in (forged(booking), "a.b.c"):
        scan(door, text)
        expect_answer(door, "Stop", "This is not a ticket of this cinema.")
    scan(door, booking.reference)
    expect_answer(door, "Stop", "only tickets can be checked")


def test_without_the_network_other_shows_and_early_customers_are_refused(page, person, booking):
    early = make_show(starts_at=timezone.now() + timedelta(hours=3))
    ticket = sign_ticket(booking=make_booking(show=early, created_at=timezone.now()))
    open_door(page, early)
    page.context.set_offline(True)
    scan(page, sign_ticket(booking=booking))
    expect_answer(page, "Stop", "This ticket is for another show.")
    scan(page, ticket)
    expect_answer(page, "Stop", "The doors open at ")


# --- Camera and photo -------------------------------------------------------------------------


def grey_rows(text, scale=6):
    """Return the pixels of a QR code, one byte each."""
    return [bytes(16 if dark else 235 for dark in row) for row in segno.make(text).matrix_iter(scale=scale, border=4)]


def video_of(text, path, width=640, height=480):
    """Write a video (YUV4MPEG2) that shows the QR code in the middle of a grey picture."""
    code = grey_rows(text)
    left, top = (width - len(code[0])) // 2, (height - len(code)) // 2
    lines = [bytearray([128] * width) for _ in range(height)]
    for number, row in enumerate(code):
        lines[top + number][left : left + len(row)] = row
    colour = bytes([128]) * (width * height // 2)
    frame = b"FRAME\n" + b"".join(lines) + colour
    path.write_bytes(f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg\n".encode() + frame * 10)


def test_the_camera_reads_a_ticket(browser, chromium, base_url, person, booking, tmp_path):
    video_of(sign_ticket(booking=booking), tmp_path / "ticket.y4m")
    device = f"--use-file-for-fake-video-capture={tmp_path}/ticket.y4m"
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", device]
    with browser.browser_type.launch(executable_path=chromium, args=[*ARGUMENTS, *fake]) as with_camera:
        context = with_camera.new_context(base_url=base_url)
        sign_in(context, person)
        page = context.new_page()
        watch = Watch(page)
        open_door(page, booking.show)
        page.get_by_role("button", name="Camera").click()
        expect(page.locator("#door-name")).to_have_text("Go", timeout=30_000)
        expect(page.get_by_role("button", name="Camera")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="Camera").click()
        expect(page.locator("#door-video")).to_be_hidden()
        assert (watch.errors, rows()) == ([], [(booking.pk, "in", "")])


def test_a_photo_of_a_ticket_is_read(door, booking, tmp_path):
    segno.make(sign_ticket(booking=booking)).save(str(tmp_path / "photo.png"), scale=8)
    door.locator("#door-photo input").set_input_files(tmp_path / "photo.png")
    expect_answer(door, "Go", "A5")


def test_a_photo_without_a_ticket_is_reported(door, tmp_path):
    door.screenshot(path=tmp_path / "photo.png")
    door.locator("#door-photo input").set_input_files(tmp_path / "photo.png")
    expect_answer(door, "Stop", "There is no QR code in this photo.")
