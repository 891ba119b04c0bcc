ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
# Two environments: one with pip, which stays in this stage, and the service's, without pip.
RUN python3 -m venv /pip && python3 -m venv --without-pip /service
COPY locks/service.txt /
RUN /pip/bin/pip --python /service/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
      --require-hashes --only-binary :all: --requirement /service.txt \
 # The libraries' tests and C headers are a fifth of the image, and nothing imports them.
 && find /service/lib -type d \( -name tests -o -path '*/numpy/*/include' \) -prune -exec rm -r {} + \
 && find /service/lib \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' \) -delete
COPY models /service/app/models
COPY app /service/app/app
# Make the files readable for the service's user, whatever their modes in the checkout.
RUN /service/bin/python -m compileall -q /service/app && chmod -R a+rX /service/app

FROM ${PYTHON_IMAGE}
COPY --from=build /service /service
WORKDIR /service/app
ENV PATH=/service/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOUSING_HOST=0.0.0.0 \
    HOUSING_PORT=8000
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["python", "-m", "app", "healthcheck"]
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve"]
