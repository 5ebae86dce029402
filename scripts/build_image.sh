#!/usr/bin/env bash
# build_image.sh BUILD_DIRECTORY: the image duckherder:VERSION, of what `make package` has laid out.
#
# CONTAINER_TOOL   docker, podman or buildah; by default the first that is there. `none` only lays out build/image
# IMAGE            the name of the image; default duckherder:VERSION
# IMAGE_BASE       a Debian 12 or later; default debian:bookworm-slim
# IMAGE_OPTIONS    further options for the tool
set -euo pipefail
build=$1
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")
image=${IMAGE:-duckherder:$version}
laid_out=build/package/duckherder-$version-linux_amd64
context=build/image

rm -rf "$context" && mkdir -p "$context"
cp -r "$laid_out"/{duckherder,lib,licenses} "$context/"
install -m 644 LICENSE "$context/licenses/"
install -m 755 deploy/docker/duckherder-health "$context/"
# Object stores and lakes, without a download at each start: where `LOAD httpfs` looks for them. The version is in them.
for extension in httpfs ducklake; do
    file=build/deps/extensions/$extension.duckdb_extension
    where=$(python3 scripts/strip_extension.py --where "$file")
    install -D -m 644 "$file" "$context/extensions/$where/$extension.duckdb_extension"
done

tool=${CONTAINER_TOOL:-}
for candidate in docker podman buildah; do
    [[ -n $tool ]] || ! command -v $candidate >/dev/null || tool=$candidate
done
case $tool in
docker | podman) command=("$tool" build) ;;
buildah) command=(buildah bud --format docker) ;;
none)
    echo "$context"
    exit
    ;;
*)
    echo "image: there is no docker, podman or buildah; $context has what deploy/docker/Dockerfile needs" >&2
    exit 1
    ;;
esac
# shellcheck disable=SC2086
"${command[@]}" ${IMAGE_OPTIONS:-} --build-arg "BASE=${IMAGE_BASE:-debian:bookworm-slim}" -t "$image" \
    -f deploy/docker/Dockerfile "$context"
echo "$image"
