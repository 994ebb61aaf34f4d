#!/bin/sh
# The uv of a virtual environment, trusting whom this machine trusts.
# usage: uv.sh VENV ARGUMENT...
set -eu
uv=$1/bin/uv
shift
# uv brings certificates of its own. Behind a company's TLS proxy they do not do: that one's is in the
# system's store, where pip finds it. Where there is no store (a bare container), uv would not start with it.
for store in /etc/ssl/certs /etc/pki/tls/certs; do
    if [ -n "$(ls -A "$store" 2>/dev/null)" ]; then
        export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
    fi
done
exec "$uv" "$@"
