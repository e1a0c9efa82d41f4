#!/usr/bin/env bash
# Installs what the tests use beside Go, only where it is missing:
#   chromium                  the HTML report in a browser
#   moto_server, cfn-lint     the AWS double and the judge of templates
# Debian packages need root; the Python programs go to a virtual environment in
# .cache/python, which the Makefile puts on the PATH of the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

have() { command -v "$1" >/dev/null 2>&1; }

packages=()
have chromium || packages+=(chromium)
if ! have moto_server || ! have cfn-lint; then
	have python3 || packages+=(python3)
	python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || packages+=(python3-venv)
fi
if [ ${#packages[@]} -gt 0 ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "rigs: missing ${packages[*]}: run make rigs as root, or install them yourself" >&2
		exit 1
	fi
	if ! have apt-get; then
		echo "rigs: missing ${packages[*]}, and this is no Debian: install them yourself" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q </dev/null
	apt-get install -q -y --no-install-recommends "${packages[@]}" </dev/null
fi

python=.cache/python
wanted=()
have moto_server || wanted+=('moto[server]==5.2.1')
have cfn-lint || wanted+=('cfn-lint==1.51.0')
if [ ${#wanted[@]} -gt 0 ]; then
	[ -x $python/bin/pip ] || python3 -m venv $python
	$python/bin/pip install -q --disable-pip-version-check "${wanted[@]}" </dev/null
fi

echo "rigs: chromium, moto_server and cfn-lint are ready"
