#!/bin/sh
# Installs the library executable for this machine.
#
#   curl -fsSL "$LIBRARY_BASE_URL/install.sh" | LIBRARY_BASE_URL=… sh
#   wget -qO- "$LIBRARY_BASE_URL/install.sh" | LIBRARY_BASE_URL=… sh -s -- --dir /usr/local/bin
#
# LIBRARY_BASE_URL is the folder with the executables and their SHA256SUMS. Needs curl or wget and what every POSIX
# system has. The executable appears at its place whole and checked, or not at all.
set -eu

# Everything is in functions, so that a script cut on its way does nothing
main() {
  dir=
  while [ $# -gt 0 ]; do
    case $1 in
      --dir)
        [ $# -gt 1 ] || fail '--dir needs a folder'
        dir=$2
        shift 2
        ;;
      --dir=*) dir=${1#--dir=} && shift ;;
      -h | --help) usage && exit 0 ;;
      *) fail "unknown argument $1" 'Run it with --help' ;;
    esac
  done
  if [ -z "$dir" ]; then
    [ -n "${HOME:-}" ] || fail 'HOME is not set' 'Give the folder: sh -s -- --dir /usr/local/bin'
    dir=$HOME/.local/bin
  fi
  case $dir in /*) ;; *) dir=$PWD/$dir ;; esac
  base=${LIBRARY_BASE_URL:-}
  base=${base%/}
  case $base in
    http://* | https://*) ;;
    '') fail 'LIBRARY_BASE_URL is not set' 'Set it to the folder that has SHA256SUMS' ;;
    *) fail "LIBRARY_BASE_URL is no http or https URL: $base" ;;
  esac

  machine=$(find_machine)
  name=library-$machine
  find_tools
  prepare_folder
  install_executable
  echo "Installed $("$dir/library" version 2>/dev/null | sed -n 1p) at $dir/library"
  case ":$PATH:" in
    *":$dir:"*) ;;
    *) echo "Add it to your PATH: export PATH=\"$dir:\$PATH\"" ;;
  esac
}

usage() {
  echo 'Usage: LIBRARY_BASE_URL=URL sh install.sh [--dir DIR]'
  echo 'Installs the library executable for this machine to DIR (default: ~/.local/bin).'
}

# fail STATE [HINT]
fail() {
  echo "error: Cannot install library: $1" >&2
  [ $# -lt 2 ] || echo "hint: $2" >&2
  exit 1
}

# Prints linux-x64-musl-baseline, darwin-arm64, …: the words of scripts/build.sh
find_machine() {
  system=$(uname -s)
  cpu=$(uname -m)
  case $cpu in
    x86_64 | amd64) cpu=x64 ;;
    aarch64 | arm64) cpu=arm64 ;;
    *) fail "there is no executable for $system on $cpu" 'Run it from source: see README.md' ;;
  esac
  variant=
  case $system in
    Linux)
      ! uses_musl || variant=-musl
      [ "$cpu" = arm64 ] || grep -qw avx2 /proc/cpuinfo || variant=$variant-baseline
      echo "linux-$cpu$variant"
      ;;
    Darwin)
      # A shell that is itself translated sees the wrong CPU
      [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || :)" != 1 ] || cpu=arm64
      if [ "$cpu" = x64 ]; then
        case " $(sysctl -n machdep.cpu.leaf7_features 2>/dev/null || :) " in
          *" AVX2 "*) ;;
          *) variant=-baseline ;;
        esac
      fi
      echo "darwin-$cpu$variant"
      ;;
    *) fail "there is no executable for $system on $cpu" 'Run it from source: see README.md' ;;
  esac
}

uses_musl() {
  if getconf GNU_LIBC_VERSION >/dev/null 2>&1; then return 1; fi
  for loader in /lib/ld-musl-*.so.1; do
    [ ! -e "$loader" ] || return 0
  done
  case $(ldd --version 2>&1 || :) in *musl*) return 0 ;; esac
  return 1
}

find_tools() {
  if command -v curl >/dev/null 2>&1; then
    download=with_curl
  elif command -v wget >/dev/null 2>&1; then
    download=with_wget
  else
    fail 'neither curl nor wget is there' 'Install one of them'
  fi
  for sum_tool in sha256sum shasum openssl ''; do
    [ -n "$sum_tool" ] || fail 'nothing here computes SHA-256' 'Install sha256sum, shasum or openssl'
    ! command -v "$sum_tool" >/dev/null 2>&1 || break
  done
}

with_curl() {
  case $1 in
    # Not even a redirect may leave https
    https:*) curl -fsSL --proto =https --connect-timeout 30 -o "$2" "$1" ;;
    *) curl -fsSL --connect-timeout 30 -o "$2" "$1" ;;
  esac
}

with_wget() {
  # The wget of GNU tries twenty times; that of BusyBox does not know the option
  case $(wget --help 2>&1 || :) in
    *--tries*) wget -q --tries=2 -O "$2" "$1" ;;
    *) wget -q -O "$2" "$1" ;;
  esac
}

sha256() {
  case $sum_tool in
    sha256sum) sha256sum <"$1" ;;
    shasum) shasum -a 256 <"$1" ;;
    openssl) openssl dgst -sha256 -r <"$1" ;;
  esac | sed 's/[^0-9a-f].*//'
}

# The work is done in a folder inside $dir: on its file system, so that the last step is a rename
prepare_folder() {
  [ ! -d "$dir/library" ] || fail "$dir/library is a folder"
  made=
  above=$dir
  while [ ! -e "$above" ]; do
    made="$made$above
"
    above=$(dirname -- "$above")
  done
  work=$dir/.library-install.$$
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  mkdir -p -- "$dir" 2>/dev/null || fail "the folder $dir cannot be made" 'Give another one: sh -s -- --dir DIR'
  mkdir -m 700 -- "$work" 2>/dev/null || fail "the folder $dir is not writable" 'Give another one: sh -s -- --dir DIR'
}

# What this run made and did not finish, the deepest folder first
clean_up() {
  rm -rf -- "$work"
  printf '%s' "$made" | while IFS= read -r folder; do
    rmdir -- "$folder" 2>/dev/null || :
  done
}

install_executable() {
  "$download" "$base/SHA256SUMS" "$work/SHA256SUMS" || fail "$base/SHA256SUMS cannot be downloaded"
  expected=
  while read -r sum file; do
    if [ "${file#\*}" = "$name" ]; then expected=$sum; fi
  done <"$work/SHA256SUMS"
  [ ${#expected} -eq 64 ] || fail "$base/SHA256SUMS has no executable for this machine, $name"

  "$download" "$base/$name" "$work/library" || fail "$base/$name cannot be downloaded"
  actual=$(sha256 "$work/library")
  [ "$actual" = "$expected" ] ||
    fail "$base/$name has the SHA-256 $actual, expected $expected" 'Try again; if it stays so, tell who runs that server'

  chmod 755 "$work/library"
  problem=$("$work/library" version 2>&1 >/dev/null) || fail "$name does not run here: $problem"
  mv -f -- "$work/library" "$dir/library" || fail "$dir/library cannot be replaced"
  made=
}

main "$@"
