#!/bin/sh
# Installs RabbitMQ where that can be done without asking: on Debian or Ubuntu, as root.
set -eu
if [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server > /dev/null; then
	exit 0
fi
if command -v apt-get > /dev/null && [ "$(id -u)" = 0 ]; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	exec apt-get install -qq -y --no-install-recommends rabbitmq-server > /dev/null
fi
echo "The tests need RabbitMQ (any version from 3.10 to 4): install rabbitmq-server with your package manager, then run them again." >&2
exit 1
