#!/bin/sh
# Runs every check and every test; the last line is the sum, and the exit status is 0 only if nothing failed.
#
#   sh scripts/test.sh [PART…]   all, or only these parts and what they need; an unknown part lists them
#
# With CI=true everything that a test needs has to be there: a peer that cannot be installed is a failure. Elsewhere
# tests that need it are skipped, with the reason. LIBRARY_TEST_JOBS sets how many parts run at a time (2).
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/environment.sh"

if ! sh "$root/scripts/setup.sh" --deno; then
  echo '0 passed, 1 failed'
  exit 1
fi
cd "$root"
exec bun scripts/test.ts "$@"
