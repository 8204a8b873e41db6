#!/usr/bin/env bash
# Runs the tests of multicast over IPv6 in a network namespace, between the ends of a virtual cable:
# loopback interfaces carry no groups of IPv6. Exits with 77, skipped, where none can be had.
#   multicast_v6.sh DISCOVERY_TEST
set -eu

cable='ip link add kmdr0 type veth peer name kmdr1 &&
  ip link set kmdr0 up && ip link set kmdr1 up &&
  ip -6 addr add fe80::1/64 dev kmdr0 nodad'
for user in '' '--map-root-user'; do
  # shellcheck disable=SC2086  # empty: no argument
  if unshare --net $user sh -c "$cable" 2>/dev/null; then
    # shellcheck disable=SC2086
    KOMMANDER_V6_INTERFACE=kmdr0 exec unshare --net $user \
      sh -eu -c "$cable"'; exec "$0" "multicast: over IPv6*"' "$1"
  fi
done
echo 'left out: no network namespace can be had'
exit 77
