// Package mysql is the source from MySQL and MariaDB: tables are copied in chunks and
// followed through the binary log, each row change becoming a Kafka message exactly once.
package mysql

import (
	"github.com/sluice-io/sluice/runner/connector"
)

// Class is the connector.class of this task type.
const Class = "MYSQL2KAFKA"

// encoderVersion names the messages that the shape settings produce.
const encoderVersion = 1

// Spec declares the task type.
func Spec() connector.Spec {
	return connector.Spec{
		Class:          Class,
		Title:          "MySQL → Message Queue for Apache Kafka",
		Summary:        "Copies tables of MySQL 8.0.1 and later or MariaDB 10.5 and later into topics and follows their changes through the binary log: each row change becomes one message exactly once, in order per primary key.",
		Version:        "1.0.0",
		EncoderVersion: encoderVersion,
		Kind:           connector.KindSource,
		Steps:          connector.SourceSteps(append(serverFields(), readFields()...), writeFields()),
		Validate:       connector.SourceProblems,
		Reach:          reach,
		Check:          check,
		Preview:        preview,
		Topics:         sourceTopics,
		Writes:         writes,
		NewSource:      newSource,
		Positions:      positions(),
	}
}

func serverFields() []connector.Field {
	verified := []connector.Cond{{Key: keyTLS, In: []string{string(TLSVerifyCA), string(TLSVerifyIdentity)}, Reason: "The server's certificate is verified."}}
	return []connector.Field{
		{Key: keyRegion, Label: "Region", Kind: connector.String, Region: true, Max: 64, Default: connector.InstanceRegion, Validate: validRegion,
			Help: "Where the database server is. Another region than the instance's is reached through a Cloud Enterprise Network."},
		{Key: keyCEN, Label: "CEN ID", Kind: connector.String, Required: true, Max: 64, Validate: validCEN, Example: "cen-7qthudw0ll6jmc",
			When: []connector.Cond{{Key: keyRegion, DiffersFrom: "instance.region", Reason: "The database is in another region than the instance, and a Cloud Enterprise Network (CEN) connects the two. Give its ID, or choose a database in the instance's region."}},
			Help: "Of the Cloud Enterprise Network that joins the two regions. “Test connection” proves that the server is reached through it."},
		{Key: keyInstanceID, Label: "RDS Instance ID", Kind: connector.String, Informational: true, Max: 128, Example: "rm-bp1234567890",
			Help: "Kept and shown; the server is reached by its host."},
		{Key: keyHost, Label: "Host", Kind: connector.String, Required: true, Fixed: connector.FixedAfterDelivery, Max: 255, Validate: validHost, Example: "rm-bp1234567890.mysql.rds.aliyuncs.com",
			Instead: "After a failover let its name lead to the server that took over; or delete the connector, keep its topics and groups, and create it again under its name with the other host: it goes on where it was.",
			Help:    "Name or IP address of the server, without a port. A name that can be led to another server serves a failover."},
		{Key: keyPort, Label: "Port", Kind: connector.Int, Required: true, Min: 1, Max: 65535, Default: connector.Const("3306"),
			Help: "Of the server."},
		{Key: keyUser, Label: "Account", Kind: connector.String, Required: true, Max: 128, Example: "sluice",
			Help: "It needs SELECT on the tables, and REPLICATION SLAVE and REPLICATION CLIENT on *.*; where applications use XA, MySQL wants XA_RECOVER_ADMIN too, and for tables without a primary key LOCK TABLES."},
		{Key: keyPassword, Label: "Password", Kind: connector.Secret, Max: 1024,
			Help: "Of the account; stored encrypted, never shown again."},
		{Key: keyTLS, Label: "TLS", Kind: connector.Enum, Default: connector.Const(string(TLSPreferred)),
			Options: []connector.Option{
				{Value: string(TLSDisabled), Label: "Disabled", Help: "Nothing is encrypted."},
				{Value: string(TLSPreferred), Label: "Preferred", Help: "Encrypted when the server offers it; its certificate is not verified."},
				{Value: string(TLSRequired), Label: "Required", Help: "Encrypted or not at all; its certificate is not verified."},
				{Value: string(TLSVerifyCA), Label: "Verify CA", Help: "The certificate must be signed by a trusted authority."},
				{Value: string(TLSVerifyIdentity), Label: "Verify identity", Help: "As Verify CA, and it must be issued for the host."}},
			Help: "How the connection is secured."},
		{Key: keyCA, Label: "CA certificate", Kind: connector.Text, When: verified, Validate: validPEM, Max: 64 << 10, Example: "-----BEGIN CERTIFICATE-----",
			Help: "PEM of the authority that signed the server's certificate. Left empty, the system's authorities are trusted. For RDS: the certificate that its console offers under SSL Encryption."},
	}
}

