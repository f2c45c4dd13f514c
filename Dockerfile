# trialbids as one command:
#   docker build -t trialbids .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/dicom:/in:ro" -v "$PWD/out:/out" trialbids export /in /out/bids
# With the training side too: docker build --build-arg EXTRAS=train -t trialbids:train .
#
# The base is pinned by its full tag. Where builds must be repeatable to the byte, add the digest that your registry gives.
ARG PYTHON=3.11.14-slim-bookworm

FROM python:${PYTHON} AS build
WORKDIR /build
COPY constraints.txt ./
# The build's own requirements come from the constraints as well, hence no isolated build environment.
RUN python -m venv /opt/trialbids \
    && python -m pip install --no-cache-dir --constraint constraints.txt setuptools
COPY pyproject.toml README.md LICENSE ./
COPY mappings mappings
COPY exporter exporter
COPY datasets datasets
COPY src src
RUN python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .
ARG EXTRAS=""
RUN wheel="$(echo /wheels/trialbids-*.whl)" \
    && /opt/trialbids/bin/pip install --no-cache-dir --constraint constraints.txt "${wheel}${EXTRAS:+[$EXTRAS]}"

FROM python:${PYTHON} AS runtime
LABEL org.opencontainers.image.title="trialbids" \
      org.opencontainers.image.description="Trial DICOM to a curated, de-identified, quality-checked BIDS database" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --create-home --uid 1000 trialbids
COPY --from=build /opt/trialbids /opt/trialbids
ENV PATH=/opt/trialbids/bin:$PATH \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    DENO_DIR=/tmp/deno
USER 1000
WORKDIR /home/trialbids
HEALTHCHECK --interval=1m --timeout=10s CMD ["trialbids", "--help"]
ENTRYPOINT ["trialbids"]
CMD ["--help"]
