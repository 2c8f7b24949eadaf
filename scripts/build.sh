#!/bin/sh
# Compiles the executable.
#
#   sh scripts/build.sh          dist/library, for this machine
#   sh scripts/build.sh --all    dist/library-SYSTEM-CPU[-musl][-baseline] for every supported machine, with SHA256SUMS
#                                and install.sh: a folder to serve
#
# For other machines, their Bun runtimes come from npm's registry by way of npm, into .tools/.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/environment.sh"

# Our name of a machine, and the package of the Bun runtime for it
machines='
linux-x64                bun-linux-x64
linux-x64-baseline       bun-linux-x64-baseline
linux-x64-musl           bun-linux-x64-musl
linux-x64-musl-baseline  bun-linux-x64-musl-baseline
linux-arm64              bun-linux-aarch64
linux-arm64-musl         bun-linux-aarch64-musl
darwin-x64               bun-darwin-x64
darwin-x64-baseline      bun-darwin-x64-baseline
darwin-arm64             bun-darwin-aarch64
'

main() {
  version=$(pinned_version bun)
  [ "$(reported_version bun bun)" = "$version" ] ||
    fail "Cannot compile: Bun $version is not there" 'hint: Run "sh scripts/setup.sh"'
  cd "$root"
  mkdir -p dist
  case "${1:-}" in
    '') compile dist/library ;;
    --all) compile_all ;;
    *) fail "Cannot compile: unknown argument $1" 'hint: Run "sh scripts/build.sh" or "sh scripts/build.sh --all"' ;;
  esac
}

# Compiles into a temporary name first, so that whoever runs the old executable keeps it. The flags were chosen by
# measuring the start-up (docs/architecture.md). The files .env and bunfig.toml of the folder in which a user happens
# to be must not change what the program does. Workers are entry points of their own.
compile() {
  target=$1
  shift
  workers=$(find src -name '*-worker.ts' | sort)
  # shellcheck disable=SC2086 # file names without blanks
  bun build --compile --minify --bytecode --format=esm --splitting \
    --no-compile-autoload-dotenv --no-compile-autoload-bunfig \
    "$@" src/main.ts $workers --outfile "$target.new" >"$target.log" 2>&1 || {
    cat "$target.log" >&2
    rm -f "$target.new" "$target.log"
    fail "Cannot compile $target"
  }
  mv "$target.new" "$target"
  rm -f "$target.log"
  echo "$target: $(wc -c <"$target" | tr -d ' ') bytes"
}

compile_all() {
  echo "$machines" | while read -r name package; do
    [ -n "$name" ] || continue
    fetch_runtime "$package"
    compile "dist/library-$name" --target="bun-$name" \
      --compile-executable-path=".tools/runtimes/$package@$version/package/bin/bun"
  done
  cd dist
  sums library-linux-* library-darwin-* >SHA256SUMS.new
  mv SHA256SUMS.new SHA256SUMS
  cp "$root/install.sh" install.sh
  echo "dist/SHA256SUMS: $(wc -l <SHA256SUMS | tr -d ' ') executables"
}

# Bun would fetch the runtime itself, but always from the public registry; npm knows mirrors and checks the integrity.
fetch_runtime() {
  folder=".tools/runtimes/$1@$version"
  [ ! -x "$folder/package/bin/bun" ] || return 0
  command -v npm >/dev/null 2>&1 ||
    fail "Cannot fetch the runtime $1 $version: npm is not on PATH" \
      'hint: Install Node.js with npm, or compile for this machine only: "sh scripts/build.sh"'
  rm -rf "$folder.new"
  mkdir -p "$folder.new"
  if ! npm pack --silent --pack-destination "$folder.new" "@oven/$1@$version" >"$folder.new/log" 2>&1; then
    cat "$folder.new/log" >&2
    fail "Cannot fetch the runtime @oven/$1@$version from npm's registry" \
      "hint: Run \"npm view @oven/$1@$version\" to see whether the registry in use has it"
  fi
  tar -xzf "$folder.new"/*.tgz -C "$folder.new"
  rm -f "$folder.new"/*.tgz "$folder.new/log"
  chmod +x "$folder.new/package/bin/bun"
  rm -rf "$folder"
  mv "$folder.new" "$folder"
}

sums() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

main "$@"
