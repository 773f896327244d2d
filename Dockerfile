# Builds the program with SQLite compiled in (cgo) and puts it, alone, into a small image that does not run
# as root:
#
#   docker build --build-arg VERSION=$(git describe --tags --always) -t sluice .
#   docker run -p 127.0.0.1:8080:8080 -v sluice-data:/data sluice

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=1 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/sluice .

FROM debian:bookworm-slim
# Certificates to reach the cloud's services, the zone names that time zone settings may use.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 sluice \
 && useradd --uid 10001 --gid sluice --no-create-home --home-dir /data --shell /usr/sbin/nologin sluice \
 && install -d -o sluice -g sluice -m 0700 /data
COPY --from=build /out/sluice /usr/local/bin/sluice
USER 10001:10001
# A container's loopback is reached by nobody: listen on every address, and publish the port as narrowly as
# you need it. Without SLUICE_TLS_CERT put a TLS proxy in front.
ENV SLUICE_ADDR=0.0.0.0:8080 \
    SLUICE_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/sluice"]
CMD ["serve"]
