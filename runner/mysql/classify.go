package mysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// Numbers of the server's errors (MySQL "Server Error Message Reference", MariaDB "Error
// Codes") by which causes are told.
const (
	codeHostBlocked        = 1129
	codeHostNotAllowed     = 1130
	codeDatabaseDenied     = 1044
	codeAccessDenied       = 1045
	codeUnknownDatabase    = 1049
	codeTableDenied        = 1142
	codeColumnDenied       = 1143
	codeNoTable            = 1146
	codePrivilegeNeeded    = 1227
	codeAuthPlugin         = 1251
	codeSecureTransport    = 3159
	codeAccountLocked      = 3118
	codePasswordExpired    = 1820
	codePasswordExpiredOld = 1862
	codeXANotAllowed       = 1401
	codeOldAccountLocked   = 4151 // MariaDB
	codeTooManyConnections = 1040
	codeTooManyOfUser      = 1203
)

// GRANT statements that remedies name; the account is to be put in.
func (s *Settings) grantReplication() string {
	return fmt.Sprintf("Run as an administrator: GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO %s; (in the console of RDS: use a privileged account, or a standard account with read and write permission on the database).", s.grantee())
}

func (s *Settings) grantSelect() string {
	return fmt.Sprintf("Run as an administrator: GRANT SELECT ON %s.* TO %s; (in the console of RDS: Accounts, Modify Permissions, read-only or more on the database).", quoteName(s.Database), s.grantee())
}

// classify gives an error of the server or of the connection its cause; doing says what
// was being done. Errors that have one are returned as they came.
func (s *Settings) classify(doing string, err error) error {
	if err == nil {
		return nil
	}
	switch connector.CauseOf(err) {
	case connector.CauseOther:
	default:
		return err
	}
	full := fmt.Errorf("%s: %w", doing, err)
	var refused *egress.Refused
	if errors.As(err, &refused) {
		return &connector.WrongError{Field: keyHost, Brief: refused.Error(), Err: full, Remedy: refused.Remedy}
	}
	if w := s.wrongTLS(err); w != nil {
		w.Err = full
		return w
	}
	var definition *row.DefinitionError
	if errors.As(err, &definition) {
		return &connector.WrongError{Field: keyTables, Brief: definition.Error(), Err: full, Remedy: "Name the tables to be read without this one in " + keyTables + ", or change the table."}
	}
	var unreadable *row.DecodeError
	if errors.As(err, &unreadable) { // asked again, the server says the same
		return &connector.WrongError{Field: keyTables, Brief: unreadable.Error(), Err: full, Remedy: "Change the column that is named and resume, or name the tables to be read without this one in " + keyTables + "."}
	}
	var e *gomysql.MyError
	if !errors.As(err, &e) {
		return &connector.AwayError{System: s.system(), Brief: s.system() + " is away: " + err.Error(), Err: full, Remedy: unreachable(err)}
	}
	field, remedy := s.remedy(e.Code)
	if remedy == "" {
		return &connector.AwayError{System: s.system(), Brief: fmt.Sprintf("%s answered %d: %s", s.system(), e.Code, e.Message), Err: full, Remedy: busy(e.Code)}
	}
	return &connector.WrongError{Field: field, Brief: fmt.Sprintf("The server answered %d: %s", e.Code, e.Message), Err: full, Remedy: remedy}
}

// unreachable says what to look at when a server does not answer.
func unreachable(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return "The database server's name cannot be resolved here. Correct " + keyHost + ", or let this machine's resolver know it (internal names of RDS are known inside its VPC only)."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens on this address. Check " + keyHost + " and " + keyPort + ", and that the database server runs."
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "There is no route to this address from here. Check the network between this machine and the database server."
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "The database server does not answer in time. Check that it is not overloaded, and the firewall or whitelist between."
	case errors.Is(err, gomysql.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "The database server closed the connection: look at its error log, and whether it was restarted or the connection killed."
	}
	return "Check that the database server runs and is reached from this machine."
}

