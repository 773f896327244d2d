package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/sluice-io/sluice/runner/connector"
)

// Server error numbers that the library has no name for.
const (
	errSecureTransport  = 3159 // require_secure_transport is on
	errAccountLocked    = 3118
	errPasswordExpired  = 3955 // of MySQL; also 1862
	errMariaLocked      = 4151
	errSlaveSameID      = 4052 // MariaDB: another reader came with our server id
	errPersistReadOnly  = 1238
	errUnknownLogFile   = 1373
	errServerIsInOffine = 3032 // offline_mode
)

// serverCode is the server's error number in err, 0 when the server said nothing.
func serverCode(err error) uint16 {
	var my *mysql.MyError
	if errors.As(err, &my) {
		return my.Code
	}
	return 0
}

// classify makes of an error what decides how it goes on: by the server's number or by
// type, never by text. What already is classified stays as it is, and nobody's error
// is a server that is away.
func classify(s *Settings, err error) error {
	if err == nil || connector.CauseOf(err) != connector.CauseOther {
		return err
	}
	if w := wrong(s, err); w != nil {
		return w
	}
	return away(s, err)
}

func away(s *Settings, err error) *connector.AwayError {
	brief := "the database does not answer"
	var op *net.OpError
	switch code := serverCode(err); {
	case code == mysql.ER_CON_COUNT_ERROR || code == mysql.ER_TOO_MANY_USER_CONNECTIONS:
		brief = "the database takes no more connections"
	case code != 0:
		brief = fmt.Sprintf("the database answers with error %d", code)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, mysql.ErrBadConn):
		brief = "the database ended the connection"
	case errors.As(err, &op) && op.Op == "dial":
		brief = "the database cannot be reached"
	}
	return &connector.AwayError{System: "MySQL server " + s.Address(), Brief: brief, Err: err}
}

// wrong is nil where waiting may help.
func wrong(s *Settings, err error) error {
	w := &connector.WrongError{Err: err}
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &host):
		w.Field, w.Remedy = keyTLS, "Use the host name that the certificate was issued for, or set "+keyTLS+" to verify_ca."
		w.Brief = "the server's certificate is for another host"
		return w
	case errors.As(err, &authority), errors.As(err, &invalid), errors.As(err, &verify):
		w.Field, w.Remedy = keyCA, "Give the certificate of the authority that signed the server's, or set "+keyTLS+" to required."
		w.Brief = "the server's certificate is not trusted"
		return w
	}
	if !wrongByNumber(s, serverCode(err), w) {
		return nil
	}
	return w
}

func wrongByNumber(s *Settings, code uint16, w *connector.WrongError) bool {
	switch code {
	case mysql.ER_ACCESS_DENIED_ERROR, mysql.ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
		w.Field, w.Remedy, w.Brief = keyUser, "Correct the account and its password, and the hosts it may connect from.", "the server refuses the account "+s.User
	case mysql.ER_DBACCESS_DENIED_ERROR, mysql.ER_BAD_DB_ERROR:
		w.Field, w.Remedy, w.Brief = keyDatabase, "Correct the database's name, or: GRANT SELECT ON `"+s.Database+"`.* TO "+account(s)+";", "the account does not see the database "+s.Database
	case mysql.ER_TABLEACCESS_DENIED_ERROR, 1143: // a table, a column
		w.Field, w.Remedy, w.Brief = keyUser, "GRANT SELECT ON `"+s.Database+"`.* TO "+account(s)+";", "the account may not read a table"
	case mysql.ER_SPECIFIC_ACCESS_DENIED_ERROR:
		w.Field, w.Remedy, w.Brief = keyUser, "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO "+account(s)+";", "the account lacks a privilege"
	case mysql.ER_XAER_RMERR:
		w.Field, w.Remedy, w.Brief = keyUser, "GRANT XA_RECOVER_ADMIN ON *.* TO "+account(s)+";", "the account may not list prepared transactions"
	case mysql.ER_HOST_NOT_PRIVILEGED, mysql.ER_HOST_IS_BLOCKED:
		w.Field, w.Remedy, w.Brief = keyHost, "Let the server take connections from this machine (RDS: whitelist); after too many failed ones also FLUSH HOSTS.", "the server refuses this machine"
	case errSecureTransport:
		w.Field, w.Remedy, w.Brief = keyTLS, "Set "+keyTLS+" to required: the server takes encrypted connections only.", "the server wants TLS"
	case errAccountLocked, errMariaLocked, mysql.ER_MUST_CHANGE_PASSWORD, mysql.ER_MUST_CHANGE_PASSWORD_LOGIN, errPasswordExpired:
		w.Field, w.Remedy, w.Brief = keyUser, "Unlock the account, or give it a new password.", "the account is locked or its password expired"
	case mysql.ER_NO_BINARY_LOGGING:
		w.Field, w.Remedy, w.Brief = keyHost, "Set log_bin in the server's configuration and start it again (RDS: it is on by default).", "the server writes no binary log"
	default:
		return false
	}
	return true
}

// account is the account as GRANT wants it.
func account(s *Settings) string { return "'" + s.User + "'@'%'" }
