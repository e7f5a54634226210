"""The service below a path, behind a proxy that removes the path from each request."""

import json
import re
from urllib.parse import urljoin

import pytest

from tests.service import filled_sqlite, served, with_static_files

pytestmark = pytest.mark.server

PREFIX = "/tickets"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    database_url, *data = filled_sqlite(folder)
    with served(database_url, *data, folder, WORKERS="1", SCRIPT_NAME=PREFIX, **with_static_files()) as service:
        yield service


def get(service, path, method="GET", **headers):
    """Send a request through the proxy, which forwards nothing outside the path."""
    assert path.startswith(f"{PREFIX}/")
    return service.ask(method, path.removeprefix(PREFIX), **headers)


@pytest.mark.parametrize("page", ["/swagger/", "/redoc/", "/admin/login/"])
def test_the_addresses_in_a_page_are_below_the_path(service, page):
    status, _, text = get(service, f"{PREFIX}{page}")
    addresses = [urljoin(f"{PREFIX}{page}", found) for found in re.findall(r'(?:src|href|action)="([^"#:]+)"', text)]
    statuses = {address: get(service, address, "HEAD")[0] for address in addresses}
    # The link to the front page redirects.
    assert (status, set(statuses.values()) - {302}) == (200, {200})


def test_style_sheets_refer_to_files_below_the_path(service):
    _, _, text = get(service, f"{PREFIX}/admin/login/")
    [sheet] = re.findall(r'href="([^"]*/base[^"]*\.css)"', text)
    _, _, css = get(service, sheet)
    files = [urljoin(sheet, found) for found in re.findall(r'url\("?([^")]+)"?\)', css) if "data:" not in found]
    assert {get(service, address, "HEAD")[0] for address in files} == {200}


def test_the_document_contains_the_path(service):
    _, _, text = get(service, f"{PREFIX}/swagger.json")
    assert json.loads(text)["basePath"] == f"{PREFIX}/api"


def test_redirects_stay_below_the_path(service):
    places = [get(service, f"{PREFIX}{page}")[1]["Location"] for page in ("/admin", "/admin/")]
    assert places == [f"{PREFIX}/admin/", f"{PREFIX}/admin/login/?next={PREFIX}/admin/"]


def test_a_booking_s_location_is_below_the_path(service):
    headers = {"Authorization": f"Bearer {service.tokens[0]}", "Content_Type": "application/json"}
    path, body = f"/api/shows/{service.shows[0]}/book/", json.dumps({"seat_number": 1})
    _, answer, text = service.ask("POST", path, body, **headers)
    assert answer["Location"] == f"{PREFIX}/api/bookings/{json.loads(text)['id']}/"
    assert get(service, answer["Location"], Authorization=headers["Authorization"])[2] == text


def test_pages_of_a_list_refer_to_each_other_below_the_path(service):
    _, _, text = get(service, f"{PREFIX}/api/movies/?page_size=1")
    assert json.loads(text)["next"] == f"http://127.0.0.1:{service.port}{PREFIX}/api/movies/?page=2&page_size=1"


def test_the_root_of_the_api_links_below_the_path(service):
    _, _, text = get(service, f"{PREFIX}/api/")
    prefix = f"http://127.0.0.1:{service.port}{PREFIX}/"
    assert {link.startswith(prefix) for link in json.loads(text).values()} == {True}


def test_errors_below_the_path_are_json(service):
    status, headers, _ = get(service, f"{PREFIX}/api/nothing/")
    assert (status, headers["Content-Type"]) == (404, "application/json")


def test_probes_have_no_path(service):
    assert service.ask("GET", "/healthz")[0] == 200


def test_a_file_may_be_larger_than_other_bodies_below_the_path(service):
    """The import of movies is the one page that takes large files; without a session it refuses them later."""
    headers = {"Content_Type": "multipart/form-data; boundary=x"}
    paths = ("/admin/booking/movie/import/", "/admin/login/")
    assert [service.ask("POST", path, b"-" * 1_000_001, **headers)[0] for path in paths] == [403, 413]
