#!/usr/bin/env bash
# Makes this machine ready for `make test`: a JDK and Maven, Apache Kafka's jars, Chromium, a Python
# environment with the independent judges. Everything that is not a system package goes into
# $SLUICE_TEST_CACHE, so that a second run starts at once; each step is skipped when its result is there.
# Ends by writing $SLUICE_TEST_CACHE/env, shell assignments that the tests need:
#   SLUICE_KAFKA_LIBS  folder of Kafka's jars      SLUICE_PY        python with oss2, pyarrow, fastavro, …
#   SLUICE_JAVA        the java to run it with     SLUICE_CHROMIUM  the browser
#   SLUICE_AXE         axe-core, the judge of the pages' accessibility
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SLUICE_TEST_CACHE:-$HOME/.cache/sluice-test}
kafka_version=4.3.1
axe_version=4.14.1

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

mkdir -p "$cache"
exec 9>"$cache/.lock"
flock -w 1200 9 || die "another setup has held $cache/.lock for 20 minutes; end it or remove the file"

# as_root runs a command with the rights that apt needs.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo -n "$@"
  else die "needs root for: $*. Run it yourself, then try again"; fi
}

# apt_update refreshes the package lists once. Its lists lock has no time-out option of its own, so
# another apt that is running is waited for here.
apt_updated=
apt_update() {
  [ -z "$apt_updated" ] || return 0
  local deadline=$((SECONDS + 600))
  until as_root apt-get -qq update >"$cache/apt.log" 2>&1; do
    if ! grep -q 'Could not get lock' "$cache/apt.log" || [ $SECONDS -ge $deadline ]; then
      cat "$cache/apt.log" >&2; die "apt-get update failed"
    fi
    sleep 2
  done
  apt_updated=1
}

# apt_install NAME... installs Debian packages, waiting for another apt to finish.
apt_install() {
  command -v apt-get >/dev/null || die "cannot install $*: no apt-get on this system. Install it by hand"
  say "installing $* (apt)"
  apt_update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=600 \
    install --no-install-recommends "$@" >"$cache/apt.log" 2>&1 </dev/null ||
    { tail -n 20 "$cache/apt.log" >&2; die "apt-get install $* failed"; }
}

# first_of NAME... prints the path of the first command that exists.
first_of() { local c; for c in "$@"; do command -v "$c" && return 0; done; return 1; }

java_ok() { java -version 2>&1 | head -n1 | grep -Eq '"(1[7-9]|[2-9][0-9])'; }
if ! command -v java >/dev/null || ! java_ok; then apt_install default-jre-headless; fi
java_ok || die "java is older than 17, which Apache Kafka $kafka_version needs; put a newer one first in PATH"

libs=$cache/kafka-$kafka_version
if [ ! -f "$libs/.complete" ]; then
  command -v mvn >/dev/null || apt_install maven
  say "fetching Apache Kafka $kafka_version (Maven, 44 MB)"
  rm -rf "$libs.part"; mkdir -p "$libs.part"
  mvn -B -q -f "$here/kafka-pom.xml" dependency:copy-dependencies \
    -DoutputDirectory="$libs.part" -DincludeScope=runtime </dev/null >"$cache/mvn.log" 2>&1 ||
    { tail -n 20 "$cache/mvn.log" >&2; die "fetching Kafka's jars failed; log in $cache/mvn.log"; }
  rm -rf "$libs"; mv "$libs.part" "$libs"; touch "$libs/.complete"
fi

browser=$(first_of chromium chromium-browser google-chrome google-chrome-stable) || {
  apt_install chromium fonts-dejavu-core
  browser=$(first_of chromium) || die "chromium was installed but is not in PATH"
}

# The environment is made anew when the list of requirements changes.
want=$(sha256sum "$here/requirements.txt" | cut -c1-16)
venv=$cache/python-$want
if [ ! -f "$venv/.complete" ]; then
  command -v python3 >/dev/null || apt_install python3 python3-venv python3-dev gcc
  python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
  say "making the Python environment of the judges"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" -q --disable-pip-version-check install -r "$here/requirements.txt" </dev/null >"$cache/pip.log" 2>&1 ||
    { tail -n 20 "$cache/pip.log" >&2; die "pip install failed; log in $cache/pip.log"; }
  touch "$venv/.complete"
fi

axe=$cache/axe-core-$axe_version/axe.min.js
if [ ! -f "$axe" ]; then
  command -v npm >/dev/null || apt_install npm
  say "fetching axe-core $axe_version (npm)"
  part=$(mktemp -d "$cache/axe.part.XXXXXX")
  (cd "$part" && npm pack --silent "axe-core@$axe_version" && tar -xzf axe-core-*.tgz package/axe.min.js package/LICENSE) \
    </dev/null >"$cache/npm.log" 2>&1 || { tail -n 20 "$cache/npm.log" >&2; die "fetching axe-core failed; log in $cache/npm.log"; }
  rm -rf "$cache/axe-core-$axe_version"; mv "$part/package" "$cache/axe-core-$axe_version"; rm -rf "$part"
fi

{
  printf 'SLUICE_TEST_CACHE=%q\n' "$cache"
  printf 'SLUICE_KAFKA_LIBS=%q\n' "$libs"
  printf 'SLUICE_JAVA=%q\n' "$(command -v java)"
  printf 'SLUICE_PY=%q\n' "$venv/bin/python"
  printf 'SLUICE_CHROMIUM=%q\n' "$browser"
  printf 'SLUICE_AXE=%q\n' "$axe"
} >"$cache/env.part"
mv "$cache/env.part" "$cache/env"
say "ready ($cache)"
