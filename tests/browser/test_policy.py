"""Every page works under its content security policy; a `page` fails its test at a violation."""

import pytest

PUBLIC_PAGES = {"/swagger/": "Movie ticket booking", "/redoc/": "Movie ticket booking", "/admin/login/": "Username"}
STAFF_PAGES = [
    "/admin/",
    "/admin/booking/show/",
    "/admin/booking/show/add/",
    "/admin/booking/show/plan/",
    "/admin/booking/booking/reports/",
    "/admin/booking/movie/import/",
    "/admin/booking/user/add/",
]


@pytest.mark.parametrize(("path", "text"), PUBLIC_PAGES.items())
def test_a_public_page_shows_its_content(page, service, path, text):
    policy = page.goto(f"{service.url}{path}").headers["content-security-policy"]
    assert "script-src" not in policy
    assert policy.startswith("default-src 'self';")
    page.get_by_text(text).first.wait_for()


def test_staff_sign_in_and_see_every_kind_of_page(page, service):
    page.goto(f"{service.url}/admin/")
    page.fill("#id_username", service.username)
    page.fill("#id_password", service.password)
    page.click("[type=submit]")
    page.wait_for_url(f"{service.url}/admin/")
    assert [page.goto(f"{service.url}{path}").status for path in STAFF_PAGES] == [200] * len(STAFF_PAGES)
