# Sourced, never run: needs $root, the checkout's folder. Puts the programs that setup.sh installed before the
# others, and reads the versions that package.json pins.

PATH="$root/.tools/bin:$PATH"
export PATH

# Prints the version that package.json pins in "engines": pinned_version bun
pinned_version() {
  sed -n "s/^ *\"$1\": \"\([0-9][0-9.]*\)\",\{0,1\}\$/\1/p" "$root/package.json"
}

# Prints the version that a bun or deno reports of itself, nothing where it does not run: reported_version deno PATH
reported_version() {
  case $1 in
    bun) "$2" --version 2>/dev/null || : ;;
    deno) "$2" --version 2>/dev/null | sed -n '1s/^deno \([^ ]*\).*/\1/p' ;;
  esac
}

# Says why the script ends, on stderr, one line an argument: fail "Cannot …" "hint: …"
fail() {
  printf '%s\n' "$@" >&2
  exit 1
}
