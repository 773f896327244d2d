#!/usr/bin/env bash
# Captures anew what the format "debezium" is compared with: runs the real Debezium connectors for MySQL and MariaDB
# (Maven fetches them, about 100 MB) and this program's reader on the same servers, and writes what both make of the same
# rows to runner/mysql/format/testdata/debezium-*.jsonl. No part of `make test`, which compares with those files. Needs
# what setup.sh makes ready, and a JDK 17 or later. Look at the differences with
#   e2e/setup/debezium.sh && go test ./runner/mysql/format -run RealDebezium
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cache=${SLUICE_TEST_CACHE:-$HOME/.cache/sluice-test}
set -a; . "$cache/env"; set +a
mysql_version=3.6.1.Final mariadb_version=3.5.0.Final # the newest of each
for connector in mysql mariadb; do
  version=${connector}_version version=${!version}
  libs=$cache/debezium-$connector-$version
  if [ ! -f "$libs/.complete" ]; then
    rm -rf "$libs"
    mvn -B -q -f e2e/setup/debezium/pom.xml -Ddebezium="$version" -Dconnector="$connector" \
      dependency:copy-dependencies -DoutputDirectory="$libs" -DincludeScope=runtime </dev/null
    touch "$libs/.complete"
  fi
  export "SLUICE_DEBEZIUM_${connector^^}=$libs"
done
exec go test -tags=debezium ./runner/mysql -run TestCaptureDebezium -count=1 -v "$@"
