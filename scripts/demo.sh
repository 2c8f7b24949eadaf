#!/bin/sh
# The main job, on real input: from a manifest and its content to an image in a layout, in two registries and in an
# archive, as for an air gap, pulled back and verified.
#
#   sh scripts/demo.sh
#
# DEMO_WITH=build or DEMO_WITH=append chooses how the image is made; else buildx is tried first. Everything lies in a
# temporary folder, which is removed at the end, and is served on loopback addresses. What stays is inside the
# checkout: .tools/, node_modules/, dist/ and the content of the example.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/environment.sh"

main() {
  say 'Set up: Bun, packages, the executable, and the content of the example.'
  sh "$root/scripts/setup.sh" >"$work/setup.log" 2>&1 || stop "$work/setup.log"
  sh "$root/scripts/build.sh" >"$work/build.log" 2>&1 || stop "$work/build.log"
  sh "$root/examples/service/prepare.sh" >"$work/prepare.log" 2>&1 || stop "$work/prepare.log"
  tail -n 1 "$work/build.log" "$work/prepare.log" | sed -n 's/^[^=]/  &/p'
  started=$(date +%s)

  say 'Start two registries with "library serve": one here, one for the other side of the gap.'
  serve here
  serve there
  here=$(cat "$work/here.address")
  there=$(cat "$work/there.address")
  echo "  $here and $there"

  mkdir "$work/service"
  cp -R "$root/examples/service/." "$work/service/"
  manifest="$work/service/.library.manifest.yaml"
  sed "s|registry.example.org|${here#http://}|" "$root/examples/service/.library.manifest.yaml" >"$manifest"

  say 'Validate the manifest: every problem would be named with its line.'
  show library validate "$manifest"
  make_image

  image=${here#http://}/examples/star-chart
  far=${there#http://}/examples/star-chart
  say 'Publish it: blobs first, manifests after them, the tags last.'
  show library push image "$manifest"
  say 'Look at it in the registry.'
  show library inspect "$image:1.0"
  show library tags "$image"
  say 'Carry it over the gap: into one file, and from the file into the other registry.'
  show library copy "$image:1.0" "oci-archive:$work/star-chart.tar"
  show library copy "oci-archive:$work/star-chart.tar:1.0" "$far:1.0"
  say 'Pull it there: every byte is checked against its digest before the layout has it.'
  show library pull "$far:1.0" --output "$work/pulled"

  say 'The same digest in every place:'
  row "layout of the $made" "oci:$work/service/.library/layout:1.0"
  row 'first registry' "$image:1.0"
  row 'archive' "oci-archive:$work/star-chart.tar:1.0"
  row 'second registry' "$far:1.0"
  row 'pulled layout' "oci:$work/pulled:1.0"
  if [ "$(sort -u "$work/digests" | wc -l)" -ne 1 ]; then
    echo 'The digests differ.' >&2
    exit 1
  fi
  say "Done in $(($(date +%s) - started)) seconds after set-up."
}

# With buildx where it works, else from the same files without a builder.
make_image() {
  made=build
  if [ "${DEMO_WITH:-build}" = build ]; then
    say 'Build with buildx, for two platforms, into a layout beside the manifest.'
    if (show library build --manifest "$manifest") 2>"$work/error"; then
      return
    fi
    sed 's/^/  /' "$work/error"
    [ -z "${DEMO_WITH:-}" ] || exit 1
    say 'buildx does not work here, so append makes the image of the same files, without any builder.'
  else
    say 'Append the files to an empty image, for two platforms, without any builder.'
  fi
  made=append
  show library append --manifest "$manifest" \
    --layer "$work/service/content/site:/site" \
    --layer "linux/amd64=$work/service/content/server/amd64" \
    --layer "linux/arm64=$work/service/content/server/arm64" \
    --user 65532:65532 --expose 8080 \
    --entrypoint '/server --serve=0.0.0.0:8080 --servedir=/site --watch=forever'
}

library() {
  "$root/dist/library" "$@"
}

# Runs a command and shows it with its output, indented; paths of the temporary folder are shortened.
show() {
  echo "  \$ $*" | sed "s|$work/||g"
  status=0
  "$@" >"$work/output" 2>"$work/errors" || status=$?
  sed "s|$work/||g; s|^|  |" "$work/output"
  [ "$status" -eq 0 ] || { sed "s|$work/||g" "$work/errors" >&2 && return "$status"; }
}

serve() {
  "$root/dist/library" serve --root "$work/$1" --address 127.0.0.1:0 --address-file "$work/$1.address" \
    >"$work/$1.log" 2>&1 &
  servers="$servers $!"
  tries=0
  while [ ! -s "$work/$1.address" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || stop "$work/$1.log"
    sleep 0.1
  done
}

row() {
  digest=$(library resolve "$2")
  echo "$digest" >>"$work/digests"
  printf '  %-22s %s\n' "$1" "$digest"
}

say() {
  printf '\n%s\n' "$1"
}

stop() {
  cat "$1" >&2
  exit 1
}

usage() {
  echo 'Usage: [DEMO_WITH=build|append] sh scripts/demo.sh'
  echo 'Shows the main job on real input; leaves nothing behind outside the checkout.'
}

# A second signal must not stop it half-way
clean_up() {
  trap '' HUP INT PIPE TERM
  # shellcheck disable=SC2086 # a list of process ids
  [ -z "$servers" ] || kill $servers 2>/dev/null || :
  wait
  [ -z "$work" ] || rm -rf "$work"
}

# A reader that closes the pipe ends the shell with a signal, which alone would not run the trap for EXIT
servers=
work=
case "${1:-}" in
  '')
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 141' PIPE
    trap 'exit 143' TERM
    work=$(mktemp -d)
    main
    ;;
  -h | --help) usage ;;
  *) fail "Cannot run the demo: unknown argument $1" "$(usage)" ;;
esac
