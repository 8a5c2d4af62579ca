# One image for every service; compose and Kubernetes say which one by the command.
#   docker build --tag darkroom .
#   docker run darkroom python -m gateway
# The tag moves with Python's patch releases. Where a build must be the same for ever, pin what the tag stands for today:
#   FROM python:3.13-slim@sha256:...   (docker buildx imagetools inspect python:3.13-slim)
FROM python:3.13-slim

# Output is not held back. What runs from /app is imported from there: the project is not installed. Python files are
# compiled below, because the services run on a read-only file system.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# A number as well as a name, so that Kubernetes can see that it is not root.
RUN groupadd --system --gid 10001 darkroom \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin darkroom

# Where a volume for fetched outputs is put: a new one takes over whose folder it is.
RUN install --directory --owner=10001 --group=10001 /spool

WORKDIR /app

# Before the code: this layer changes only with the requirements.
COPY requirements.txt ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.txt

COPY . ./
RUN python -m compileall -q .

USER 10001:10001

# The REST API; each service has a port of its own, see docker-compose.yml.
EXPOSE 8000

CMD ["python", "-m", "gateway"]
