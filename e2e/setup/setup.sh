#!/usr/bin/env bash
# Makes this machine ready for `make test`: a JDK and Maven, Apache Kafka's jars, Chromium, a Python
# environment with the independent judges. Everything that is not a system package goes into
# $SLUICE_TEST_CACHE, so that a second run starts at once; each step is skipped when its result is there.
# Ends by writing $SLUICE_TEST_CACHE/env, shell assignments that the tests need:
#   SLUICE_KAFKA_LIBS  folder of Kafka's jars      SLUICE_PY        python with oss2, pyarrow, fastavro, …
#   SLUICE_JAVA        the java to run it with     SLUICE_CHROMIUM  the browser
#   SLUICE_AXE         axe-core, the judge of the pages' accessibility
#   SLUICE_MARIADBD, SLUICE_MARIADB_INSTALL_DB, SLUICE_MARIADB_ROOT   MariaDB's server, and the tree that it is in
#   SLUICE_MYSQLD, SLUICE_MYSQLD_ROOT                                 MySQL's
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SLUICE_TEST_CACHE:-${HOME:?is not set, and SLUICE_TEST_CACHE names no folder instead}/.cache/sluice-test}
kafka_version=4.3.1
axe_version=4.14.1

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

mkdir -p "$cache" || die "cannot make $cache; let SLUICE_TEST_CACHE name a folder that you may write to"
command -v flock >/dev/null || die "flock is missing: it comes with util-linux, which this script needs (it is made for Linux)"
exec 9>"$cache/.lock"
flock -w 1200 9 || die "another setup has held $cache/.lock for 20 minutes; end it or remove the file"

# as_root runs a command with the rights that apt needs; may_install tells whether it can.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
may_install() { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; }

# apt_update refreshes the package lists once. Its lists lock has no time-out option of its own, so
# another apt that is running is waited for here.
apt_updated=
apt_update() {
  [ -z "$apt_updated" ] || return 0
  local deadline=$((SECONDS + 600))
  until as_root apt-get -qq update >"$cache/apt.log" 2>&1; do
    if ! grep -q 'Could not get lock' "$cache/apt.log" || [ $SECONDS -ge $deadline ]; then
      tail -n 20 "$cache/apt.log" >&2; return 1
    fi
    sleep 2
  done
  apt_updated=1
}

# apt_install WHAT NAME... installs Debian packages, waiting for another apt to finish. WHAT says in words
# what is missing, for the one who has to install it by hand.
apt_install() {
  local what=$1; shift
  local hand="$what is missing. Install it (on Debian and Ubuntu: apt-get install $*), so that it is in PATH, and run this again"
  command -v apt-get >/dev/null || die "$hand"
  may_install || die "$hand; installing it from here needs root, or sudo without a password"
  say "installing $* (apt)"
  apt_update || die "apt-get update failed, log in $cache/apt.log. $hand"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=600 \
    install --no-install-recommends "$@" >"$cache/apt.log" 2>&1 </dev/null ||
    { tail -n 20 "$cache/apt.log" >&2; die "apt-get install failed, log in $cache/apt.log. $hand"; }
  hash -r # a command looked for before may be there now
}

# first_of NAME... prints the path of the first command that exists.
first_of() { local c; for c in "$@"; do command -v "$c" && return 0; done; return 1; }

java_ok() { java -version 2>&1 | head -n1 | grep -Eq '"(1[7-9]|[2-9][0-9])'; }
if ! command -v java >/dev/null || ! java_ok; then apt_install "Java 17 or later" default-jre-headless; fi
java_ok || die "the java in PATH ($(command -v java)) is older than 17, which Apache Kafka $kafka_version needs; put a newer one first in PATH"

libs=$cache/kafka-$kafka_version
if [ ! -f "$libs/.complete" ]; then
  command -v mvn >/dev/null || apt_install Maven maven
  say "fetching Apache Kafka $kafka_version (Maven, 44 MB)"
  rm -rf "$libs.part"; mkdir -p "$libs.part"
  mvn -B -q -f "$here/kafka-pom.xml" dependency:copy-dependencies \
    -DoutputDirectory="$libs.part" -DincludeScope=runtime </dev/null >"$cache/mvn.log" 2>&1 ||
    { tail -n 20 "$cache/mvn.log" >&2; die "Maven could not fetch Kafka's jars, log in $cache/mvn.log. It needs a repository that has Maven Central's packages (a mirror goes into ~/.m2/settings.xml)"; }
  rm -rf "$libs"; mv "$libs.part" "$libs"; touch "$libs/.complete"
fi

browser=$(first_of chromium chromium-browser google-chrome google-chrome-stable) || {
  apt_install "Chromium (or Google Chrome)" chromium fonts-dejavu-core
  browser=$(first_of chromium chromium-browser) || die "chromium was installed but is not in PATH; add its folder to PATH"
}

# The environment is made anew when the list of requirements changes.
want=$(sha256sum "$here/requirements.txt" | cut -c1-16)
venv=$cache/python-$want
if [ ! -f "$venv/.complete" ]; then
  command -v python3 >/dev/null || apt_install "Python 3" python3 python3-venv python3-dev gcc
  python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install "Python's venv module" python3-venv
  say "making the Python environment of the judges"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" -q --disable-pip-version-check install -r "$here/requirements.txt" </dev/null >"$cache/pip.log" 2>&1 ||
    { tail -n 20 "$cache/pip.log" >&2; die "pip could not install $here/requirements.txt, log in $cache/pip.log. It needs PyPI's packages (a mirror goes into pip's configuration)"; }
  touch "$venv/.complete"
fi

axe=$cache/axe-core-$axe_version/axe.min.js
if [ ! -f "$axe" ]; then
  command -v npm >/dev/null || apt_install npm npm
  say "fetching axe-core $axe_version (npm)"
  part=$(mktemp -d "$cache/axe.part.XXXXXX")
  (cd "$part" && npm pack --silent "axe-core@$axe_version" && tar -xzf axe-core-*.tgz package/axe.min.js package/LICENSE) \
    </dev/null >"$cache/npm.log" 2>&1 || { tail -n 20 "$cache/npm.log" >&2; die "npm could not fetch axe-core, log in $cache/npm.log. It needs the npm registry's packages (a mirror goes into ~/.npmrc)"; }
  rm -rf "$cache/axe-core-$axe_version"; mv "$part/package" "$cache/axe-core-$axe_version"; rm -rf "$part"
fi

. "$here/databases.sh"

{
  printf 'SLUICE_TEST_CACHE=%q\n' "$cache"
  printf 'SLUICE_KAFKA_LIBS=%q\n' "$libs"
  printf 'SLUICE_JAVA=%q\n' "$(command -v java)"
  printf 'SLUICE_PY=%q\n' "$venv/bin/python"
  printf 'SLUICE_CHROMIUM=%q\n' "$browser"
  printf 'SLUICE_AXE=%q\n' "$axe"
  databases_env
} >"$cache/env.part"
mv "$cache/env.part" "$cache/env"
say "ready ($cache)"
