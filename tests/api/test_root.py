"""The API's own path."""

import pytest


@pytest.mark.parametrize("path", ["/api/", "/api"])
def test_the_root_links_to_the_lists_and_the_documents(client, path):
    links = client.get(path).json()
    assert {name: link.removeprefix("http://testserver") for name, link in links.items()} == {
        "movies": "/api/movies/",
        "shows": "/api/shows/",
        "my_bookings": "/api/my-bookings/",
        "swagger": "/swagger/",
        "redoc": "/redoc/",
        "openapi": "/swagger.json",
    }
    assert {client.get(link).status_code for link in links.values()} == {200}


@pytest.mark.parametrize("path", ["/api/", "/api"])
def test_the_root_refuses_other_methods(anyone, path):
    answer = anyone.post(path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
