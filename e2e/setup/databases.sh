# Sourced by setup.sh: MariaDB and MySQL, unpacked each into a folder of its own with all the libraries that it
# needs, down to libc, and run by that folder's own loader: nothing is installed, no service starts, and it does
# not matter what this system has. Leaves SLUICE_MARIADBD… and SLUICE_MYSQLD… for the env file.

# apt_tree DIR SOURCEPARTS PACKAGE... fetches packages and everything that they need into DIR. SOURCEPARTS is a
# folder of apt sources, or "" for the system's own. The package state is a private one in which nothing is
# installed, so that the libraries come along.
apt_tree() {
  local dir=$1 parts=$2 apt deb; shift 2
  rm -rf "$dir.part"
  mkdir -p "$dir.part/apt/state/lists/partial" "$dir.part/apt/cache/archives/partial"
  : >"$dir.part/apt/status"
  apt=(apt-get -qq -o "Dir::State=$dir.part/apt/state" -o "Dir::State::status=$dir.part/apt/status" -o "Dir::Cache=$dir.part/apt/cache")
  [ "$(id -u)" != 0 ] || apt+=(-o APT::Sandbox::User=root)
  [ -z "$parts" ] || apt+=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$parts")
  "${apt[@]}" update </dev/null &&
    "${apt[@]}" -y --no-install-recommends --download-only install "$@" </dev/null || return 1
  for deb in "$dir.part"/apt/cache/archives/*.deb; do
    case ${deb##*/} in perl* | libperl* | debconf*) continue ;; esac
    dpkg-deb -x "$deb" "$dir.part" || return 1
  done
  rm -rf "$dir.part/apt" "$dir.part/usr/share/doc" "$dir.part/usr/share/man"
}

# own_loader DIR PROGRAM... puts a script in the place of each program, which runs it with DIR's libraries. DIR is
# still named DIR.part, the script names it as it will be.
own_loader() {
  local dir=$1 program loader libs; shift
  loader=$(cd "$dir.part" && find . -name 'ld-linux*.so*' ! -path './lib64/*' ! -path './usr/lib64/*' | head -n1)
  [ -n "$loader" ] || return 1
  loader=${loader#./} libs=${loader##*lib/}; libs=${libs%%/*}
  for program in "$@"; do
    [ -x "$dir.part/$program" ] || continue
    mv "$dir.part/$program" "$dir.part/$program.bin"
    printf '#!/bin/sh\nexec %q --library-path %q:%q %q "$@"\n' "$dir/$loader" \
      "$dir/lib/$libs" "$dir/usr/lib/$libs" "$dir/$program.bin" >"$dir.part/$program"
    chmod +x "$dir.part/$program"
  done
}

# keep DIR makes what was fetched the one that is used.
keep() { rm -rf "$1"; mv "$1.part" "$1"; touch "$1/.complete"; }

need_apt() {
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    die "$1 is fetched as Debian packages, and this system has no apt-get: run the tests on Debian or Ubuntu, or set SKIP_DATABASES=1 to go without the tests that need it"
}

fetch_mariadb() {
  need_apt MariaDB
  say "fetching MariaDB (Debian packages, 20 MB)"
  apt_tree "$mariadb" "" mariadb-server-core mariadb-client-core >"$cache/mariadb.log" 2>&1 &&
    own_loader "$mariadb" usr/sbin/mariadbd usr/bin/{my_print_defaults,resolveip,mariadb,mariadb-binlog,mariadb-dump} &&
    [ -x "$mariadb.part/usr/sbin/mariadbd.bin" ] ||
    { tail -n 20 "$cache/mariadb.log" >&2; die "MariaDB could not be fetched with apt-get, log in $cache/mariadb.log. It needs a mirror that has mariadb-server-core"; }
  keep "$mariadb"
}

debian_mirror() { apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m1 -E '/debian$'; }

# On Debian, whose releases have no MySQL, the mirror that this system uses already is asked for the suite that has
# it; elsewhere the system's own packages are taken.
fetch_mysql() {
  need_apt MySQL
  local mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg parts=
  mirror=$(debian_mirror) || { apt_update && mirror=$(debian_mirror); } || mirror=
  say "fetching MySQL (Debian packages, 60 MB)"
  if [ -n "$mirror" ]; then
    parts=$mysql.sources
    mkdir -p "$parts"
    printf 'Types: deb\nURIs: %s\nSuites: sid\nComponents: main\nSigned-By: %s\n' "$mirror" "$keyring" >"$parts/sid.sources"
  fi
  apt_tree "$mysql" "$parts" mysql-server-core mysql-client-core >"$cache/mysql.log" 2>&1 &&
    own_loader "$mysql" usr/sbin/mysqld usr/bin/{mysql,mysqlbinlog,mysqldump} &&
    [ -x "$mysql.part/usr/sbin/mysqld.bin" ] ||
    { tail -n 20 "$cache/mysql.log" >&2; die "MySQL could not be fetched with apt-get, log in $cache/mysql.log. It needs a mirror that has mysql-server-core (Debian: suite sid)"; }
  rm -rf "$mysql.sources"
  keep "$mysql"
}

mariadb=$cache/mariadb-1 mysql=$cache/mysql-1 # the number changes with what these functions make
if [ -z "${SKIP_DATABASES:-}" ]; then
  [ -f "$mariadb/.complete" ] || fetch_mariadb
  [ -f "$mysql/.complete" ] || fetch_mysql
fi

databases_env() {
  [ ! -f "$mariadb/.complete" ] || {
    printf 'SLUICE_MARIADB_ROOT=%q\n' "$mariadb"
    printf 'SLUICE_MARIADBD=%q\n' "$mariadb/usr/sbin/mariadbd"
    printf 'SLUICE_MARIADB_INSTALL_DB=%q\n' "$mariadb/usr/bin/mariadb-install-db"
  }
  [ ! -f "$mysql/.complete" ] || {
    printf 'SLUICE_MYSQLD_ROOT=%q\n' "$mysql"
    printf 'SLUICE_MYSQLD=%q\n' "$mysql/usr/sbin/mysqld"
  }
}
