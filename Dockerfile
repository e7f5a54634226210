# The service as an image: everything it needs, run by a user who may write nowhere but to /tmp.
FROM python:3.13-slim AS build
WORKDIR /app
# With STRIPE=true, the package of that payment provider too.
ARG STRIPE=
# With PHOTOS=true, the package that reads photos of tickets at the door.
ARG PHOTOS=
COPY requirements.txt requirements-photos.txt requirements-stripe.txt ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --requirement requirements.txt \
      ${STRIPE:+--requirement requirements-stripe.txt} ${PHOTOS:+--requirement requirements-photos.txt}
COPY . .
RUN PATH=/venv/bin:$PATH deploy/build

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home movieticket
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
ENV PATH=/venv/bin:$PATH DEBUG=false HOST=0.0.0.0 PORT=8000 PYTHONDONTWRITEBYTECODE=1
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["deploy/start"]
