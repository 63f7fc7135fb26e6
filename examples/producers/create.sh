#!/bin/sh
# Makes an experiment over HTTP with nothing but tar and curl: sh create.sh CONFIG.yaml MODEL_FOLDER
# ETUDE_API_URL says where; ETUDE_TOKEN is needed if the API wants one. Prints {"experiment_id": ...}.
set -eu
url=${ETUDE_API_URL:-http://127.0.0.1:8080}
tar czf - -C "$2" . | curl --silent --show-error --fail-with-body \
	${ETUDE_TOKEN:+--header "Authorization: Bearer $ETUDE_TOKEN"} \
	--form "config=@$1" --form "model=@-;filename=model.tar.gz" "$url/api/v1/experiments"
