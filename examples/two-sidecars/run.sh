#!/usr/bin/env bash
# Two sidecars that share a PostgreSQL and a Redis: examples/two-sidecars/run.sh [--announcements redis]
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PWD/node_modules/.bin:$PATH"
exec node examples/two-sidecars/run.ts "$@"
