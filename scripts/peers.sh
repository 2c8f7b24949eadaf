#!/bin/sh
# Installs the other programs that the interop tests and the bench use, in pinned versions, with the ordinary clients
# of the Go modules and of Debian.
#
#   sh scripts/peers.sh [NAME…]   all, or only these; exit status 1 if one cannot be had, with the reason
#   sh scripts/peers.sh --list    their names
#
# Those in Go are built into $LIBRARY_PEERS/bin (default: ~/.cache/library-peers), which outlives checkouts; what is
# there in its pinned version is left alone. Packages of Debian are installed for root and only looked for otherwise.
set -eu

cache=${LIBRARY_PEERS:-$HOME/.cache/library-peers}

# name  module  version  package below the module  build tags
go_peers='
crane      github.com/google/go-containerregistry   v0.21.9  cmd/crane      -
regctl     github.com/regclient/regclient           v0.11.5  cmd/regctl     -
oras       oras.land/oras                           v1.3.3   cmd/oras       -
buildx     github.com/docker/buildx                 v0.36.1  cmd/buildx     -
buildctl   github.com/moby/buildkit                 v0.32.2  cmd/buildctl   -
buildkitd  github.com/moby/buildkit                 v0.32.2  cmd/buildkitd  osusergo,netgo
olareg     github.com/olareg/olareg                 v0.1.2   cmd/olareg     -
registry   github.com/distribution/distribution/v3  v3.1.2   cmd/registry   -
'
# Each package has a program of its own name
debian_peers='skopeo umoci runc docker-registry mmdebstrap curl wget openssl zsh fish'

main() {
  names="$(echo "$go_peers" | awk 'NF { print $1 }') $debian_peers"
  if [ "${1:-}" = --list ]; then
    # shellcheck disable=SC2086 # one name a line
    printf '%s\n' $names
    return
  fi
  # shellcheck disable=SC2086 # one name an argument
  [ $# -gt 0 ] || set -- $names
  mkdir -p "$cache/bin" "$cache/done" "$cache/log"
  failed=0
  missing_packages=
  for name in "$@"; do
    line=$(echo "$go_peers" | awk -v name="$name" '$1 == name')
    if [ -n "$line" ]; then
      # shellcheck disable=SC2086 # the columns of the table
      provide_go $line || failed=1
    elif echo " $debian_peers " | grep -qF " $name "; then
      provide_debian "$name" || failed=1
    else
      report missing "$name" 'no such peer: "sh scripts/peers.sh --list" names them'
      failed=1
    fi
  done
  if [ -n "$missing_packages" ]; then
    echo "hint: Run \"apt-get install --no-install-recommends$missing_packages\" as root"
  fi
  return $failed
}

# report ok|built|added|missing NAME WHAT
report() {
  printf '%-8s %-16s %s\n' "$@"
}

# The stamp is written last, so that an interrupted build is done again.
provide_go() {
  stamp="$cache/done/$1@$3"
  if [ -x "$cache/bin/$1" ] && [ -e "$stamp" ]; then
    report ok "$1" "$3"
    return
  fi
  if ! command -v go >/dev/null 2>&1; then
    report missing "$1" "$3: Go is not on PATH"
    return 1
  fi
  log="$cache/log/$1"
  build="$cache/build/$1.$$"
  mkdir -p "$build"
  if (cd "$build" && build_go "$@") >"$log" 2>&1; then
    mv "$build/bin/$1" "$cache/bin/$1"
    rm -f "$cache/done/$1@"*
    : >"$stamp"
    rm -rf "$build"
    report built "$1" "$3"
  else
    rm -rf "$build"
    report missing "$1" "$3: $(tail -n 1 "$log") ($log)"
    return 1
  fi
}

# Some modules have replace or exclude lines, with which "go install path@version" refuses them. As a requirement of
# an empty module they build; the versions that they exclude have to be excluded there too.
build_go() {
  export CGO_ENABLED=0 GOFLAGS=-mod=mod GOBIN="$PWD/bin"
  go mod init "example.invalid/$1"
  go mod edit -require="$2@$3"
  go mod edit -json "$(go list -m -f '{{.GoMod}}' "$2")" | awk -F'"' '
    /"Exclude": \[/ { inside = 1 }
    inside && /"Path"/ { path = $4 }
    inside && /"Version"/ { print path "@" $4 }
    /^\t\]/ { inside = 0 }' >excluded
  while read -r module; do go mod edit -exclude="$module"; done <excluded
  if [ "$5" = - ]; then tags=; else tags="-tags=$5"; fi
  # shellcheck disable=SC2086 # no argument where there are no tags
  go install -trimpath -ldflags=-s $tags "$2/$4"
}

provide_debian() {
  # Programs for administrators are not on every user's PATH
  if PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; then
    report ok "$1" "$(dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo 'not from a package')"
    return
  fi
  if ! command -v apt-get >/dev/null 2>&1; then
    report missing "$1" "not on PATH, and there is no apt-get to install it"
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    missing_packages="$missing_packages $1"
    report missing "$1" "its package is not installed"
    return 1
  fi
  log="$cache/log/$1"
  # The second try is for lists that are missing or old
  if install_package "$1" >"$log" 2>&1 || { apt-get update && install_package "$1"; } >"$log" 2>&1; then
    report added "$1" "$(dpkg-query -W -f '${Version}' "$1")"
  else
    report missing "$1" "$(tail -n 1 "$log") ($log)"
    return 1
  fi
}

install_package() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1" </dev/null
}

main "$@"
