"use strict";
// One JSON line for each thing that happened, in the words that every test program here uses.

let pending = [];

/** Adds a line; `flush` sends it on. */
function emit(op, fields) {
  pending.push(JSON.stringify({ op, ...fields, t_ms: Date.now() }));
  if (pending.length === 1) setImmediate(flush);
}

/** Sends on what was written; resolves when it is out. */
function flush() {
  if (pending.length === 0) return Promise.resolve();
  const text = pending.join("\n") + "\n";
  pending = [];
  return new Promise((resolve) => process.stdout.write(text, resolve));
}

/** The value of a record without padding. */
function nameOf(client, seq) {
  return `${client}:${String(seq).padStart(6, "0")}`;
}

/** The unique value of a record, padded to `size` bytes with a colon and x. */
function valueOf(client, seq, size) {
  const value = nameOf(client, seq);
  return value.length >= size ? value : `${value}:`.padEnd(size, "x");
}

/** What was read without its padding; one with damaged padding stays whole, so that it cannot pass. */
function unpadded(value) {
  if (value === null) return null;
  const text = value.toString();
  const found = /^(.*:.*):x*$/s.exec(text);
  return found ? found[1] : text;
}

module.exports = { emit, flush, nameOf, valueOf, unpadded };
