# docker build -t identity-service --target production .
ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS builder
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

FROM python:${PYTHON_VERSION}-slim AS production
LABEL org.opencontainers.image.title="identity-service" \
      org.opencontainers.image.licenses="AGPL-3.0-or-later"
# The default of the service is development.
ENV FLASK_ENV=production \
    PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin identity
WORKDIR /srv/identity
COPY --from=builder /opt/venv /opt/venv
# .dockerignore selects the files. The code belongs to root, so the service cannot change it.
COPY . .
RUN python -m compileall -q app migrations \
    && install -d -o identity -g identity -m 700 instance
USER 10001:10001
VOLUME /srv/identity/instance
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:5000/health/live', timeout=2)"]
ENTRYPOINT ["./docker-entrypoint.sh"]
CMD ["gunicorn", "-b", "0.0.0.0:5000", "wsgi:app"]
