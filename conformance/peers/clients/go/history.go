package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// One JSON line for each thing that happened, in the words that every test program here uses.
var (
	outLock sync.Mutex
	out     = bufio.NewWriterSize(os.Stdout, 1<<16)
)

// field is one name and value of a line; lines keep the order they were given.
type field struct {
	name  string
	value any
}

func f(name string, value any) field { return field{name, value} }

// emit writes a line; flush sends it on.
func emit(op string, fields ...field) {
	outLock.Lock()
	defer outLock.Unlock()
	fmt.Fprintf(out, "{\"op\":%q", op)
	for _, one := range append(fields, f("t_ms", nowMs())) {
		text, err := json.Marshal(one.value)
		if err != nil {
			text = []byte("null")
		}
		fmt.Fprintf(out, ",%q:%s", one.name, text)
	}
	out.WriteString("}\n")
}

func flush() {
	outLock.Lock()
	defer outLock.Unlock()
	out.Flush()
}

func nowMs() int64 { return time.Now().UnixMilli() }

// nameOf is the value of a record without padding.
func nameOf(client string, seq int64) string { return fmt.Sprintf("%s:%06d", client, seq) }

// valueOf is the unique value of a record, padded to size bytes with a colon and x.
func valueOf(client string, seq int64, size int) string {
	value := nameOf(client, seq)
	if len(value) >= size {
		return value
	}
	return value + ":" + strings.Repeat("x", size-len(value)-1)
}

// unpadded is what was read without its padding; one with damaged padding stays whole, so that it cannot pass.
func unpadded(value []byte) any {
	if value == nil {
		return nil
	}
	text := string(value)
	last := strings.LastIndexByte(text, ':')
	if last > 0 && strings.Contains(text[:last], ":") && strings.Trim(text[last+1:], "x") == "" {
		return text[:last]
	}
	return text
}