func readFields() []connector.Field {
	return []connector.Field{
		{Key: keyDatabase, Label: "Database", Kind: connector.String, Required: true, Fixed: connector.FixedAfterDelivery, Max: 64, Validate: validDatabase, Lookup: lookupDatabases, Example: "shop",
			Help: "One database of the server; its name as the server spells it."},
		{Key: keyTables, Label: "Tables", Kind: connector.List, Required: true, Max: 32 << 10, Validate: validTables, Lookup: lookupTables, Example: "orders, customer_*",
			Help: "Comma-separated names; * stands for any characters, ? for one. Tables that are added later are copied while the others are followed."},
		{Key: keySnapshot, Label: "Snapshot", Kind: connector.Enum, Default: connector.Const(string(SnapshotInitial)),
			Options: []connector.Option{
				{Value: string(SnapshotInitial), Label: "Initial", Help: "The rows that are there are copied, then every change follows."},
				{Value: string(SnapshotNoData), Label: "No data", Help: "Only what changes from the first deploy on."},
				{Value: string(SnapshotInitialOnly), Label: "Initial only", Help: "The rows that are there are copied; changes are not followed."},
				{Value: string(SnapshotWhenNeeded), Label: "When needed", Help: "As Initial; and when the binary log is gone that would have to be read, the tables are copied again without asking."}},
			Help: "What happens with the rows that are in the tables already."},
		{Key: keyChunk, Label: "Rows in a chunk of a snapshot", Kind: connector.Int, Unit: "rows", Min: 100, Max: 1_000_000, Default: connector.Const("20000"), Advanced: true,
			Help: "Tables are copied in chunks by primary key; after a crash a copy goes on behind the last chunk. Fewer for very wide rows."},
		{Key: keyHeartbeat, Label: "Heartbeat interval", Kind: connector.Duration, Unit: "ms", Min: 1000, Max: 3_600_000, Default: connector.Const("10000"), Advanced: true,
			Help: "While nothing changes in the tables, the position is stored at least this often, so that the server's binary log can go."},
		{Key: keyServerID, Label: "Server ID", Kind: connector.Int, Min: 1, Max: 1<<32 - 1, Advanced: true, Validate: validServerID,
			Help: "What the reader registers as with the server; no replica and no other reader may have it. Left empty, one is made of this installation's identity and the names of instance and connector."},
	}
}

func writeFields() []connector.Field {
	return []connector.Field{
		{Key: keyPrefix, Label: "Name Prefix", Kind: connector.String, Required: true, Fixed: connector.FixedAfterDelivery, Max: 180, Validate: connector.ValidTopic, Example: "shop",
			Help: "A table's topic is <prefix>_<table>: made with 6 partitions when the table has a primary key and with 1 when it has none. A topic that exists is taken as it is."},
		{Key: keyFormat, Label: "Message format", Kind: connector.Enum, Shapes: true, Default: connector.Const(FormatDataWorks),
			Options: []connector.Option{
				{Value: FormatDataWorks, Label: "DataWorks", Help: "schema, payload and version; an update is two messages, before and after."},
				{Value: FormatDebezium, Label: "Debezium", Help: "The envelope of Debezium's MySQL connector as JSON without schemas, one message a change."}},
			Help: "Keys are the primary key in either. The preview shows rows of yours in it."},
		{Key: keyTimezone, Label: "Time zone", Kind: connector.String, Shapes: true, Default: connector.Const("GMT+08:00"), Validate: connector.ValidZone,
			Help: "DATE and DATETIME are wall time in it, TIMESTAMP is printed in it: GMT±hh:mm or a name such as Asia/Shanghai."},
		{Key: keyTinyInt1, Label: "TINYINT(1)", Kind: connector.Enum, Shapes: true, Advanced: true, Default: connector.Const(TinyInt1Long),
			Options: []connector.Option{{Value: TinyInt1Long, Label: "A number"}, {Value: TinyInt1Boolean, Label: "A boolean", Help: "0 is false, everything else true."}},
			Help:    "MySQL's BOOLEAN is a TINYINT(1), which holds -128 to 127."},
		{Key: keyZeroDate, Label: "Zero dates", Kind: connector.Enum, Shapes: true, Advanced: true, Default: connector.Const(ZeroDateNull),
			Options: []connector.Option{
				{Value: ZeroDateNull, Label: "Null", Help: "The field is null."},
				{Value: ZeroDateString, Label: "Text", Help: "The field is text as the server prints it."},
				{Value: ZeroDateFail, Label: "Fail", Help: "The reader stops and names the row."}},
			Help: "What becomes of 0000-00-00 and of dates with a month or day of 0."},
		{Key: keyInvalidText, Label: "Invalid text", Kind: connector.Enum, Shapes: true, Advanced: true, Default: connector.Const(InvalidTextFail),
			Options: []connector.Option{
				{Value: InvalidTextFail, Label: "Fail", Help: "The reader stops and names the row."},
				{Value: InvalidTextBase64, Label: "Base64", Help: "The field is the stored bytes in base64, of type BYTES."},
				{Value: InvalidTextReplace, Label: "Replace", Help: "U+FFFD stands for what is no text."}},
			Help: "What becomes of bytes in a text column that its character set does not know."},
		{Key: keyOversize, Label: "Rows that are too large", Kind: connector.Enum, Shapes: true, Advanced: true, Default: connector.Const(OversizeFail),
			Options: []connector.Option{
				{Value: OversizeFail, Label: "Fail", Help: "The reader stops and names the row; raise the topic's max.message.bytes and resume."},
				{Value: OversizeDLQ, Label: "Dead letter", Help: "The message goes to the dead-letter topic, whose limit is larger; what does not fit there either stops the reader."}},
			Help: "What becomes of a row whose message is over the topic's max.message.bytes."},
	}
}