// busy says what to do about an answer of a server that passes by itself.
func busy(code uint16) string {
	switch code {
	case codeTooManyConnections, codeTooManyOfUser:
		return "The database server has no connection left for the reader: raise max_connections or max_user_connections there, or close others."
	}
	return "Look at the error log of the database server."
}

func (s *Settings) system() string { return "MySQL server " + s.Address() }

// wrongTLS tells errors of the handshake that time does not heal.
func (s *Settings) wrongTLS(err error) *connector.WrongError {
	var (
		unknown  x509.UnknownAuthorityError
		host     x509.HostnameError
		invalid  x509.CertificateInvalidError
		verify   *tls.CertificateVerificationError
		alert    tls.AlertError
		protocol tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown):
		return &connector.WrongError{Field: keyCA, Brief: "The server's certificate is signed by an authority that is not trusted.",
			Remedy: "Give the authority's certificate in " + keyCA + " (RDS: Data Security, SSL Encryption, Download CA Certificate), or lower " + keyTLS + "."}
	case errors.As(err, &host):
		return &connector.WrongError{Field: keyTLS, Brief: "The server's certificate is issued for another name: " + host.Error(),
			Remedy: "Use the name that the certificate is issued for in " + keyHost + ", or choose verify_ca in " + keyTLS + "."}
	case errors.As(err, &invalid), errors.As(err, &verify):
		return &connector.WrongError{Field: keyCA, Brief: "The server's certificate is not valid: " + err.Error(), Remedy: "Renew the server's certificate, or correct " + keyCA + "."}
	case errors.As(err, &alert), errors.As(err, &protocol):
		return &connector.WrongError{Field: keyTLS, Brief: "The TLS handshake failed: " + err.Error(), Remedy: "The server must offer TLS 1.2 or later; otherwise set " + keyTLS + " to disabled."}
	case noTLS(err):
		return &connector.WrongError{Field: keyTLS, Brief: "The server does not offer TLS.", Remedy: "Enable TLS on the server (RDS: Data Security, SSL Encryption), or set " + keyTLS + " to preferred or disabled."}
	}
	return nil
}

// remedy says what to do about an answer of the server of which the configuration is the
// cause; "" when it is not.
func (s *Settings) remedy(code uint16) (field, text string) {
	switch code {
	case codeAccessDenied, codeAuthPlugin:
		return keyPassword, "Correct " + keyUser + " and " + keyPassword + "; the account must be allowed to sign in from this machine's address."
	case codeAccountLocked, codeOldAccountLocked:
		return keyUser, "Unlock the account: ALTER USER " + s.grantee() + " ACCOUNT UNLOCK;"
	case codePasswordExpired, codePasswordExpiredOld:
		return keyPassword, "Set the account's password anew, and give it in " + keyPassword + "."
	case codeHostNotAllowed:
		return keyUser, "Let the account sign in from this machine's address (RDS: add it under Whitelist and SecGroup)."
	case codeHostBlocked:
		return keyHost, "The server has blocked this machine after too many broken connections; run FLUSH HOSTS or TRUNCATE performance_schema.host_cache there."
	case codeSecureTransport:
		return keyTLS, "The server takes encrypted connections only: set " + keyTLS + " to preferred or more."
	case codeUnknownDatabase:
		return keyDatabase, "Correct " + keyDatabase + "; upper and lower case count."
	case codeDatabaseDenied, codeTableDenied, codeColumnDenied:
		return keyUser, s.grantSelect()
	case codePrivilegeNeeded:
		return keyUser, s.grantReplication()
	case codeXANotAllowed:
		return keyUser, fmt.Sprintf("Run as an administrator: GRANT XA_RECOVER_ADMIN ON *.* TO %s;", s.grantee())
	case codeNoTable:
		return keyTables, "The table is gone; correct " + keyTables + "."
	}
	return "", ""
}
