package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// producing is one run of a producer.
type producing struct {
	options
	client, topic, acks string
	idempotent          bool
	partitions          []int32
	first, end, seq     int64
	rate                float64
	begun               time.Time
	acked, failed       atomic.Int64
	kafka               *kgo.Client
}

func produce(stop context.Context, o options) int {
	p := &producing{options: o, client: o.get("id", "p1"), topic: o.get("topic", ""), acks: o.get("acks", "all")}
	p.idempotent = o.get("idempotent", "true") == "true" && p.acks == "all"
	p.partitions = o.numbers("partitions")
	p.first, p.end = o.number("start", 0), 1<<62
	if count := o.number("count", 0); count > 0 {
		p.end = p.first + count
	}
	p.rate, _ = strconv.ParseFloat(o.get("rate", "0"), 64)
	p.seq, p.begun = p.first, time.Now()
	emit("start", f("role", "produce"), f("client", p.client), f("topic", p.topic), f("library", library()),
		f("acks", p.acks), f("idempotent", p.idempotent), f("compression", o.get("compression", "none")), f("first", p.first))
	if err := p.run(stop); err != nil {
		emit("error", f("client", p.client), f("error", err.Error()), f("fatal", true))
	}
	sent := p.seq - p.first
	unknown := sent - p.acked.Load() - p.failed.Load()
	emit("done", f("role", "produce"), f("client", p.client), f("topic", p.topic), f("first", p.first), f("sent", sent),
		f("acked", p.acked.Load()), f("failed", p.failed.Load()), f("unknown", unknown))
	if unknown != 0 || p.failed.Load() != 0 {
		return 4
	}
	return 0
}

func (p *producing) settings() ([]kgo.Opt, error) {
	opts, err := p.connection()
	if err != nil {
		return nil, err
	}
	opts = append(opts, kgo.ProducerBatchCompression(codecs[p.get("compression", "none")]),
		kgo.ProducerLinger(5*time.Millisecond), kgo.RecordDeliveryTimeout(120*time.Second), kgo.AllowAutoTopicCreation())
	if p.partitions != nil {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	switch p.acks {
	case "0":
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()))
	case "1":
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()))
	}
	if !p.idempotent {
		opts = append(opts, kgo.DisableIdempotentWrite())
	}
	if p.has("transactional-id") {
		opts = append(opts, kgo.TransactionalID(p.given["transactional-id"]))
	}
	return opts, nil
}

func (p *producing) run(stop context.Context) error {
	opts, err := p.settings()
	if err != nil {
		return err
	}
	if p.kafka, err = kgo.NewClient(opts...); err != nil {
		return err
	}
	defer p.kafka.Close()
	if p.has("transactional-id") {
		return p.transactions(stop)
	}
	for p.more(stop) {
		p.send(0)
	}
	goodbye, cancel := context.WithTimeout(context.Background(), 130*time.Second)
	defer cancel()
	return p.kafka.Flush(goodbye)
}

// more waits until the next record is due; false when there is none.
func (p *producing) more(stop context.Context) bool {
	if p.rate > 0 {
		due := p.begun.Add(time.Duration(float64(p.seq-p.first) * float64(time.Second) / p.rate))
		for time.Until(due) > 0 && stop.Err() == nil {
			flush()
			select {
			case <-stop.Done():
			case <-time.After(min(time.Until(due), 50*time.Millisecond)):
			}
		}
	}
	return p.seq < p.end && stop.Err() == nil
}

func (p *producing) transactions(stop context.Context) error {
	size, abortEvery := p.number("txn-size", 10), p.number("abort-every", 0)
	for txn := int64(1); p.seq < p.end && stop.Err() == nil; txn++ {
		if err := p.kafka.BeginTransaction(); err != nil {
			return err
		}
		for i := int64(0); i < size && p.more(stop); i++ {
			p.send(txn)
		}
		if err := p.kafka.Flush(context.Background()); err != nil {
			return err
		}
		outcome, how := "commit", kgo.TryCommit
		if abortEvery > 0 && txn%abortEvery == 0 {
			outcome, how = "abort", kgo.TryAbort
		}
		if err := p.kafka.EndTransaction(context.Background(), how); err != nil {
			return err
		}
		emit("txn", f("client", p.client), f("topic", p.topic), f("txn", txn), f("outcome", outcome))
		flush()
	}
	return nil
}

func (p *producing) send(txn int64) {
	seq := p.seq
	p.seq++
	key := fmt.Sprintf("%s-%d", p.client, seq%p.number("keys", 16))
	record := &kgo.Record{Topic: p.topic, Key: []byte(key), Value: []byte(valueOf(p.client, seq, int(p.number("value-bytes", 0))))}
	if p.partitions != nil {
		record.Partition = p.partitions[seq%int64(len(p.partitions))]
	}
	about := []field{f("client", p.client), f("topic", p.topic), f("seq", seq), f("key", key),
		f("value", nameOf(p.client, seq)), f("sent_ms", nowMs())}
	if txn > 0 {
		about = append(about, f("txn", txn))
	}
	p.kafka.Produce(context.Background(), record, func(record *kgo.Record, err error) {
		if err != nil {
			p.failed.Add(1)
			emit("fail", append(about, f("definite", isRefusal(err)), f("error", err.Error()))...)
			return
		}
		p.acked.Add(1)
		offset := record.Offset
		if p.acks == "0" {
			offset = -1
		}
		emit("ack", append(about, f("partition", record.Partition), f("offset", offset))...)
	})
}

// isRefusal says whether a record is surely not in the log.
func isRefusal(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.TopicAuthorizationFailed) ||
		errors.Is(err, kerr.InvalidTopicException) || errors.Is(err, kerr.InvalidRecord)
}
