#!/bin/sh
# Filmstill's native API with curl.
#
#     FILMSTILL_URL=http://127.0.0.1:8080 sh examples/clients/route_curl.sh [DEPLOYMENT]
#
# Without a deployment, the student that ships with Filmstill answers. Where the server wants a key,
# FILMSTILL_API_KEY holds it.
set -eu

url=${FILMSTILL_URL:-http://127.0.0.1:8080}
deployment=${1:-filmstill}

call() { # PATH [BODY]
    path=$1
    shift
    curl --silent --show-error --fail-with-body "$url$path" \
        ${FILMSTILL_API_KEY:+-H "x-api-key: $FILMSTILL_API_KEY"} \
        ${1:+-H 'content-type: application/json' -d "$1"}
    echo
}

echo '# One query'
call /v1/route "{\"deployment\": \"$deployment\", \"query\": \"a dog barking in the rain\"}"

echo '# Several at once, with weights off the grid'
call /v1/route "{\"deployment\": \"$deployment\", \"raw\": true,
    \"queries\": [\"Breaking Bad season 3\", \"drone shot of a lighthouse\"]}"

echo '# With the reasoning, and what each word speaks for'
call /v1/route "{\"deployment\": \"$deployment\", \"explain\": true,
    \"query\": \"Olivia talking about growing up in poverty\"}"

echo '# What is deployed'
call /v1/deployments
