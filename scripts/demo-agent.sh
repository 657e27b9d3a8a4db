#!/bin/sh
# The agent of `npm run demo`: reads its prompt from standard input and pretends to work. What it prints is kept with
# the run; exit status 0 is success.
prompt=$(cat)
printf 'A prompt of %s characters came in. Its first lines:\n' "${#prompt}"
printf '%s\n' "$prompt" | head -n 5
echo 'Reproduced it, mended it, and ran the tests.'
