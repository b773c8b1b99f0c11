#!/bin/sh
# Sum up a text: sh sum_up.sh notes.txt [http://localhost:8000]
# notes.txt.summary is there afterwards, whole or not at all; the exit code says what to do.
set -u
text=$1
export LITE_LLM_CHAT_URL="${2:-http://localhost:8000}"

lite-llm-chat ask "Sum this up in three lines." < "$text" > "$text.part"
code=$?

case $code in
    0) mv -- "$text.part" "$text.summary" ;;
    4) echo "refused, and would be again" >&2 ;;
    *) echo "no whole answer this time: try again later" >&2 ;;
esac
rm -f -- "$text.part"
exit $code
