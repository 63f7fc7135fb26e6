#!/bin/sh
# Installs what the tests run for real, where that can be done without asking: on Debian or Ubuntu, as root.
# RabbitMQ must be there; without bubblewrap or podman the tests of trials in boxes are skipped.
set -eu
missing=""
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server > /dev/null || missing="rabbitmq-server"
boxes=""
command -v bwrap > /dev/null || boxes="bubblewrap"
command -v podman > /dev/null || boxes="$boxes podman runc"
if [ -z "$missing$boxes" ]; then
	exit 0
fi
if command -v apt-get > /dev/null && [ "$(id -u)" = 0 ]; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	for packages in "$missing" "$boxes"; do
		# shellcheck disable=SC2086
		[ -z "$packages" ] || apt-get install -qq -y --no-install-recommends $packages > /dev/null || [ "$packages" = "$boxes" ]
	done
elif [ -n "$missing" ]; then
	echo "The tests need RabbitMQ (any version from 3.10 to 4): install rabbitmq-server with your package manager, then run them again." >&2
	exit 1
fi
