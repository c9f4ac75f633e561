# One image for every service: they share their dependencies, and differ by a few kilobytes. Why one: docs/adr.
#
#     docker build -t orderly:dev .                                   all services and the orderly command
#     docker build -t orderly-order:dev --build-arg SERVICE=order .   the same with one service in it
#
# What it runs is told by its arguments: `docker run orderly:dev order --role api`, `docker run orderly:dev orderly --help`.
ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS built
ARG SERVICE=*
ENV PATH=/opt/build/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python3 -m venv /opt/build && python3 -m venv --without-pip /opt/orderly
COPY requirements/runtime.lock requirements/build.lock requirements/
RUN pip install --quiet --require-hashes --only-binary :all: -r requirements/build.lock && \
    pip --python /opt/orderly install --quiet --require-hashes -r requirements/runtime.lock
COPY libs libs
COPY services services
# without an index: what is built here is ours, with the build tool that was locked
RUN set -- ./libs/* ./services/${SERVICE} && \
    pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir /wheels "$@" && \
    pip --python /opt/orderly install --quiet --no-index --no-deps /wheels/*.whl

FROM ${BASE}
ARG BASE
COPY --from=built /opt/orderly /opt/orderly
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Orderly" \
      org.opencontainers.image.description="An order platform that states its laws and checks them" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
# HOME is where a read-only root lets nobody write: pods mount what they write to
ENV PATH=/opt/orderly/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
WORKDIR /tmp
USER 10001:10001
EXPOSE 8443 9464
ENTRYPOINT ["python", "-P", "-m"]
CMD ["orderly", "--help"]
