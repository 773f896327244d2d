package harness

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listeners are the names of the listeners of each node.
func (k *Kafka) listeners() []string {
	if k.opts.Secure {
		return []string{"PLAINTEXT", "CONTROLLER", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}
	}
	if k.opts.proxy != nil {
		return []string{"PLAINTEXT", "CONTROLLER", proxied}
	}
	return []string{"PLAINTEXT", "CONTROLLER"}
}

// writeFiles writes a node's server.properties and a logging configuration that keeps it quiet.
func (k *Kafka) writeFiles(n *kafkaNode) error {
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return fmt.Errorf("making Kafka's folder: %w", err)
	}
	files := map[string]string{
		"server.properties": formatProperties(k.properties(n)),
		"log4j2.properties": "status=error\nappender.console.type=Console\nappender.console.name=STDOUT\n" +
			"appender.console.layout.type=PatternLayout\nappender.console.layout.pattern=%d %p %m (%c{1})%n\n" +
			"rootLogger.level=warn\nrootLogger.appenderRef.stdout.ref=STDOUT\n" +
			"logger.server.name=kafka.server.KafkaRaftServer\nlogger.server.level=info\n",
	}
	if k.opts.Secure {
		files["server.pem"], files["ca.pem"] = k.certs.Server, k.certs.CA
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("writing Kafka's configuration: %w", err)
		}
	}
	return nil
}

func (k *Kafka) properties(n *kafkaNode) map[string]string {
	var listeners, advertised, protocols, voters []string
	for _, name := range k.listeners() {
		address := fmt.Sprintf("%s://127.0.0.1:%d", name, n.ports[name])
		listeners = append(listeners, address)
		protocol := name
		switch name {
		case "CONTROLLER":
			protocol = "PLAINTEXT"
		case proxied:
			protocol = "PLAINTEXT"
			advertised = append(advertised, name+"://"+k.opts.proxy.Addr())
		default:
			advertised = append(advertised, address)
		}
		protocols = append(protocols, name+":"+protocol)
	}
	for _, other := range k.nodes {
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", other.id, other.ports["CONTROLLER"]))
	}
	replicas := strconv.Itoa(min(3, k.opts.Nodes))
	inSync := strconv.Itoa(max(1, min(3, k.opts.Nodes)-1))
	p := map[string]string{
		"process.roles": "broker,controller", "node.id": strconv.Itoa(n.id),
		"controller.quorum.voters": strings.Join(voters, ","), "controller.listener.names": "CONTROLLER",
		"listeners": strings.Join(listeners, ","), "advertised.listeners": strings.Join(advertised, ","),
		"listener.security.protocol.map": strings.Join(protocols, ","), "inter.broker.listener.name": "PLAINTEXT",
		"log.dirs":                         filepath.Join(n.dir, "data"),
		"offsets.topic.replication.factor": replicas, "offsets.topic.num.partitions": "5",
		"transaction.state.log.replication.factor": replicas, "transaction.state.log.min.isr": inSync,
		"transaction.state.log.num.partitions":             "5",
		"share.coordinator.state.topic.replication.factor": replicas, "share.coordinator.state.topic.min.isr": inSync,
		"group.initial.rebalance.delay.ms": "0", "auto.create.topics.enable": "true",
		"group.min.session.timeout.ms": "1000",
	}
	if k.opts.Secure {
		k.secure(p, n)
	}
	maps.Copy(p, k.opts.Properties)
	return p
}

// secure adds TLS and SASL to the listeners that have them in their names.
func (k *Kafka) secure(p map[string]string, n *kafkaNode) {
	p["ssl.keystore.type"], p["ssl.keystore.location"] = "PEM", filepath.Join(n.dir, "server.pem")
	p["ssl.truststore.type"], p["ssl.truststore.location"] = "PEM", filepath.Join(n.dir, "ca.pem")
	p["sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
	for _, listener := range []string{"sasl_plaintext", "sasl_ssl"} {
		prefix := "listener.name." + listener + "."
		p[prefix+"plain.sasl.jaas.config"] = fmt.Sprintf(
			"org.apache.kafka.common.security.plain.PlainLoginModule required user_%s=\"%s\";", KafkaPlainUser, KafkaPlainPassword)
		for _, m := range []string{"scram-sha-256", "scram-sha-512"} {
			p[prefix+m+".sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
		}
	}
}

func formatProperties(p map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", key, p[key])
	}
	return b.String()
}
