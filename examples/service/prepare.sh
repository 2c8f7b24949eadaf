#!/bin/sh
# Makes content/, which the Dockerfile copies: from packages of npm in the versions and with the sums of
# package-lock.json. A second run changes nothing.
set -eu

cd "$(dirname -- "$0")"
# What content/ is made of: it is made again when one of these changes
state=$(cat prepare.sh package-lock.json site/* | cksum)
if [ "$(cat content/.state 2>/dev/null || :)" = "$state" ]; then
  echo "content/ is ready"
  exit
fi

# --force: the package for the other CPU is wanted too, though it cannot run here
if ! npm ci --force --ignore-scripts --no-audit --no-fund >npm.log 2>&1; then
  cat npm.log >&2
  echo 'Cannot prepare content/: npm could not install the packages' >&2
  echo 'hint: Run "npm ping" to see whether npm reaches its registry' >&2
  exit 1
fi

rm -rf content
mkdir -p content/site/chart content/site/fonts content/server/amd64 content/server/arm64
cp node_modules/@esbuild/linux-x64/bin/esbuild content/server/amd64/server
cp node_modules/@esbuild/linux-arm64/bin/esbuild content/server/arm64/server
cp site/* content/site/
chart=node_modules/d3-celestial
cp -R "$chart/data" "$chart/LICENSE" "$chart/celestial.css" "$chart/celestial.min.js" content/site/chart/
cp "$chart/lib/d3.min.js" "$chart/lib/d3.geo.projection.min.js" content/site/chart/
cp -R "$chart/images" content/site/chart/
fonts=node_modules/@fontsource/noto-sans-sc
cp -R "$fonts/files" "$fonts/LICENSE" "$fonts"/[1-9]00.css content/site/fonts/
# Equal for everybody, whatever the umask
find content -type d -exec chmod 755 {} +
find content -type f -exec chmod 644 {} +
chmod 755 content/server/*/server
rm -rf node_modules npm.log
echo "$state" >content/.state
echo "content/: $(($(du -sk content | cut -f1) / 1024)) MiB"
