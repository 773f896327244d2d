package settings

import "strings"

// setting is one row of the table that flags, environment, file and help all come from.
type setting struct {
	name   string // of the flag: "data-dir"; the YAML key is data_dir, the variable SLUICE_DATA_DIR
	arg    string // what help shows as its value
	def    string // default; "" none
	defIs  string // the default in words, where def cannot say it
	help   string
	secret bool // the value never stands in a message
	toggle bool // on or off; the bare flag means on
	empty  bool // "" is a value
	// noFlag: not a flag, because arguments can be seen by every user of the machine.
	noFlag bool
	read   func(*Settings, string) error
}

func (s *setting) env() string { return "SLUICE_" + strings.ToUpper(s.key()) }
func (s *setting) key() string { return strings.ReplaceAll(s.name, "-", "_") }

// table lists every setting in the order of help.
func table() []setting {
	out := []setting{
		{name: "addr", arg: "HOST:PORT", def: "127.0.0.1:8080", help: "listen address of the console; port 0 picks a free one, printed", read: address(func(s *Settings) *string { return &s.Addr })},
		{name: "data-dir", arg: "DIR", def: "./data", help: "SQLite files, key file, sandbox state, spill", read: path(func(s *Settings) *string { return &s.DataDir })},
		{name: "key-file", arg: "FILE", defIs: "<data dir>/secret.key, made with mode 0600", help: "key for secrets at rest; keep it apart from backups", read: path(func(s *Settings) *string { return &s.KeyFile })},
		{name: "key", arg: "KEY", help: "the key itself, 32 bytes in base64 or hex, instead of a file", secret: true, noFlag: true, read: readKey},
		{name: "admin-password", arg: "PASSWORD", defIs: "generated and printed", help: "password of the user admin; first start only", secret: true, read: readPassword},
		{name: "sandbox", arg: "on|off", def: "off", defIs: "off; on with make run", help: "embedded broker and stand-ins", toggle: true, read: toggle(func(s *Settings) *bool { return &s.Sandbox })},
		{name: "memory-budget", arg: "SIZE", def: "256MiB", help: "buffered record bytes of this node", read: readBudget},
		{name: "metrics-addr", arg: "HOST:PORT", defIs: "off", help: "/metrics and profiles", empty: true, read: readMetrics},
		{name: "egress-allow", arg: "CIDR,...", defIs: "none; with the sandbox 127.0.0.0/8,::1/128", help: "addresses that may be reached; loopback is refused unless allowed here", empty: true, read: readAllow},
		{name: "egress-deny", arg: "CIDR,...", defIs: "none", help: "addresses that are refused; deny wins", empty: true, read: readDeny},
		{name: "egress-proxy", arg: "URL", defIs: "none", help: "http, https or socks5 proxy for public addresses; it is given IPs, never names", secret: true, empty: true, read: readProxy},
		{name: "allow-ecs-ram-role", arg: "on|off", def: "off", help: "lets the credential provider, and nothing else, ask the metadata service", toggle: true, read: toggle(func(s *Settings) *bool { return &s.AllowECSRAM })},
	}
	for _, p := range []struct {
		name, port, what string
		into             func(*Settings) *string
	}{
		{"kafka", "19092", "Kafka", func(s *Settings) *string { return &s.SandboxParts.Kafka }},
		{"oss", "19100", "OSS", func(s *Settings) *string { return &s.SandboxParts.OSS }},
		{"fc", "19101", "FC", func(s *Settings) *string { return &s.SandboxParts.FC }},
		{"odps", "19102", "MaxCompute", func(s *Settings) *string { return &s.SandboxParts.ODPS }},
		{"sts", "19103", "STS", func(s *Settings) *string { return &s.SandboxParts.STS }},
		{"mysql", "19306", "MySQL", func(s *Settings) *string { return &s.SandboxParts.MySQL }},
	} {
		out = append(out, setting{name: "sandbox-" + p.name + "-addr", arg: "HOST:PORT", def: "127.0.0.1:" + p.port,
			help: "listen address of the sandbox's " + p.what + ", on loopback; port 0 picks a free one, printed", read: loopbackAddress(p.into)})
	}
	return append(out,
		setting{name: "mariadbd", arg: "FILE", defIs: "looked for in PATH and the usual folders", help: "the server program of the sandbox's MySQL; off does without", read: program(func(s *Settings) *string { return &s.MariaDB })},
		setting{name: "log-retention", arg: "AGE,SIZE", def: "7d,1GiB", help: "how long and how much of the connector logs is kept", read: readRetention},
		setting{name: "tls-cert", arg: "FILE", defIs: "off", help: "certificate chain (PEM) to serve HTTPS with", read: path(func(s *Settings) *string { return &s.TLSCert })},
		setting{name: "tls-key", arg: "FILE", defIs: "off", help: "its private key (PEM)", read: path(func(s *Settings) *string { return &s.TLSKey })},
		setting{name: "config", arg: "FILE", defIs: "none", help: "YAML file with these settings", read: path(func(s *Settings) *string { return &s.ConfigFile })},
	)
}
