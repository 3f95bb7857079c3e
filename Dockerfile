# One image for everything: `relay serve` by default, `relay demo`, `relay check`, `relay send` by argument.
# What it installs is pinned with hashes in requirements.lock, the build backend in requirements-build.lock; nothing else
# is fetched.

# `make base` adds the digest that the tag has now: a base that is named by its tag alone can change between two builds.
FROM python:3.13-slim AS base

FROM base AS build
ENV PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
COPY tools/install.py tools/
RUN python tools/install.py --packages-only /opt/relay
COPY pyproject.toml README.md LICENSE ./
COPY app app
RUN python tools/install.py /opt/relay

FROM base AS root
# The base ships the standard library uncompiled, and a read-only root would compile it again at every start.
RUN groupadd --gid 10001 relay \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/relay --shell /usr/sbin/nologin relay \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/relay \
    && install --directory --mode 0755 /etc/relay \
    && python -m compileall -q -j 0 -x '(test|idlelib|lib2to3|site-packages)' /usr/local/lib/python3.13
COPY --from=build /opt/relay /opt/relay
# Nothing that runs needs a shell, a package manager or another program than Python. This is the last thing that a shell does
# here; what lists the packages of Debian stays, for those who look for known weaknesses.
RUN rm -rf /usr/local/lib/python3.13/site-packages/* /usr/local/lib/python3.13/ensurepip /usr/local/lib/python3.13/idlelib \
        /usr/local/bin/pip* /usr/local/bin/idle* /usr/local/bin/pydoc* /usr/lib/apt /usr/share/doc /var/cache/apt \
    && find /usr/bin /usr/sbin -mindepth 1 -delete

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="sentry-splunk-relay" \
      org.opencontainers.image.description="A durable webhook relay: Sentry webhooks in, Splunk HEC events out" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The whole is meant: what was taken away above would else still lie in a layer below.
# hadolint ignore=DL3067
COPY --from=root / /
ENV PATH=/opt/relay/bin:/usr/local/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    RELAY_HOST=0.0.0.0 \
    RELAY_SPOOL_URL=sqlite:////var/lib/relay/spool.db \
    RELAY_TENANTS_FILE=/etc/relay/tenants.yaml
WORKDIR /
USER 10001:10001
VOLUME /var/lib/relay
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 CMD ["python", "-m", "app.cli.healthcheck"]
ENTRYPOINT ["relay"]
CMD ["serve"]
