package runner

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics is a Prometheus collector of everything the supervisor runs. It reads the
// states in memory when it is scraped.
type Metrics struct {
	s                                          *Supervisor
	delivered, bytes, diverted, state, stalled *prometheus.Desc
	position, end, lag, lagSeconds             *prometheus.Desc
	partitionDelivered                         *prometheus.Desc
	budgetUsed, budgetLimit                    *prometheus.Desc
}

var _ prometheus.Collector = (*Metrics)(nil)

// NewMetrics makes the collector of a supervisor.
func NewMetrics(s *Supervisor) *Metrics {
	one := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("sluice_"+name, help, labels, nil)
	}
	c := []string{"instance", "connector"}
	p := []string{"instance", "connector", "task", "topic", "partition"}
	return &Metrics{s: s,
		delivered:          one("connector_delivered_records_total", "Records made visible at the destination since the process started.", c...),
		bytes:              one("connector_delivered_bytes_total", "Bytes of keys and values delivered since the process started.", c...),
		diverted:           one("connector_diverted_records_total", "Records written to the dead-letter or abnormal data topic since the process started.", c...),
		state:              one("connector_state", "1 for the state the connector is in.", append(c, "state")...),
		stalled:            one("connector_stalled", "1 when records wait and nothing moves.", c...),
		position:           one("partition_position", "Next offset to deliver.", p...),
		end:                one("partition_end", "Last stable offset.", p...),
		lag:                one("partition_lag_records", "Records from the position to the last stable offset.", p...),
		lagSeconds:         one("partition_lag_seconds", "Age of the oldest record not delivered, in seconds.", p...),
		partitionDelivered: one("partition_delivered_records_total", "Records delivered since the process started.", p...),
		budgetUsed:         one("memory_budget_used_bytes", "Bytes of buffered records counted against SLUICE_MEMORY_BUDGET."),
		budgetLimit:        one("memory_budget_limit_bytes", "SLUICE_MEMORY_BUDGET."),
	}
}

// Describe sends nothing: the collector is unchecked, its series come and go.
func (m *Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect reads every run's state.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(m.budgetUsed, float64(m.s.o.Budget.Used()))
	gauge(m.budgetLimit, float64(m.s.o.Budget.Limit()))
	for _, r := range m.s.snapshot() {
		st := r.rollUp()
		r.mu.Lock()
		instance, name := r.row.Instance, r.row.Name
		r.mu.Unlock()
		count(m.delivered, st.Delivered, instance, name)
		count(m.bytes, st.Bytes, instance, name)
		count(m.diverted, st.Diverted, instance, name)
		gauge(m.state, 1, instance, name, string(st.State))
		gauge(m.stalled, boolean(st.Stalled), instance, name)
		for i := range st.Tasks {
			m.task(&st.Tasks[i], instance, name, gauge, count)
		}
	}
}

func (m *Metrics) task(t *TaskStatus, instance, name string, gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, int64, ...string)) {
	for i := range t.Partitions {
		p := &t.Partitions[i]
		labels := []string{instance, name, strconv.Itoa(t.Task), p.Topic, strconv.Itoa(int(p.Partition))}
		if p.Partition >= 0 { // a source's reader has no offsets
			gauge(m.position, float64(p.Position), labels...)
			gauge(m.end, float64(p.End), labels...)
			gauge(m.lag, float64(p.Lag), labels...)
		}
		gauge(m.lagSeconds, float64(p.LagMillis)/1000, labels...)
		count(m.partitionDelivered, p.Delivered, labels...)
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
