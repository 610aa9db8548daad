#!/bin/sh
# Starts primes.hold, kills the process that runs it ten times without a warning, and shows what the program has printed.
set -eu
here=$(dirname "$0")
HOLDFAST_WORLD=$(mktemp -d)/world
export HOLDFAST_WORLD
thread=$(holdfast run --detach "$here/primes.hold" 2> /dev/null)
for i in 1 2 3 4 5 6 7 8 9 10; do
    holdfast serve > /dev/null 2>&1 &
    sleep 0.7 # which moment it is does not matter
    kill -9 $!
    wait $! 2> /dev/null || true
done
echo "killed ten times"
holdfast attach "$thread"
rm -r "$(dirname "$HOLDFAST_WORLD")"
