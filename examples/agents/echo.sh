#!/bin/sh
# The smallest agent: reads its prompt, says what it was given, and succeeds. Exit with anything but 0 to fail.
set -eu

prompt=$(cat)
printf 'Task %s, attempt %s, on branch %s\n' "$ENTOURAGE_TASK_ID" "$ENTOURAGE_ATTEMPT" "$ENTOURAGE_BRANCH"
printf 'The prompt has %s characters and begins:\n' "${#prompt}"
printf '%s\n' "$prompt" | head -n 3
