#!/bin/sh
# Installs what the tests run for real, where that can be done without asking: on Debian or Ubuntu, as root.
# RabbitMQ must be there; where this script cannot install the others, the tests that need them are skipped.
set -eu
missing=""
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server > /dev/null || missing="rabbitmq-server"
extras=""
command -v bwrap > /dev/null || extras="bubblewrap"
command -v podman > /dev/null || extras="$extras podman runc"
command -v curl > /dev/null || extras="$extras curl"
command -v chromium > /dev/null || command -v google-chrome > /dev/null || extras="$extras chromium"
if [ -z "$missing$extras" ]; then
	exit 0
fi
if command -v apt-get > /dev/null && [ "$(id -u)" = 0 ]; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq -o Acquire::Retries=3
	for packages in "$missing" "$extras"; do
		# shellcheck disable=SC2086
		[ -z "$packages" ] || apt-get install -qq -y -o Acquire::Retries=3 --no-install-recommends $packages > /dev/null || [ "$packages" = "$extras" ]
	done
elif [ -n "$missing" ]; then
	echo "The tests need RabbitMQ (any version from 3.10 to 4): install rabbitmq-server with your package manager, then run them again." >&2
	exit 1
fi
