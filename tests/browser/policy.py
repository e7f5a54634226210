"""A middleware under which the browser's console names whatever a page does that a careful operator would forbid."""

POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'"


def content_security_policy(get_response):
    def middleware(request):
        response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    return middleware
