"""A stand-in for Stripe in a separate process: localstripe with idempotency keys, and with faults on request.

`python -m tests.stripe_server PORT`. A POST of {"call", "fault"} to /_config/faults applies to the next request of
that method and path, such as "POST /v1/refunds"; a DELETE of /_config/keys lets a day pass. Idempotency keys work as
https://docs.stripe.com/api/idempotent_requests says.
"""

import asyncio
import json
import sys

from aiohttp import web
from localstripe import resources
from localstripe.server import app

ERRORS = {
    "500": (500, {"type": "api_error", "message": "Something went wrong."}),
    "503": (503, {"type": "api_error", "message": "Try again."}),
    "429": (429, {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests."}),
    "409": (409, {"type": "invalid_request_error", "code": "lock_timeout", "message": "In use by another request."}),
    "401": (401, {"type": "invalid_request_error", "message": "Invalid API Key provided: sk_test_****crit"}),
    "400": (400, {"type": "invalid_request_error", "code": "charge_disputed", "message": "The charge is disputed."}),
}
# Answers that are not of Stripe's form, as proxies give them.
TEXTS = {"html": "<html>", "empty": "{}", "list": "[]"}
# Not saved under the idempotency key: the request did not get as far as the endpoint.
BEFORE = {"503", "429", "409", "401", "reset", "hang", *TEXTS}

faults: list[dict[str, str]] = []
saved: dict[str, tuple[bytes, int, bytes] | None] = {}


def error(status, **fields):
    return web.json_response({"error": fields}, status=status)


def take_fault(request, *, before):
    """Removes and returns the fault of this request, if it has one that comes before or after the key is known."""
    for fault in faults:
        if f"{request.method} {request.path}" == fault["call"] and (fault["fault"] in BEFORE) == before:
            faults.remove(fault)
            return fault["fault"]
    return None


@web.middleware
async def fail_before(request, handler):
    fault = take_fault(request, before=True)
    if fault == "hang":
        await asyncio.sleep(60)
    if fault == "reset":
        request.transport.abort()
        return web.Response()
    if fault in TEXTS:
        return web.Response(text=TEXTS[fault], content_type="application/json")
    if fault in ERRORS:
        status, fields = ERRORS[fault]
        return error(status, **fields)
    return await handler(request)


@web.middleware
async def use_idempotency_key(request, handler):
    key = request.headers.get("Idempotency-Key")
    if request.method != "POST" or not key:
        return await handler(request)
    body = await request.read()
    if key in saved and saved[key] is None:
        status, fields = ERRORS["409"]
        return error(status, **fields)
    if key in saved:
        parameters, status, answer = saved[key]
        if parameters != body:
            return error(400, type="idempotency_error", message="The key was used with other parameters.")
        headers = {"Idempotent-Replayed": "true"}
        return web.Response(body=answer, status=status, headers=headers, content_type="application/json")
    saved[key] = None
    response = await handler(request)
    saved[key] = body, response.status, response.body
    return response


@web.middleware
async def fail_after(request, handler):
    fault = take_fault(request, before=False)
    if fault in ERRORS:
        status, fields = ERRORS[fault]
        return error(status, **fields)
    response = await handler(request)
    if fault == "lost":
        # The request is carried out and its response saved; only the connection breaks.
        request.transport.abort()
    if fault in {"pending", "failed"}:
        # The refund is made with another status than localstripe's.
        made = resources.store[f"refund:{json.loads(response.body)['id']}"]
        made.status = fault
        return web.json_response(made._export())
    return response


async def add_fault(request):
    faults.append(await request.json())
    return web.Response()


async def forget_keys(request):
    saved.clear()
    return web.Response()


if __name__ == "__main__":
    # It writes its store to a file that all its processes share.
    resources.Store.dump_to_disk = lambda _: None
    # Stripe's own events have it.
    resources.PaymentIntent.amount_received = property(lambda intent: intent.amount)
    # From the outside inwards.
    for middleware in (fail_after, use_idempotency_key, fail_before):
        app.middlewares.insert(0, middleware)
    app.router.add_post("/_config/faults", add_fault)
    app.router.add_delete("/_config/keys", forget_keys)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, shutdown_timeout=0.1)
