#!/bin/sh
# Makes a checkout ready: Bun of the pinned version, and the packages of the lock file. Needs no root; a second run
# changes nothing. With --deno also Deno of its pinned version, which only the tests need.
#
#   sh scripts/setup.sh [--deno]
#
# A program that is on PATH in the pinned version is used as it is. Else it is installed below .tools/ with npm, so
# that a mirror, credentials and certificates set for npm are used.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/environment.sh"

main() {
  provide bun
  [ "${1:-}" != --deno ] || provide deno
  install_packages
}

# Afterwards $1 runs from PATH in its pinned version.
provide() {
  version=$(pinned_version "$1")
  [ -n "$version" ] || fail "Cannot set up $1: package.json pins no version of it"
  if [ "$(reported_version "$1" "$1")" = "$version" ]; then
    echo "$1 $version: $(command -v "$1")"
    return
  fi
  install_with_npm "$1" "$version"
  hash -r
  [ "$(reported_version "$1" "$1")" = "$version" ] ||
    fail "Cannot set up $1 $version: the program that npm installed does not run here" \
      "hint: Install $1 $version in another way, put it on PATH and run this again"
  echo "$1 $version: $(command -v "$1")"
}

# npm may be told not to run install scripts, and those of bun and deno only move the program that a package for this
# platform brings: so the link points into that package itself.
install_with_npm() {
  command -v npm >/dev/null 2>&1 ||
    fail "Cannot set up $1 $2: it is not on PATH, and neither is npm, which could install it" \
      "hint: Install $1 $2 or Node.js with npm, put it on PATH and run this again"
  folder="$root/.tools/$1"
  log="$root/.tools/$1.log"
  mkdir -p "$folder" "$root/.tools/bin"
  if ! npm install --prefix "$folder" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
    "$1@$2" >"$log" 2>&1; then
    cat "$log" >&2
    fail "Cannot set up $1 $2: npm could not install it" \
      "hint: Run \"npm ping\" to see whether npm reaches its registry, or put $1 $2 on PATH"
  fi
  for program in "$folder"/node_modules/@oven/*/bin/bun "$folder"/node_modules/@deno/*/deno; do
    [ "$(reported_version "$1" "$program")" = "$2" ] || continue
    ln -sfn "../${program#"$root/.tools/"}" "$root/.tools/bin/$1"
    return
  done
}

# Bun reads .npmrc, but not every place where npm finds its settings: what npm has settled on is handed over.
install_packages() {
  if command -v npm >/dev/null 2>&1; then
    registry=$(npm config get registry 2>/dev/null || :)
    case $registry in http*) export npm_config_registry="$registry" ;; esac
    certificates=$(npm config get cafile 2>/dev/null || :)
    if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -f "$certificates" ]; then
      export NODE_EXTRA_CA_CERTS="$certificates"
    fi
  fi
  (cd "$root" && bun install --frozen-lockfile) ||
    fail "Cannot install the packages of bun.lock" \
      "hint: Run \"npm config get registry\" to see which registry is used, and whether it is reached"
}

main "$@"
