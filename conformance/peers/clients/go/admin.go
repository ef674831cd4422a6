package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// administering is one administration command; each prints one result line.
type administering struct {
	options
	context.Context
	admin        *kadm.Client
	topic, group string
}

func administer(o options) int {
	fields, err := answer(o)
	if err == nil {
		emit("result", append([]field{f("command", o.what)}, fields...)...)
		return 0
	}
	code := "UNKNOWN"
	if known := new(kerr.Error); errors.As(err, &known) {
		code = known.Message
	}
	emit("error", f("command", o.what), f("code", code), f("error", err.Error()), f("fatal", true))
	return 4
}

func answer(o options) ([]field, error) {
	opts, err := o.connection()
	if err != nil {
		return nil, err
	}
	kafka, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	defer kafka.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a := administering{o, ctx, kadm.NewClient(kafka), o.get("topic", ""), o.get("group", "")}
	commands := map[string]func() ([]field, error){
		"list-topics": a.listTopics, "create-topic": a.createTopic, "describe-topic": a.describeTopic,
		"delete-topic": a.deleteTopic, "add-partitions": a.addPartitions, "get-config": a.getConfig,
		"set-config": a.setConfig, "list-groups": a.listGroups, "describe-group": a.describeGroup,
		"delete-group": a.deleteGroup, "group-offsets": a.groupOffsets, "set-group-offset": a.setGroupOffset,
		"offsets": a.offsets, "delete-records": a.deleteRecords,
	}
	run, ok := commands[o.what]
	if !ok {
		return nil, fmt.Errorf("no admin command %q", o.what)
	}
	return run()
}

func (a administering) listTopics() ([]field, error) {
	found, err := a.admin.ListTopics(a)
	return []field{f("topics", found.Names())}, err
}

func (a administering) createTopic() ([]field, error) {
	configs := map[string]*string{}
	for key, value := range a.config {
		configs[key] = &value
	}
	found, err := a.admin.CreateTopic(a, int32(a.number("partitions", 1)), int16(a.number("replication", -1)), configs, a.topic)
	return []field{f("topic", a.topic)}, errors.Join(err, found.Err)
}

func (a administering) describeTopic() ([]field, error) {
	found, err := a.admin.ListTopics(a, a.topic)
	if err != nil {
		return nil, err
	}
	type partition struct {
		Partition int32   `json:"partition"`
		Leader    int32   `json:"leader"`
		Replicas  []int32 `json:"replicas"`
		Isr       []int32 `json:"isr"`
	}
	list := []partition{}
	for _, one := range found[a.topic].Partitions.Sorted() {
		list = append(list, partition{one.Partition, one.Leader, one.Replicas, one.ISR})
	}
	id := found[a.topic].ID
	return []field{f("topic", a.topic), f("topic_id", base64.RawURLEncoding.EncodeToString(id[:])), f("partitions", list)}, found[a.topic].Err
}

func (a administering) deleteTopic() ([]field, error) {
	found, err := a.admin.DeleteTopic(a, a.topic)
	return []field{f("topic", a.topic)}, errors.Join(err, found.Err)
}

func (a administering) addPartitions() ([]field, error) {
	found, err := a.admin.UpdatePartitions(a, int(a.number("partitions", 1)), a.topic)
	return []field{f("topic", a.topic)}, errors.Join(err, found[a.topic].Err)
}

func (a administering) getConfig() ([]field, error) {
	found, err := a.admin.DescribeTopicConfigs(a, a.topic)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	config := map[string]any{}
	for _, one := range found[0].Configs {
		config[one.Key] = one.Value
	}
	return []field{f("topic", a.topic), f("config", config)}, found[0].Err
}

func (a administering) setConfig() ([]field, error) {
	var changes []kadm.AlterConfig
	for key, value := range a.config {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: &value})
	}
	found, err := a.admin.AlterTopicConfigs(a, changes, a.topic)
	for _, one := range found {
		err = errors.Join(err, one.Err)
	}
	return []field{f("topic", a.topic)}, err
}

func (a administering) listGroups() ([]field, error) {
	found, err := a.admin.ListGroups(a)
	return []field{f("groups", found.Groups())}, err
}

func (a administering) describeGroup() ([]field, error) {
	found, err := a.admin.DescribeGroups(a, a.group)
	if err != nil {
		return nil, err
	}
	type member struct {
		ClientID   string  `json:"client_id"`
		InstanceID *string `json:"instance_id"`
		Partitions []int32 `json:"partitions"`
	}
	members := []member{}
	for _, one := range found[a.group].Members {
		partitions := []int32{}
		if assigned, ok := one.Assigned.AsConsumer(); ok {
			for _, topic := range assigned.Topics {
				partitions = append(partitions, topic.Partitions...)
			}
		}
		members = append(members, member{one.ClientID, one.InstanceID, slices.Sorted(slices.Values(partitions))})
	}
	return []field{f("group", a.group), f("state", strings.ToLower(found[a.group].State)), f("members", members)}, found[a.group].Err
}

func (a administering) deleteGroup() ([]field, error) {
	found, err := a.admin.DeleteGroup(a, a.group)
	return []field{f("group", a.group)}, errors.Join(err, found.Err)
}

func (a administering) groupOffsets() ([]field, error) {
	found, err := a.admin.FetchOffsets(a, a.group)
	type place struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Offset    int64  `json:"offset"`
		Metadata  string `json:"metadata"`
	}
	list := []place{}
	for _, one := range found.Sorted() {
		list = append(list, place{one.Topic, one.Partition, one.At, one.Metadata})
		err = errors.Join(err, one.Err)
	}
	return []field{f("group", a.group), f("offsets", list)}, err
}

func (a administering) setGroupOffset() ([]field, error) {
	var where kadm.Offsets
	where.Add(kadm.Offset{Topic: a.topic, Partition: int32(a.number("partition", 0)), At: a.number("offset", 0), LeaderEpoch: -1})
	found, err := a.admin.CommitOffsets(a, a.group, where)
	return []field{f("group", a.group)}, errors.Join(err, found.Error())
}

func (a administering) offsets() ([]field, error) {
	starts, err := a.admin.ListStartOffsets(a, a.topic)
	ends, failed := a.admin.ListEndOffsets(a, a.topic)
	if err = errors.Join(err, failed, starts.Error(), ends.Error()); err != nil {
		return nil, err
	}
	list := []map[string]any{}
	for partition := int32(0); int(partition) < len(ends[a.topic]); partition++ {
		list = append(list, map[string]any{"partition": partition,
			"earliest": starts[a.topic][partition].Offset, "latest": ends[a.topic][partition].Offset})
	}
	return []field{f("topic", a.topic), f("offsets", list)}, nil
}

func (a administering) deleteRecords() ([]field, error) {
	partition := int32(a.number("partition", 0))
	var where kadm.Offsets
	where.Add(kadm.Offset{Topic: a.topic, Partition: partition, At: a.number("offset", 0)})
	found, err := a.admin.DeleteRecords(a, where)
	one := found[a.topic][partition]
	return []field{f("topic", a.topic), f("partition", partition), f("low_watermark", one.LowWatermark)}, errors.Join(err, one.Err)
}
