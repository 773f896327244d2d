package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-io/sluice/runner/record"
)

var errNotYet = errors.New("not written yet")

// Statuses of a Step.
const (
	StepOK      = "ok"
	StepFailed  = "failed"
	StepSkipped = "skipped"
)

// Step is one finding of Check.
type Step struct {
	Name   string // dns, dial, tls, auth, api-versions, metadata
	Status string // StepOK, StepFailed or StepSkipped
	Detail string
	Remedy string
	Millis int64
}

// Group is a consumer group as its coordinator describes it.
type Group struct {
	State   string
	Members []GroupMember
}

// GroupMember is one member of a Group.
type GroupMember struct {
	ID, InstanceID, ClientID, Host string
	Assigned                       map[string][]int32
}

// Out is a record to be written.
type Out struct {
	Topic      string
	Partition  int32 // -1 = by hash of the key
	Key, Value []byte
	Headers    []record.Header
	Timestamp  int64 // ms since the epoch; 0 = now
}

type Admin struct{}

func OpenAdmin(ctx context.Context, c Cluster) (*Admin, error)         { return nil, errNotYet }
func (a *Admin) Close() error                                          { return nil }
func (a *Admin) Topics(ctx context.Context) ([]Topic, error)           { return nil, errNotYet }
func (a *Admin) Topic(ctx context.Context, name string) (Topic, error) { return Topic{}, errNotYet }
func (a *Admin) TopicConfig(ctx context.Context, name string) (map[string]string, error) {
	return nil, errNotYet
}
func (a *Admin) MaxMessageBytes(ctx context.Context, topic string) (int, error) { return 0, errNotYet }
func (a *Admin) CreateTopic(ctx context.Context, s TopicSpec) (created bool, err error) {
	return false, errNotYet
}
func (a *Admin) AddPartitions(ctx context.Context, topic string, total int32) error { return errNotYet }
func (a *Admin) DeleteTopics(ctx context.Context, names ...string) error            { return errNotYet }
func (a *Admin) SetTopicConfig(ctx context.Context, topic string, config map[string]string) error {
	return errNotYet
}
func (a *Admin) Groups(ctx context.Context) ([]string, error) { return nil, errNotYet }
func (a *Admin) DescribeGroup(ctx context.Context, name string) (Group, error) {
	return Group{}, errNotYet
}
func (a *Admin) DeleteGroup(ctx context.Context, name string) error { return errNotYet }
func (a *Admin) RemoveMembers(ctx context.Context, group string, instanceIDs ...string) error {
	return errNotYet
}

type Txn struct{}

func OpenTxn(ctx context.Context, c Cluster, transactionalID string, timeout time.Duration) (*Txn, error) {
	return nil, errNotYet
}
func (t *Txn) Write(ctx context.Context, records []Out, m Member, positions map[TP]Committed) error {
	return errNotYet
}
func (t *Txn) Broken() bool { return false }
func (t *Txn) Close() error { return nil }

type Producer struct{}

func OpenProducer(ctx context.Context, c Cluster) (*Producer, error) { return nil, errNotYet }
func (p *Producer) Send(ctx context.Context, o Out) (partition int32, offset int64, err error) {
	return 0, 0, errNotYet
}
func (p *Producer) SendAll(ctx context.Context, outs []Out) error { return errNotYet }
func (p *Producer) Close() error                                  { return nil }

type Consumer struct{}

func NewConsumer(c Cluster, o ConsumerOptions) (*Consumer, error)   { return nil, errNotYet }
func (c *Consumer) RunSession(ctx context.Context, h Handler) error { return errNotYet }
func (c *Consumer) Close(leave bool) error                          { return errNotYet }
