package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/IBM/sarama"
)

// order is what the sample producer writes: a made-up order of a shop.
type order struct {
	OrderID   string      `json:"order_id"`
	Customer  int         `json:"customer_id"`
	Country   string      `json:"country"`
	Status    string      `json:"status"`
	Currency  string      `json:"currency"`
	Total     float64     `json:"total"`
	Items     []orderItem `json:"items"`
	Note      *string     `json:"note"`
	CreatedAt time.Time   `json:"created_at"`
}

type orderItem struct {
	SKU      string  `json:"sku"`
	Name     string  `json:"name"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
}

type product struct {
	sku, name string
	cents     int
}

func catalogue() []product {
	return []product{
		{"TEA-0101", "Longjing tea, 250 g", 2890}, {"TEA-0207", "Jasmine pearls", 1950}, {"CUP-1001", "Porcelain cup", 1240},
		{"POT-1107", "Cast-iron pot", 6400}, {"KET-2002", "Kettle, 1.2 l", 4990}, {"TRY-3003", "Bamboo tray", 2175},
		{"SCL-4011", "Pocket scale", 1799}, {"BOX-5005", "Gift box „Frühling“", 3500}, {"FLT-6001", "Paper filters, 100", 495},
	}
}

// makeOrder makes up an order.
func makeOrder(dice *rand.Rand, id string, now time.Time) order {
	countries := []struct{ code, currency string }{{"CN", "CNY"}, {"JP", "JPY"}, {"SG", "SGD"}, {"DE", "EUR"}, {"BR", "BRL"}, {"US", "USD"}}
	statuses := []string{"created", "created", "created", "paid", "paid", "shipped", "cancelled"}
	notes := []string{"Please ring twice", "Bitte beim Nachbarn abgeben", "请放在门口", `Says "hello", with love`}
	place := countries[dice.IntN(len(countries))]
	o := order{OrderID: id, Customer: 1000 + dice.IntN(9000), Country: place.code, Currency: place.currency,
		Status: statuses[dice.IntN(len(statuses))], CreatedAt: now.UTC().Truncate(time.Millisecond)}
	products, total := catalogue(), 0
	for range 1 + dice.IntN(4) {
		p := products[dice.IntN(len(products))]
		quantity := 1 + dice.IntN(3)
		o.Items = append(o.Items, orderItem{p.sku, p.name, quantity, float64(p.cents) / 100})
		total += quantity * p.cents
	}
	o.Total = float64(total) / 100
	if dice.IntN(8) == 0 {
		o.Note = &notes[dice.IntN(len(notes))]
	}
	return o
}

// sampleProducer writes orders until it is told to stop.
type sampleProducer struct {
	producer sarama.SyncProducer
	log      *slog.Logger
	dice     *rand.Rand
}

func newSampleProducer(addr string, log *slog.Logger) (*sampleProducer, error) {
	config := kafkaClientConfig("sluice-sample-producer")
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Timeout = time.Second
	config.Net.ReadTimeout, config.Net.WriteTimeout = 2*time.Second, 2*time.Second
	producer, err := sarama.NewSyncProducer([]string{addr}, config)
	if err != nil {
		return nil, fmt.Errorf("starting the sample producer: %w", err)
	}
	return &sampleProducer{producer, log, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}, nil
}

// run writes an order about every interval; pauses differ, as customers do.
func (s *sampleProducer) run(ctx context.Context, interval time.Duration) {
	defer s.producer.Close()
	failing := false
	for number := 0; ; number++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration((0.5 + s.dice.Float64()) * float64(interval))):
		}
		now := time.Now()
		id := fmt.Sprintf("ORD-%s-%04d", now.UTC().Format("20060102-150405.000"), number%10000)
		err := s.send(makeOrder(s.dice, id, now))
		if err != nil && !failing && ctx.Err() == nil {
			s.log.Warn("the sample producer cannot write an order; it goes on trying", slog.Any("error", err))
		}
		failing = err != nil
	}
}

func (s *sampleProducer) send(o order) error {
	value, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, _, err = s.producer.SendMessage(&sarama.ProducerMessage{Topic: OrdersTopic, Key: sarama.StringEncoder(o.OrderID), Value: sarama.ByteEncoder(value), Timestamp: o.CreatedAt,
		Headers: []sarama.RecordHeader{{Key: []byte("source"), Value: []byte("sample-producer")}}})
	return err
}
