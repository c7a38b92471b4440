# The image of Stepgate: one static binary, the triggers for AWS, CA certificates, the bill of materials.
#
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --tag stepgate .
#
# `cargo xtask image` builds the same without pulling the first stage's image. Both run the same commands.
FROM --platform=$BUILDPLATFORM rust:1.95.0-bookworm AS build
ARG TARGETARCH
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3-venv \
 && rm -rf /var/lib/apt/lists/* \
 && rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl aarch64-unknown-linux-gnu
WORKDIR /src
COPY . .
RUN cargo xtask image --architecture "$TARGETARCH" --files-only --output /image \
 && mv "/image/$TARGETARCH/root" /root-of-image

FROM scratch
# What the labels say: the version is the workspace's, the commit only the caller knows, because .git is not sent to the builder.
ARG VERSION=0.1.0
ARG REVISION=unknown
COPY --from=build /root-of-image/ /
LABEL org.opencontainers.image.title="stepgate" \
      org.opencontainers.image.description="Control plane that puts a BlockID step-up into Amazon Cognito sign-ins" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/stepgate"]
