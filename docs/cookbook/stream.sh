#!/bin/sh
# Ask with curl, watch the frames as they come, then read what was kept.
#
#     sh stream.sh "What is the capital of France?" [http://localhost:8000]
set -eu

question=${1:-Hello!}
api=${2:-http://localhost:8000}/api/v1

# Enough of JSON's quoting for one line of text.
quoted=$(printf '%s' "$question" | sed 's/[\\"]/\\&/g')
frames=$(mktemp)
trap 'rm -f "$frames"' EXIT

curl -sS -N "$api/chat" \
    -H 'Content-Type: application/json' \
    -d "{\"messages\": [{\"role\": \"user\", \"content\": \"$quoted\"}]}" | tee "$frames"

# The first frame names the session.
session=$(sed -n 's/^data: {"session_id": \([0-9]*\).*/\1/p' "$frames")
curl -sS "$api/sessions/$session"
echo
