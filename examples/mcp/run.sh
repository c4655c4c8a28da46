#!/usr/bin/env bash
# An AI agent's MCP server behind Sluice: examples/mcp/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH="$PWD/node_modules/.bin:$PATH"
exec node examples/mcp/run.ts
