#!/bin/sh
# Announces the address while lb4 is ready, and withdraws it when it is not: run it as a service beside bird.
# lb4 needs `admin: { bind: '127.0.0.1:9090' }`.
set -u
url=${LB4_READY_URL:-http://127.0.0.1:9090/readyz}
state=unknown
while :; do
  if curl --fail --silent --output /dev/null --max-time 1 "$url"; then now=enable; else now=disable; fi
  if [ "$now" != "$state" ] && birdc ${BIRD_SOCKET:+-s "$BIRD_SOCKET"} "$now" lb4_address >/dev/null; then
    state=$now
    echo "lb4_address: $now" >&2
  fi
  sleep 1
done
