#!/usr/bin/env bash
# A real Tryton 6 (Debian's packages, SQLite) behind Sluice: the same calls as two personas, over JSON-RPC and XML-RPC.
# Needs apt (Debian, as root) the first time, and nothing else. Everything it makes goes into a temporary folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export PATH="$root/node_modules/.bin:$PATH"

if ! command -v trytond-admin >/dev/null; then
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "examples/tryton: skipped, trytond is not installed and apt-get cannot be used here"
    exit 0
  fi
  echo "installing Tryton from Debian"
  (apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    tryton-server tryton-modules-party tryton-modules-country tryton-modules-sale) >/dev/null 2>&1 ||
    { echo "examples/tryton: skipped, apt-get could not install tryton-server"; exit 0; }
fi

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
free_port() { node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{console.log(s.address().port);s.close()})'; }
tryton_port=$(free_port) proxy_port=$(free_port) admin_port=$(free_port)

echo "setting up Tryton (about 15 s)"
password=$(node -p 'crypto.randomUUID()')
printf '%s' "$password" >"$work/password"
printf '[database]\nuri = sqlite://\npath = %s\n[web]\nlisten = 127.0.0.1:%s\n' "$work" "$tryton_port" >"$work/trytond.conf"
: >"$work/tryton.sqlite"
TRYTONPASSFILE="$work/password" trytond-admin -c "$work/trytond.conf" -d tryton --all \
  -u party country sale --activate-dependencies --email admin@example.com >"$work/setup.log" 2>&1 || { cat "$work/setup.log"; exit 1; }
trytond -c "$work/trytond.conf" -d tryton >"$work/trytond.log" 2>&1 &
for _ in $(seq 100); do curl -s -o /dev/null "http://127.0.0.1:$tryton_port/" && break; sleep 0.2; done

TRYTON_SESSION=$(node "$here/seed.ts" "http://127.0.0.1:$tryton_port/tryton/" "$password")
export TRYTON_SESSION

cp "$here/consents.yaml" "$work/"
cp -r "$root/policies" "$work/policies"
rm -r "$work/policies/scenarios" "$work/policies/catalog"/*
cp "$here/policies/catalog/"*.yaml "$work/policies/catalog/"
cp "$here/policies/data/"*.yaml "$work/policies/data/"
sed -e "s/127.0.0.1:8090/127.0.0.1:$proxy_port/; s/127.0.0.1:8091/127.0.0.1:$admin_port/; s/127.0.0.1:9100/127.0.0.1:$tryton_port/" \
  "$here/sluice.yaml" >"$work/sluice.yaml"

node "$here/ask.ts" "$work" "http://127.0.0.1:$proxy_port" "http://127.0.0.1:$admin_port"
