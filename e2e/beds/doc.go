// Package beds starts MariaDB and MySQL servers for tests: each on a port and a data folder of its own, a copy of one
// that is initialised once for the machine, ended with the test or, when tests share it (Shared), with the last of them.
// They are the real programs, fetched by e2e/setup/setup.sh. Any test may import it; no program does.
package beds
