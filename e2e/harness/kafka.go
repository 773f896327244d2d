package harness

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

// Users of the secure listeners.
const (
	KafkaPlainUser     = "plain"
	KafkaPlainPassword = "plain-secret"
	KafkaScramUser     = "scram"
	KafkaScramPassword = "scram-secret"
)

// KafkaOptions shapes a cluster.
type KafkaOptions struct {
	Nodes      int               // 1 when 0; three make a cluster whose topics can be replicated
	Properties map[string]string // of server.properties, over the harness's own
	Secure     bool              // adds SSL, SASL_PLAINTEXT and SASL_SSL listeners (PLAIN, SCRAM-SHA-256 and -512)
	HeapMB     int               // 512 when 0
	Throughput bool              // the JVM as in production, instead of one that starts fast and compiles little

	proxy *Proxy // of the listener PROXIED of one node
}

// Kafka is a real Apache Kafka cluster (KRaft, broker and controller in one process a node).
type Kafka struct {
	t     T
	opts  KafkaOptions
	certs Certificates
	nodes []*kafkaNode
}

// kafkaNode is one process of a cluster.
type kafkaNode struct {
	id    int
	dir   string
	ports map[string]int // by listener name
	proc  *Process
	runs  int
}

// StartKafka starts a cluster and waits until every node answers. It is stopped when the test ends.
func StartKafka(t T, opts KafkaOptions) *Kafka {
	t.Helper()
	opts.Nodes = max(opts.Nodes, 1)
	if opts.HeapMB == 0 {
		opts.HeapMB = 512
	}
	k := &Kafka{t: t, opts: opts}
	if opts.Secure {
		certs, err := MakeCertificates()
		if err != nil {
			t.Fatalf("making certificates: %v", err)
		}
		k.certs = certs
	}
	if err := k.lay(t.TempDir()); err != nil {
		t.Fatalf("laying out Kafka: %v", err)
	}
	for i := range k.nodes {
		k.start(i)
	}
	k.AwaitReady(60 * time.Second)
	return k
}

// lay gives each node its ports, folder, properties and formatted log.
func (k *Kafka) lay(dir string) error {
	for i := range k.opts.Nodes {
		n := &kafkaNode{id: i + 1, dir: filepath.Join(dir, fmt.Sprintf("kafka%d", i+1)), ports: map[string]int{}}
		for _, listener := range k.listeners() {
			port, err := FreePort()
			if err != nil {
				return err
			}
			n.ports[listener] = port
		}
		k.nodes = append(k.nodes, n)
	}
	var id [16]byte
	rand.Read(id[:])
	id[0] &= 0x3f // so that the text does not begin with a hyphen and pass for an option
	cluster := base64.RawURLEncoding.EncodeToString(id[:])
	for _, n := range k.nodes {
		if err := k.writeFiles(n); err != nil {
			return err
		}
		args := []string{"format", "-t", cluster, "-c", filepath.Join(n.dir, "server.properties")}
		if k.opts.Secure {
			for _, m := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
				args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", m, KafkaScramUser, KafkaScramPassword))
			}
		}
		java, jvm, err := k.jvm(n, "kafka.tools.StorageTool")
		if err != nil {
			return err
		}
		if out, err := exec.Command(java, append(jvm, args...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("formatting Kafka's storage: %w: %s", err, out)
		}
	}
	return nil
}

