#!/usr/bin/env bash
# An image by hand, and to the registry: uv, tar, pigz and curl. What somebody would write who knows
# the formats; the floor under everything that does more.
#
# usage: push.sh PROJECT BASE REF COMMAND...   (BASE: HOST/REPOSITORY:TAG; STATE: what is kept)
#
# The dependencies' layer is kept under the hash of uv.lock, the project's is made every time. There
# is no account for uid 1001, and the registry is one without TLS or passwords.
set -euo pipefail

project=$(realpath "$1") base=$2 ref=$3
shift 3
host=${ref%%/*} repository=${ref#*/}
repository=${repository%:*} tag=${ref##*:}
base_repository=${base#*/}
base_repository=${base_repository%:*} base_tag=${base##*:}
accept='Accept: application/vnd.oci.image.manifest.v1+json'
# Always the same place: bytecode names it.
work=$STATE/work
rm -rf "$work"
mkdir -p "$work"

size() { stat -c %s "$1"; }
digest() { sha256sum "$1" | cut -d' ' -f1; }

# A directory as a layer: its blob, its digest and the digest of the tar within.
pack() { # DIRECTORY LAYER
  mkdir -p "$2"
  tar --create --sort=name --format=pax --pax-option=delete=atime,delete=ctime \
    --owner=1001 --group=1001 --numeric-owner --mtime=@315532801 --mode='u+rwX,go+rX,go-w' \
    --directory "$1" app |
    tee >(sha256sum | cut -d' ' -f1 >"$2/diff_id") |
    pigz --no-name --no-time |
    tee "$2/blob" | sha256sum | cut -d' ' -f1 >"$2/digest"
  # The hash in the process substitution may be later than tar.
  until [[ -s $2/diff_id ]]; do sleep 0.001; done
}

dependencies() { # LAYER
  local root=$work/dependencies
  local venv=$root/app/.venv
  mkdir -p "$root/app"
  uv venv --quiet --relocatable "$venv"
  # The times of files are lost in the layer, so bytecode must not look at them.
  UV_PROJECT_ENVIRONMENT=$venv PYC_INVALIDATION_MODE=UNCHECKED_HASH \
    uv sync --quiet --frozen --no-dev --no-install-project --compile-bytecode --project "$project"
  ln -sfn /usr/local/bin/python3.12 "$venv/bin/python"
  sed -i 's|^home = .*|home = /usr/local/bin|' "$venv/pyvenv.cfg"
  rm -f "$venv/.lock"
  pack "$root" "$work/layer"
  mkdir -p "$(dirname "$1")"
  mv -T "$work/layer" "$1"
}

application() { # LAYER
  local root=$work/application
  local site=$root/app/.venv/lib/python3.12/site-packages
  mkdir -p "$site"
  UV_NO_INSTALLER_METADATA=1 PYC_INVALIDATION_MODE=UNCHECKED_HASH uv pip install --quiet --no-deps --compile-bytecode \
    --target "$site" "$project"
  rm -f "$site/.lock"
  cp -r "$project/src" "$root/app/src"
  pack "$root" "$1"
}

# $answer: what the registry says, its body in the file; the status is printed.
ask() { curl --silent --output "$work/answer" --write-out '%{http_code}' "$@"; }

exists() { [[ $(ask --head "http://$host/v2/$repository/blobs/sha256:$1") == 200 ]]; }

# Where an upload goes; nothing when the blob was mounted and there is none.
begin() { # QUERY
  curl --silent --request POST --header 'Content-Length: 0' --output /dev/null \
    --write-out '%{http_code} %header{location}' "http://$host/v2/$repository/blobs/uploads/$1" |
    sed -n 's/^202 //p'
}

upload() { # BLOB DIGEST
  local place
  exists "$2" && return
  place=$(begin '')
  curl --silent --fail --request PUT --header 'Content-Type: application/octet-stream' \
    --upload-file "$1" --output /dev/null "$place&digest=sha256:$2"
}

mount() { # DIGEST
  exists "$1" || [[ -z $(begin "?mount=sha256:$1&from=$base_repository") ]]
}

kept=$STATE/dependencies/$(digest "$project/uv.lock")
[[ -d $kept ]] || dependencies "$kept"
application "$work/project"

curl --silent --fail --header "$accept" --output "$work/base.json" \
  "http://$host/v2/$base_repository/manifests/$base_tag"
curl --silent --fail --output "$work/base-config.json" \
  "http://$host/v2/$base_repository/blobs/$(jq -r .config.digest "$work/base.json")"

command=$(printf '%s\n' "$@" | jq --raw-input . | jq --slurp --compact-output .)
jq --compact-output --argjson command "$command" --arg deps "sha256:$(<"$kept/diff_id")" \
  --arg app "sha256:$(<"$work/project/diff_id")" \
  '.config += {User: "1001:1001", WorkingDir: "/app", Cmd: $command,
      ExposedPorts: {"8000/tcp": {}},
      Env: (.config.Env | map(sub("^PATH="; "PATH=/app/.venv/bin:")) +
        ["PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"])}
    | .rootfs.diff_ids += [$deps, $app]
    | .history += [{created_by: "dependencies"}, {created_by: "project"}]' \
  "$work/base-config.json" >"$work/config.json"
config=$(digest "$work/config.json")
jq --compact-output --arg config "sha256:$config" --argjson size "$(size "$work/config.json")" \
  --arg deps "sha256:$(<"$kept/digest")" --argjson deps_size "$(size "$kept/blob")" \
  --arg app "sha256:$(<"$work/project/digest")" --argjson app_size "$(size "$work/project/blob")" \
  '"application/vnd.oci.image.layer.v1.tar+gzip" as $type
    | .config += {digest: $config, size: $size}
    | .layers += [{mediaType: $type, digest: $deps, size: $deps_size},
        {mediaType: $type, digest: $app, size: $app_size}]' \
  "$work/base.json" >"$work/manifest.json"

manifest=$(digest "$work/manifest.json")
if [[ $(ask --head --header "$accept" "http://$host/v2/$repository/manifests/sha256:$manifest") != 200 ]]; then
  for layer in $(jq -r '.layers[].digest' "$work/base.json"); do mount "${layer#sha256:}"; done
  upload "$kept/blob" "$(<"$kept/digest")"
  upload "$work/project/blob" "$(<"$work/project/digest")"
  upload "$work/config.json" "$config"
fi
curl --silent --fail --request PUT --data-binary "@$work/manifest.json" --output /dev/null \
  --header 'Content-Type: application/vnd.oci.image.manifest.v1+json' \
  "http://$host/v2/$repository/manifests/$tag"
echo "$ref@sha256:$manifest"
