package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var assignors = map[string]kgo.GroupBalancer{
	"range": kgo.RangeBalancer(), "roundrobin": kgo.RoundRobinBalancer(), "sticky": kgo.StickyBalancer(),
	"cooperative-sticky": kgo.CooperativeStickyBalancer(),
}

// consuming is one run of a consumer.
type consuming struct {
	options
	topic string
	group any
	kafka *kgo.Client
	read  int64
}

func consume(stop context.Context, o options) int {
	c := &consuming{options: o, topic: o.get("topic", "")}
	if o.has("group") {
		c.group = o.given["group"]
	}
	c.tell("start", f("role", "consume"), f("library", library()), f("isolation", o.get("isolation", "read_uncommitted")))
	err := c.run(stop)
	if err != nil {
		c.tell("error", f("error", err.Error()), f("fatal", true))
	}
	c.tell("done", f("role", "consume"), f("read", c.read))
	if err != nil {
		return 4
	}
	return 0
}

func (c *consuming) tell(op string, fields ...field) {
	about := []field{f("topic", c.topic), f("group", c.group), f("member", c.get("member", "m1"))}
	emit(op, append(about, fields...)...)
}

func (c *consuming) change(event string, partitions []int32) {
	sorted := slices.Sorted(slices.Values(partitions))
	if sorted == nil {
		sorted = []int32{}
	}
	c.tell("rebalance", f("event", event), f("partitions", sorted))
	flush()
}

func (c *consuming) begin() kgo.Offset {
	switch from := c.get("from", "earliest"); from {
	case "earliest":
		return kgo.NewOffset().AtStart()
	case "latest":
		return kgo.NewOffset().AtEnd()
	default:
		at, _ := strconv.ParseInt(from, 10, 64)
		return kgo.NewOffset().At(at)
	}
}

func (c *consuming) settings() ([]kgo.Opt, error) {
	opts, err := c.connection()
	if err != nil {
		return nil, err
	}
	opts = append(opts, kgo.ConsumeResetOffset(c.begin()), kgo.FetchMaxWait(100*time.Millisecond))
	if c.get("isolation", "") == "read_committed" {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if c.group == nil {
		partitions, err := c.wanted(opts)
		if err != nil {
			return nil, err
		}
		places := map[int32]kgo.Offset{}
		for _, one := range partitions {
			places[one] = c.begin()
		}
		c.change("assigned", partitions)
		return append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.topic: places})), nil
	}
	changed := func(event string) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, which map[string][]int32) { c.change(event, which[c.topic]) }
	}
	revoked := func(ctx context.Context, kafka *kgo.Client, which map[string][]int32) {
		if c.get("commit", "auto") != "none" {
			if err := kafka.CommitUncommittedOffsets(ctx); err != nil {
				c.tell("error", f("error", "commit: "+err.Error()), f("fatal", false))
			}
		}
		c.change("revoked", which[c.topic])
	}
	opts = append(opts, kgo.ConsumerGroup(c.given["group"]), kgo.ConsumeTopics(c.topic), kgo.OnPartitionsAssigned(changed("assigned")),
		kgo.OnPartitionsRevoked(revoked), kgo.OnPartitionsLost(changed("lost")), kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(time.Duration(c.number("session-timeout-ms", 10_000))*time.Millisecond),
		kgo.AutoCommitInterval(time.Duration(c.number("commit-interval-ms", 500))*time.Millisecond))
	if c.get("commit", "auto") != "auto" {
		opts = append(opts, kgo.DisableAutoCommit())
	}
	if c.has("assignor") {
		opts = append(opts, kgo.Balancers(assignors[c.given["assignor"]]))
	}
	if c.has("instance-id") {
		opts = append(opts, kgo.InstanceID(c.given["instance-id"]))
	}
	return opts, nil
}

// wanted is the list of partitions to read without a group.
func (c *consuming) wanted(opts []kgo.Opt) ([]int32, error) {
	if c.has("partitions") {
		return c.numbers("partitions"), nil
	}
	kafka, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	defer kafka.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	found, err := kadm.NewClient(kafka).ListTopics(ctx, c.topic)
	if err != nil {
		return nil, err
	}
	return found[c.topic].Partitions.Numbers(), found[c.topic].Err
}

func (c *consuming) run(stop context.Context) error {
	opts, err := c.settings()
	if err != nil {
		return err
	}
	if c.kafka, err = kgo.NewClient(opts...); err != nil {
		return err
	}
	count, idle := c.number("count", 0), time.Duration(c.number("until-idle", 0))*time.Millisecond
	last := time.Now()
	for stop.Err() == nil && (count == 0 || c.read < count) && (idle == 0 || time.Since(last) < idle) {
		taken, err := c.take(stop)
		if err != nil {
			return err
		}
		if taken {
			last = time.Now()
		}
	}
	c.leave()
	return nil
}

// take handles one poll and says whether records came.
func (c *consuming) take(stop context.Context) (bool, error) {
	poll, cancel := context.WithTimeout(stop, 100*time.Millisecond)
	defer cancel()
	fetches := c.kafka.PollRecords(poll, 500)
	defer c.kafka.AllowRebalance()
	for _, failure := range fetches.Errors() {
		// The library tells of a session that it could not join, and joins again by itself.
		if joining := (*kgo.ErrGroupSession)(nil); errors.As(failure.Err, &joining) {
			c.tell("error", f("error", failure.Err.Error()), f("fatal", false))
			continue
		}
		if !errors.Is(failure.Err, context.DeadlineExceeded) && !errors.Is(failure.Err, context.Canceled) {
			return false, fmt.Errorf("%s-%d: %w", failure.Topic, failure.Partition, failure.Err)
		}
	}
	before := c.read
	fetches.EachRecord(func(record *kgo.Record) {
		c.read++
		var key any
		if record.Key != nil {
			key = string(record.Key)
		}
		c.tell("read", f("partition", record.Partition), f("offset", record.Offset), f("key", key), f("value", unpadded(record.Value)))
	})
	flush() // before the commit: a reader killed in between must not leave a hole in its history
	if c.read > before && c.group != nil && c.get("commit", "auto") == "sync" {
		if err := c.kafka.CommitUncommittedOffsets(context.Background()); err != nil {
			c.tell("error", f("error", "commit: "+err.Error()), f("fatal", false))
		}
	}
	return c.read > before, nil
}

// leave commits what auto commit still holds and leaves the group.
func (c *consuming) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if c.group != nil && c.get("commit", "auto") != "none" {
		if err := c.kafka.CommitUncommittedOffsets(ctx); err != nil {
			c.tell("error", f("error", "commit: "+err.Error()), f("fatal", false))
		}
	}
	c.kafka.CloseAllowingRebalance()
}