// jvm is the java program and its arguments up to and including the main class.
func (k *Kafka) jvm(n *kafkaNode, class string) (java string, args []string, err error) {
	if java, err = Setting("SLUICE_JAVA"); err != nil {
		return "", nil, err
	}
	libs, err := Setting("SLUICE_KAFKA_LIBS")
	if err != nil {
		return "", nil, err
	}
	args = []string{fmt.Sprintf("-Xmx%dm", k.opts.HeapMB)}
	if !k.opts.Throughput {
		args = append(args, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")
	}
	return java, append(args, "-Dlog4j2.configurationFile="+filepath.Join(n.dir, "log4j2.properties"),
		"-cp", filepath.Join(libs, "*"), class), nil
}

func (k *Kafka) start(i int) {
	k.t.Helper()
	n := k.nodes[i]
	java, args, err := k.jvm(n, "kafka.Kafka")
	if err != nil {
		k.t.Fatalf("starting Kafka: %v", err)
	}
	n.runs++
	n.proc, err = Start(Command{
		Name: fmt.Sprintf("kafka node %d", n.id), Path: java, Dir: n.dir, Env: os.Environ(),
		Args: append(args, filepath.Join(n.dir, "server.properties")),
		Log:  filepath.Join(n.dir, fmt.Sprintf("run%d.log", n.runs)),
	})
	if err != nil {
		k.t.Fatalf("starting Kafka: %v", err)
	}
	tend(k.t, n.proc)
}

// AwaitReady waits until every running node is in the metadata, a controller is known, and the coordinator
// of groups can be asked.
func (k *Kafka) AwaitReady(within time.Duration) {
	k.t.Helper()
	Eventually(k.t, within, "Kafka answers", func() (bool, string) {
		running := 0
		for _, n := range k.nodes {
			if n.proc.Running() {
				running++
			} else if n.runs == 1 && !strings.Contains(n.proc.Log(), "started") {
				return false, fmt.Sprintf("node %d ended: %s", n.id, n.proc.Tail(5))
			}
		}
		admin, err := sarama.NewClusterAdmin(k.Brokers(), clientConfig())
		if err != nil {
			return false, err.Error()
		}
		defer admin.Close()
		brokers, _, err := admin.DescribeCluster()
		if err != nil {
			return false, err.Error()
		}
		if len(brokers) < running {
			return false, fmt.Sprintf("%d of %d nodes in the metadata", len(brokers), running)
		}
		if _, err := admin.ListConsumerGroups(); err != nil {
			return false, err.Error()
		}
		return true, ""
	})
}

// Brokers are the plaintext bootstrap addresses.
func (k *Kafka) Brokers() []string { return k.addresses("PLAINTEXT") }

// Bootstrap is a listener's bootstrap.servers; listener is PLAINTEXT, and with Secure also SSL,
// SASL_PLAINTEXT or SASL_SSL.
func (k *Kafka) Bootstrap(listener string) string { return strings.Join(k.addresses(listener), ",") }

// CA is the certificate authority of the secure listeners, PEM.
func (k *Kafka) CA() string { return k.certs.CA }

func (k *Kafka) addresses(listener string) []string {
	var out []string
	for _, n := range k.nodes {
		out = append(out, fmt.Sprintf("127.0.0.1:%d", n.ports[listener]))
	}
	return out
}

// Kill ends node i (from 0) with SIGKILL.
func (k *Kafka) Kill(i int) {
	k.t.Helper()
	if err := k.nodes[i].proc.Kill9(); err != nil {
		k.t.Fatalf("%v", err)
	}
}

// Restart starts node i again on its ports and folder, after ending it when it runs, and waits until it
// answers.
func (k *Kafka) Restart(i int) {
	k.t.Helper()
	k.Kill(i)
	k.start(i)
	k.AwaitReady(60 * time.Second)
}

// CPUSeconds is the processor time that all nodes have used, in seconds.
func (k *Kafka) CPUSeconds() float64 {
	k.t.Helper()
	sum := 0.0
	for _, n := range k.nodes {
		used, err := CPUSeconds(n.proc.PID())
		if err != nil {
			k.t.Fatalf("%v", err)
		}
		sum += used
	}
	return sum
}

// Freeze stops node i with SIGSTOP: connections stay open and nothing answers.
func (k *Kafka) Freeze(i int) { k.signal(i, syscall.SIGSTOP) }

// Thaw lets a frozen node go on.
func (k *Kafka) Thaw(i int) { k.signal(i, syscall.SIGCONT) }

func (k *Kafka) signal(i int, s syscall.Signal) {
	k.t.Helper()
	if err := k.nodes[i].proc.Signal(s); err != nil {
		k.t.Fatalf("%v", err)
	}
}
